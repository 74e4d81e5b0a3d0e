// SPDX-License-Identifier: Apache-2.0
#include "berth/auth/connection.hpp"

namespace berth::auth {

http::ConnectionOptions connection_options(const credential::RegistryConfig& said) {
  return {.ca_file = said.ca_file,
          .more_ca_files = said.more_ca_files,
          .client_cert_file = said.client_cert_file,
          .client_key_file = said.client_key_file,
          .client_key_password_file = said.client_key_password_file,
          .insecure_skip_verify = said.insecure_skip_verify,
          .http2 = said.http2};
}

}  // namespace berth::auth
