// SPDX-License-Identifier: Apache-2.0
#include "berth/http/url.hpp"

#include <string>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::http {
namespace {

using test::HasCode;
using test::IsOk;

TEST(UrlTest, NormalisesTheOrigin) {
  const struct {
    const char* text;
    const char* origin;
    std::uint16_t port;
  } cases[] = {
      {"https://Example.COM", "https://example.com", 443},
      {"HTTPS://example.com:443/a", "https://example.com", 443},
      {"https://example.com./a", "https://example.com", 443},
      {"http://example.com:80", "http://example.com", 80},
      {"http://example.com:/", "http://example.com", 80},
      {"https://example.com:80", "https://example.com:80", 80},
      {"http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000", 5000},
      {"http://[::1]:5000/v2/", "http://[::1]:5000", 5000},
      {"https://[2001:DB8:0:0::0001]", "https://[2001:db8::1]", 443},
      {"https://my_registry.corp", "https://my_registry.corp", 443},
  };
  for (const auto& c : cases) {
    const auto url = Url::parse(c.text);
    ASSERT_THAT(url, IsOk()) << c.text;
    EXPECT_EQ(url->origin().text(), c.origin);
    EXPECT_EQ(url->origin().port, c.port);
  }
}

TEST(UrlTest, KeepsPathAndQueryAsTheyAre) {
  const auto url = Url::parse("https://h/v2/a%2Fb/../c?sig=%3d&x=/?y#part");
  ASSERT_THAT(url, IsOk());
  EXPECT_EQ(url->path_and_query(), "/v2/a%2Fb/../c?sig=%3d&x=/?y");
  EXPECT_EQ(url->text(), "https://h/v2/a%2Fb/../c?sig=%3d&x=/?y");
  EXPECT_EQ(url->redacted(), "https://h/v2/a%2Fb/../c");
  EXPECT_EQ(Url::parse("https://h?q")->path_and_query(), "/?q");
  EXPECT_EQ(Url::parse("https://h#f")->path_and_query(), "/");
}

TEST(UrlTest, RefusesOtherSchemesAndUserInformation) {
  for (const char* text : {"ftp://h/", "file:///etc/passwd", "javascript:alert(1)",
                           "https://user:secret@h/", "https://user@h", "https://h:80@evil/"}) {
    const auto url = Url::parse(text);
    EXPECT_THAT(url, HasCode(Errc::untrusted)) << text;
    EXPECT_EQ(url.error().message().find("secret"), std::string::npos);
  }
}

TEST(UrlTest, RefusesWhatIsNoUrl) {
  for (const char* text : {"",
                           "h/path",
                           "https:",
                           "https:/h",
                           "https:h",
                           "https://",
                           "https:///p",
                           "https://h:0/",
                           "https://h:65536/",
                           "https://h:x/",
                           "https://h:1:2/",
                           "https://a..b/",
                           "https://.a/",
                           "https://a b/",
                           "https://h/a b",
                           "https://h\\@evil/",
                           "https://h/\r\nX: y",
                           "https://%31/",
                           "https://[::1",
                           "https://[::1%25lo]/",
                           "https://[]/",
                           "https://::1/",
                           "https://[1.2.3.4]/",
                           "https://h\xc3\xa9/"}) {
    EXPECT_THAT(Url::parse(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(UrlTest, RefusesIpv4InOtherClothes) {
  for (const char* host : {"127.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001",
                           "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "a.1", "0x"}) {
    EXPECT_THAT(Url::parse(std::string("http://") + host + "/"), HasCode(Errc::invalid_argument))
        << host;
  }
  EXPECT_THAT(Url::parse("http://1.a/"), IsOk());
}

TEST(UrlTest, ResolvesAsRfc3986Says) {
  // Section 5.4, those of its examples that stay within http.
  const Url base = *Url::parse("http://a/b/c/d;p?q");
  const struct {
    const char* reference;
    const char* result;
  } cases[] = {
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g/"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {";x", "http://a/b/c/;x"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../g", "http://a/g"},
      {"../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {"..g", "http://a/b/c/..g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/../h", "http://a/b/c/h"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"https://B:8443/x/../y", "https://b:8443/y"},
      {"/v2/a/tags/list?last=b:c&n=2", "http://a/v2/a/tags/list?last=b:c&n=2"},
  };
  for (const auto& c : cases) {
    const auto url = base.resolve(c.reference);
    ASSERT_THAT(url, IsOk()) << c.reference;
    EXPECT_EQ(url->text(), c.result) << c.reference;
  }
}

TEST(UrlTest, ResolveKeepsTheRulesOfParse) {
  const Url base = *Url::parse("https://a/b");
  EXPECT_THAT(base.resolve("//user@evil/"), HasCode(Errc::untrusted));
  EXPECT_THAT(base.resolve("file:///etc/passwd"), HasCode(Errc::untrusted));
  EXPECT_THAT(base.resolve("http:g"), HasCode(Errc::invalid_argument));
  EXPECT_THAT(base.resolve("/a\nb"), HasCode(Errc::invalid_argument));
  EXPECT_THAT(base.resolve("//127.1/"), HasCode(Errc::invalid_argument));
}

TEST(UrlTest, WithPathKeepsTheOrigin) {
  const Url url = Url::parse("https://a:5000/b?c")->with_path("/v2/?n=1");
  EXPECT_EQ(url.text(), "https://a:5000/v2/?n=1");
}

}  // namespace
}  // namespace berth::http
