// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "support/fake_registry_impl.hpp"

namespace berth::test {

/// Under which name ACR's metadata of a repository (`reference` is ""), a tag or a manifest is
/// kept.
std::string acr_key(const std::string& repository, const std::string& reference);

/// ACR's refusals, with the bytes that were recorded.
namespace acr_error {
HttpReply name_unknown(const std::string& repository);
HttpReply tag_unknown(const std::string& repository, const std::string& tag);
HttpReply manifest_unknown(const std::string& repository, const std::string& digest);
HttpReply locked();
}  // namespace acr_error

}  // namespace berth::test
