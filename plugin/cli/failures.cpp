// SPDX-License-Identifier: Apache-2.0
#include "failures.hpp"

#include "berth/base/error_chain.hpp"

#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

Result<void> Failures::note(Error error, const std::string& place) {
  if (befalls_all(error, place)) return error;
  ++count_;
  status_ = worse(status_, report(workspace_, naming(std::move(error), place)));
  return {};
}

bool Failures::befalls_all(const Error& error, const std::string& place) {
  if (error.code() == Errc::cancelled || !workspace_.context().check()) return true;
  if (error.code() != Errc::unavailable) return false;
  // Offline some of it is there; and a registry that answers 500 for one may answer for the next.
  if (workspace_.options().offline || answer_behind(error) != nullptr) return false;
  // Of the registries that are known one being away says nothing of the next.
  if (place.find('/') == std::string::npos) {
    unreached_ = 0;
    return false;
  }
  return ++unreached_ > 1;
}

std::string place_below(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.ends_with('/') ? folder + name : folder + "/" + name;
}

Error naming(Error error, const std::string& place) {
  std::string tag = place;
  if (const auto slash = tag.rfind('/'); slash != std::string::npos) tag[slash] = ':';
  const std::string& message = error.message();
  if (message.find(place) != std::string::npos || message.find(tag) != std::string::npos) {
    return error;
  }
  return std::move(error).with_context(place);
}

}  // namespace berth::cli
