// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "berth/http/policy.hpp"

#include "support/matchers.hpp"

namespace berth::http::url_policy {
namespace {

using test::HasCode;
using test::IsOk;

Url url(const std::string& text) { return *Url::parse(text); }

TEST(UrlPolicyTest, ClassifiesHosts) {
  constexpr auto kLoop = AddressClass::loopback;
  constexpr auto kLink = AddressClass::link_local;
  constexpr auto kPrivate = AddressClass::private_net;
  constexpr auto kGlobal = AddressClass::global;
  const struct {
    const char* host;
    AddressClass expected;
  } cases[] = {
      {"localhost", kLoop},
      {"LocalHost", kLoop},
      {"a.localhost", kLoop},
      {"127.0.0.1", kLoop},
      {"127.255.0.9", kLoop},
      {"0.0.0.0", kLoop},
      {"::1", kLoop},
      {"[::1]", kLoop},
      {"::", kLoop},
      {"::ffff:127.0.0.1", kLoop},
      {"::127.0.0.1", kLoop},
      {"64:ff9b::7f00:1", kLoop},
      {"2002:7f00:1::", kLoop},
      {"127.1", kLoop},       // as inet_aton would read it
      {"0x7f000001", kLoop},  // the same
      {"169.254.169.254", kLink},
      {"168.63.129.16", kLink},
      {"fe80::1", kLink},
      {"fd00:ec2::254", kLink},
      {"::ffff:169.254.169.254", kLink},
      {"64:ff9b::a9fe:a9fe", kLink},
      {"10.1.2.3", kPrivate},
      {"172.16.0.1", kPrivate},
      {"172.31.255.255", kPrivate},
      {"192.168.1.1", kPrivate},
      {"100.64.0.1", kPrivate},
      {"224.0.0.1", kPrivate},
      {"fc00::1", kPrivate},
      {"fdff::1", kPrivate},
      {"fec0::1", kPrivate},
      {"2002:0a01:0203::1", kPrivate},
      {"2001:0:1:2:3:4:f5fe:fdfc", kPrivate},  // Teredo of 10.1.2.3
      {"172.32.0.1", kGlobal},
      {"100.128.0.1", kGlobal},
      {"8.8.8.8", kGlobal},
      {"2606:4700::1111", kGlobal},
      {"::ffff:8.8.8.8", kGlobal},
  };
  for (const auto& c : cases) EXPECT_EQ(classify_host(c.host), c.expected) << c.host;
  for (const char* name : {"example.com", "notlocalhost", "localhost.example.com", "10.example"}) {
    EXPECT_EQ(classify_host(name), std::nullopt) << name;
  }
}

TEST(UrlPolicyTest, RedirectsNeverLoseEncryption) {
  EXPECT_THAT(check_redirect(url("https://a/"), url("http://b/")), HasCode(Errc::untrusted));
  EXPECT_THAT(check_redirect(url("https://a/"), url("http://a/")), HasCode(Errc::untrusted));
  EXPECT_THAT(check_redirect(url("http://a/"), url("https://b/")), IsOk());
  EXPECT_THAT(check_redirect(url("https://a/"), url("https://b:8443/")), IsOk());
}

TEST(UrlPolicyTest, RedirectsNeverComeCloser) {
  const auto check = [](const char* from, const char* to) {
    return check_redirect(url(from), url(to));
  };
  for (const char* to : {"https://127.0.0.1/", "https://localhost:5000/", "https://[::1]/",
                         "https://169.254.169.254/", "https://[::ffff:127.0.0.1]/"}) {
    EXPECT_THAT(check("https://registry.example/", to), HasCode(Errc::untrusted)) << to;
    EXPECT_THAT(check("https://8.8.8.8/", to), HasCode(Errc::untrusted)) << to;
    EXPECT_THAT(check("https://10.0.0.1/", to), HasCode(Errc::untrusted)) << to;
    EXPECT_THAT(check("https://127.0.0.1:5000/", to), IsOk()) << to;
  }
  EXPECT_THAT(check("https://registry.example/", "https://10.0.0.1/"), IsOk());
}

TEST(UrlPolicyTest, AKnownPeerDecidesWhatTheNameDoesNot) {
  const Url from = url("http://registry.test/");
  const Url to = url("http://127.0.0.1:9000/");
  EXPECT_THAT(check_redirect(from, to), HasCode(Errc::untrusted));
  EXPECT_THAT(check_redirect(from, to, AddressClass::loopback), IsOk());
  EXPECT_THAT(check_redirect(from, to, AddressClass::global), HasCode(Errc::untrusted));
}

TEST(UrlPolicyTest, ForbidsWhereANameMayNotLead) {
  const AddressClasses near{AddressClass::loopback, AddressClass::link_local};
  EXPECT_EQ(forbidden_after_redirect(std::nullopt), near);
  EXPECT_EQ(forbidden_after_redirect(AddressClass::global), near);
  EXPECT_EQ(forbidden_after_redirect(AddressClass::private_net), near);
  EXPECT_EQ(forbidden_after_redirect(AddressClass::loopback), AddressClasses());
  EXPECT_TRUE(forbidden_for_realm(std::nullopt).contains(AddressClass::private_net));
  EXPECT_FALSE(forbidden_for_realm(AddressClass::private_net).contains(AddressClass::private_net));
}

TEST(UrlPolicyTest, PageLinksStayOnTheirOrigin) {
  EXPECT_THAT(check_page_link(url("https://a/x"), url("https://a:443/y?last=1")), IsOk());
  EXPECT_THAT(check_page_link(url("https://a/x"), url("https://a:444/x")),
              HasCode(Errc::untrusted));
  EXPECT_THAT(check_page_link(url("https://a/x"), url("http://a/x")), HasCode(Errc::untrusted));
  EXPECT_THAT(check_page_link(url("https://a/x"), url("https://b/x")), HasCode(Errc::untrusted));
}

TEST(UrlPolicyTest, RealmsAreEncryptedAndNotInside) {
  const auto check = [](const char* registry, const char* realm) {
    return check_realm(url(registry), url(realm));
  };
  EXPECT_THAT(check("https://r.example/", "https://auth.example/token"), IsOk());
  EXPECT_THAT(check("https://r.example/", "http://auth.example/token"), HasCode(Errc::untrusted));
  EXPECT_THAT(check("http://r.example/", "http://auth.example/token"), IsOk());
  EXPECT_THAT(check("https://r.example/", "https://10.0.0.1/"), HasCode(Errc::untrusted));
  EXPECT_THAT(check("https://r.example/", "https://127.0.0.1/"), HasCode(Errc::untrusted));
  EXPECT_THAT(check("https://r.example/", "https://169.254.169.254/"), HasCode(Errc::untrusted));
  EXPECT_THAT(check("https://10.0.0.1/", "https://192.168.0.1/"), IsOk());
  EXPECT_THAT(check("https://10.0.0.1/", "https://127.0.0.1/"), HasCode(Errc::untrusted));
  EXPECT_THAT(check("http://localhost:5000/", "http://127.0.0.1:5001/token"), IsOk());
  EXPECT_THAT(
      check_realm(url("https://r.example/"), url("https://10.0.0.1/"), AddressClass::private_net),
      IsOk());
}

TEST(UrlPolicyTest, PasswordsGoToTheRegistrysOwnRealm) {
  const struct {
    const char* registry;
    const char* realm;
  } yes[] = {
      {"https://r.example/", "https://r.example:8443/token"},
      {"https://registry.example.com/", "https://auth.example.com/token"},
      {"https://example.com/", "https://auth.example.com/token"},
      {"https://registry.example.co.uk/", "https://auth.example.co.uk/"},
      {"https://registry-1.docker.io/", "https://auth.docker.io/token"},
      {"https://dhi.io/", "https://auth.docker.io/token"},
      {"https://registry.gitlab.com/", "https://gitlab.com/jwt/auth"},
      {"https://ghcr.io/", "https://ghcr.io/token"},
      {"https://my.azurecr.io/", "https://my.azurecr.io/oauth2/token"},
      {"http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"},
  };
  for (const auto& c : yes) {
    EXPECT_TRUE(realm_may_see_password(url(c.registry), url(c.realm))) << c.registry << c.realm;
  }
}

TEST(UrlPolicyTest, PasswordsGoToNobodyElse) {
  const struct {
    const char* registry;
    const char* realm;
  } no[] = {
      {"https://r.example.com/", "https://evil.com/"},
      {"https://example.com/", "https://notexample.com/"},
      {"https://ours.co.uk/", "https://theirs.co.uk/"},
      {"https://ours.azurecr.io/", "https://theirs.azurecr.io/"},
      {"https://a.github.io/", "https://b.github.io/"},
      {"https://a.blob.core.windows.net/", "https://b.blob.core.windows.net/"},
      {"https://1.ecr.amazonaws.com/", "https://2.ecr.amazonaws.com/"},
      {"https://10.0.0.1/", "https://10.0.0.2/"},
      {"https://registry/", "https://auth/"},
      {"http://127.0.0.1:5000/", "http://localhost:5001/token"},
  };
  for (const auto& c : no) {
    EXPECT_FALSE(realm_may_see_password(url(c.registry), url(c.realm))) << c.registry << c.realm;
  }
}

TEST(UrlPolicyTest, TlsSettingsAreForOneOriginAndItsCaForAnyBeside) {
  ConnectionOptions given;
  given.ca_file = "/ca.pem";
  given.client_cert_file = "/me.pem";
  given.client_key_file = "/me.key";
  given.insecure_skip_verify = true;
  const auto own = std::make_shared<const ConnectionOptions>(given);
  const Url registry = url("https://r.example/v2/");
  EXPECT_EQ(*connection_for(own, registry, url("https://r.example:443/token")), given);
  ConnectionOptions ca_alone;
  ca_alone.ca_file = "/ca.pem";
  for (const char* other :
       {"https://r.example:5001/token", "http://r.example/token", "https://auth.r.example/token"}) {
    EXPECT_EQ(*connection_for(own, registry, url(other)), ca_alone) << other;
  }
  EXPECT_EQ(connection_for(nullptr, registry, url("https://other.example/")), nullptr);
}

TEST(UrlPolicyTest, PlainHttpIsForThisMachineOrOnRequest) {
  EXPECT_THAT(check_plain_http(url("https://a/"), false), IsOk());
  EXPECT_THAT(check_plain_http(url("http://localhost:5000/"), false), IsOk());
  EXPECT_THAT(check_plain_http(url("http://127.9.9.9/"), false), IsOk());
  EXPECT_THAT(check_plain_http(url("http://[::1]/"), false), IsOk());
  EXPECT_THAT(check_plain_http(url("http://10.0.0.1/"), false), HasCode(Errc::untrusted));
  EXPECT_THAT(check_plain_http(url("http://a/"), false), HasCode(Errc::untrusted));
  EXPECT_THAT(check_plain_http(url("http://a/"), true), IsOk());
}

}  // namespace
}  // namespace berth::http::url_policy
