// SPDX-License-Identifier: Apache-2.0
#include "http/curl_transfer.hpp"

#include <gmock/gmock.h>

namespace berth::http {
namespace {

Request to(const char* url) {
  Request request;
  request.url = *Url::parse(url);
  return request;
}

TEST(TransferTest, LocalhostLeadsToLoopbackAlone) {
  for (const char* url : {"http://localhost:5000/", "https://a.localhost/"}) {
    EXPECT_TRUE(Transfer(to(url), false).on_address(AddressClass::loopback)) << url;
    for (const auto other :
         {AddressClass::global, AddressClass::private_net, AddressClass::link_local}) {
      EXPECT_FALSE(Transfer(to(url), false).on_address(other)) << url;
    }
  }
  EXPECT_TRUE(Transfer(to("http://r.example/"), false).on_address(AddressClass::global));
}

TEST(TransferTest, ForbiddenAddressesAreRefusedButNotOfAProxy) {
  Request request = to("https://r.example/");
  request.forbidden_addresses = {AddressClass::loopback};
  EXPECT_FALSE(Transfer(request, false).on_address(AddressClass::loopback));
  EXPECT_TRUE(Transfer(request, false).on_address(AddressClass::global));
  EXPECT_TRUE(Transfer(request, true).on_address(AddressClass::loopback));
}

}  // namespace
}  // namespace berth::http
