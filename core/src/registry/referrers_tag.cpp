// SPDX-License-Identifier: Apache-2.0
// Referrers where the registry keeps none: an index under a tag, which clients write.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

// Two machines that write one index at once undo each other: whoever finds that writes again.
constexpr int kTries = 4;

bool names(const std::vector<oci::Descriptor>& descriptors, const Digest& digest) {
  return std::ranges::any_of(descriptors,
                             [&](const oci::Descriptor& one) { return one.digest == digest; });
}

}  // namespace

Result<void> Client::Impl::edit_referrers_tag(const std::string& repository, const Digest& subject,
                                              const Edit& edit, const Context& context) {
  const std::string tag = fallback_tags(subject).front();
  const auto turn = TRY(turns.take(repository + ":" + tag, context));
  const std::string operation =
      fmt::format("referrers of {} by tag {}", object(repository, subject.text()), tag);
  const Target target{repository, tag, std::nullopt};
  for (int attempt = 1; attempt <= kTries; ++attempt) {
    auto raw = fetch_manifest(endpoints.registry(), target, context);
    if (!raw && raw.error().code() != Errc::not_found) {
      return std::move(raw).error().with_context(operation);
    }
    oci::Index index;
    if (raw) {
      const auto document = oci::parse_manifest(std::move(raw->raw), raw->media_type, raw->digest);
      if (!document) return Error(document.error()).with_context(operation);
      if (document->index() == nullptr) {
        return Error(Errc::corrupt,
                     fmt::format("{}: the tag names no index: it is not for berth to replace it",
                                 operation));
      }
      index = *document->index();
    }
    if (!edit(index.manifests)) return {};
    if (attempt > 1) log::debug(fmt::format("{}: somebody else wrote it meanwhile", operation));
    const std::string text = oci::write_index(index, oci::media::kImageIndex);
    auto answer = TRY(put_text(target, text, std::string(oci::media::kImageIndex), context));
    http::drain(answer, context);
  }
  return Error(Errc::conflict,
               fmt::format("{}: others write it all the time; try again", operation));
}

Result<void> Client::Impl::add_referrer(const std::string& repository,
                                        const oci::ManifestDocument& document,
                                        const Context& context) {
  oci::Descriptor own = document.descriptor();
  own.artifact_type = document.artifact_type();
  own.annotations = document.annotations();
  const auto edit = [&](std::vector<oci::Descriptor>& all) {
    if (names(all, own.digest)) return false;
    all.push_back(own);
    return true;
  };
  return edit_referrers_tag(repository, document.subject()->digest, edit, context);
}

Result<void> Client::Impl::drop_referrer(const std::string& repository,
                                         const oci::ManifestDocument& document,
                                         const Context& context) {
  const auto edit = [&](std::vector<oci::Descriptor>& all) {
    return std::erase_if(all, [&](const auto& one) { return one.digest == document.digest; }) != 0;
  };
  return edit_referrers_tag(repository, document.subject()->digest, edit, context);
}

}  // namespace berth::registry
