// SPDX-License-Identifier: Apache-2.0
#include "http/curl_error.hpp"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include "berth/base/error_chain.hpp"

namespace berth::http {
namespace {

Error error_with(int curl_code) {
  TransferEnd end;
  end.curl_code = curl_code;
  return error_of(end, "HEAD", *Url::parse("https://r.example/v2/"), false);
}

TEST(CurlErrorTest, NobodyIsReachedWithoutANameOrAConnection) {
  for (const int code : {CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY,
                         CURLE_COULDNT_CONNECT, CURLE_OPERATION_TIMEDOUT}) {
    EXPECT_EQ(error_with(code).code(), Errc::unavailable) << code;
    EXPECT_TRUE(reached_nobody(error_with(code))) << code;
  }
  // Somebody took the connection.
  for (const int code : {CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE,
                         CURLE_SSL_CONNECT_ERROR}) {
    EXPECT_FALSE(reached_nobody(error_with(code))) << code;
  }
}

}  // namespace
}  // namespace berth::http
