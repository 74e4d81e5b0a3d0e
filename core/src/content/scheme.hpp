// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "berth/http/transport.hpp"

namespace berth::content {

/// Is the registry one of this machine: 127.0.0.0/8, ::1, localhost? Plain http may be tried there.
bool is_loopback(const std::string& registry);

/// How a registry of this machine that nothing was said about is spoken to: "https" when it answers
/// to TLS, also by a certificate that is not trusted; "http" when it does not and answers without.
/// Sends one or two requests to /v2/, counted in `requests`. When nobody answers: the error.
Result<std::string> probe_scheme(http::Transport& transport, const std::string& host,
                                 std::shared_ptr<const http::ConnectionOptions> connection,
                                 std::atomic<std::uint64_t>& requests, const Context& context);

}  // namespace berth::content
