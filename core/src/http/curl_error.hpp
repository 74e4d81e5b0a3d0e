// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "berth/base/error.hpp"
#include "berth/http/message.hpp"

#include "http/curl_transfer.hpp"

namespace berth::http {

/// The Error for a transfer that did not end well. `in_body`: after the head had come. `proxy`: who
/// was asked for the connection, as it may be shown; "" for nobody.
Error error_of(const TransferEnd& end, std::string_view method, const Url& url, bool in_body,
               std::string_view proxy = {});

}  // namespace berth::http
