// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "berth/http/transport.hpp"

namespace berth::http {

/// Whether a server is the one that is meant, by the certificate that it shows (PEM). Called on the
/// thread of the network, for each request, before anything of it is sent; must not block.
using CertificateCheck = std::function<bool(std::string_view pem)>;

/// A transport to a server that no CA vouches for, and that is known by its certificate alone:
/// `check` decides in the place of the CAs and the host's name. No connection is used twice.
/// Errc::untrusted for a server that it refuses, and for plain http.
std::unique_ptr<Transport> make_pinned_transport(CertificateCheck check, CurlOptions options = {});

}  // namespace berth::http
