// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/result.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// One member of `auths`, as it is written.
struct AuthEntry {
  std::string key;
  Secret auth{};  ///< base64 of "user:password"
  std::string username{};
  Secret password{};
  Secret identity_token{};
  Secret registry_token{};

  bool holds_secret() const noexcept {
    return !auth.empty() || !password.empty() || !identity_token.empty() || !registry_token.empty();
  }
};

/// What berth reads of docker's config.json, podman's auth.json and the old .dockercfg.
struct AuthFile {
  std::vector<AuthEntry> auths;                     ///< in the order of their keys
  std::map<std::string, std::string> cred_helpers;  ///< host -> helper's name
  std::string creds_store;

  bool holds_secret() const noexcept;
};

enum class AuthFileForm : unsigned char {
  config,    ///< {"auths": {...}, "credHelpers": {...}, "credsStore": "..."}
  dockercfg  ///< the map of `auths` alone
};

/// `name` is the file's, for messages, which never show the text itself: it holds secrets. A text
/// of white space alone is an empty file. Members match without case, as Go's decoder does.
Result<AuthFile> parse_auth_file(std::string_view text, AuthFileForm form, std::string_view name);

/// nullopt for the empty entry that docker writes as a marker when a helper keeps the secret. An
/// `auth` that cannot be decoded is an error of this entry alone: docker refuses the whole file,
/// and with it every other registry.
Result<std::optional<Credential>> to_credential(const AuthEntry& entry, std::string_view source);

}  // namespace berth::credential
