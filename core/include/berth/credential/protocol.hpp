// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "berth/base/result.hpp"
#include "berth/credential/credential.hpp"

namespace berth::credential {

/// The protocol of docker-credential-helpers (credentials/credentials.go, credentials/error.go), to
/// the letter: clients compare these texts, after trimming white space. They go to standard output.
inline constexpr std::string_view kNotFoundWords = "credentials not found in native keychain";
inline constexpr std::string_view kNoServerUrlWords = "no credentials server URL";
inline constexpr std::string_view kNoUsernameWords = "no credentials username";
/// The user name that says: the secret is an OAuth2 refresh token.
inline constexpr std::string_view kTokenUser = "<token>";
/// More than any secret: an ACR token has some 3 kB.
inline constexpr std::size_t kProtocolLimit = 1024 * 1024;

/// What `store` is given.
struct StoreRequest {
  std::string server_url;
  std::string username;
  Secret secret;
};

/// {"ServerURL": ..., "Username": ..., "Secret": ...}: names in any case, unknown ones ignored,
/// text after the object too. An empty URL or user name is no error here. Errc::corrupt for what is
/// no such object, invalid_argument for a user name with control characters; no message quotes it.
Result<StoreRequest> parse_store_request(std::string_view json);

/// What `get` prints: one JSON object and a line feed. `server_url` is repeated as it was asked.
std::string get_answer(std::string_view server_url, const Credential& credential);

/// What `list` prints: URL -> user name; "{}" for none.
std::string list_answer(const std::map<std::string, std::string>& entries);

/// What a helper's `get` printed; nullopt where that means "none": docker-credential-pass before
/// 0.7 says so by two empty strings. `program` is named in messages, the text never is.
Result<std::optional<Credential>> parse_get_answer(std::string_view output,
                                                   std::string_view program);

/// What a helper's `list` printed.
Result<std::map<std::string, std::string>> parse_list_answer(std::string_view output,
                                                             std::string_view program);

/// A credential as a user name and a secret, and back. A registry token has no such form: two empty
/// strings.
std::string protocol_user(const Credential& credential);
Secret protocol_secret(const Credential& credential);
Credential from_protocol(std::string username, Secret secret);

}  // namespace berth::credential
