// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/connection.hpp"

#include <gtest/gtest.h>

namespace berth::auth {
namespace {

TEST(ConnectionTest, IsWhatTheConfigurationSaysOfTheRegistry) {
  const http::ConnectionOptions made = connection_options({.insecure_skip_verify = true,
                                                           .http2 = true,
                                                           .ca_file = "/ca",
                                                           .more_ca_files = {"/ca2"},
                                                           .client_cert_file = "/cert",
                                                           .client_key_file = "/key",
                                                           .client_key_password_file = "/pass"});
  EXPECT_EQ(made, (http::ConnectionOptions{.ca_file = "/ca",
                                           .more_ca_files = {"/ca2"},
                                           .client_cert_file = "/cert",
                                           .client_key_file = "/key",
                                           .client_key_password_file = "/pass",
                                           .insecure_skip_verify = true,
                                           .http2 = true}));
}

TEST(ConnectionTest, OfARegistryThatNothingIsSaidOfItIsTheDefault) {
  EXPECT_EQ(connection_options({}), http::ConnectionOptions{});
}

}  // namespace
}  // namespace berth::auth
