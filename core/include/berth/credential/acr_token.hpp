// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "berth/credential/credential.hpp"
#include "berth/credential/token_file.hpp"

namespace berth::credential {

/// An ACR refresh token that a credential holds: as identity token, or as the password of the user
/// that ACR ignores (`az acr login` stores both forms). nullopt for what says of itself no end, as
/// a password or another registry's token. Of one that does not say when it was made, `issued` is
/// its end: it never ages.
std::optional<RefreshToken> acr_token(const Credential& credential);

}  // namespace berth::credential
