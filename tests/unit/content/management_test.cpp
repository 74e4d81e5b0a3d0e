// SPDX-License-Identifier: Apache-2.0
#include "berth/content/management.hpp"

#include <gmock/gmock.h>

#include "berth/content/hub.hpp"
#include "berth/registry/quirks.hpp"

#include "content/acr_watch.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/temp_dir.hpp"
#include "support/tls_certificates.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A hub over a fake Azure container registry with TLS and Bearer tokens, told so by configuration.
class ManagementTest : public ::testing::Test {
 protected:
  ManagementTest() {
    one_ = fake_.add_image("a", "v1", {"one"});
    fake_.tag("a", "v2", one_.digest);
    open("acr = true");
  }

  void open(const std::string& says) {
    const std::string file =
        folder_
            .write("config.toml", "[registry.\"" + fake_.host() + "\"]\nca_file = \"" +
                                      tls_->ca_file().string() + "\"\n" + says + "\n")
            .string();
    const std::string home = folder_.path().string();
    content::HubOptions options;
    options.environment = [file, home](const std::string& name) -> std::optional<std::string> {
      if (name == "BERTH_CONFIG") return file;
      if (name == "HOME") return home;
      return std::nullopt;
    };
    options.keychain.explicit_credential = credential::Credential{
        .username = "alice", .password = Secret("wonder"), .source = "the test"};
    options.retry.attempts = 1;
    hub_ = content::Hub::open(std::move(options)).value();
    source_ = hub_->source(fake_.host()).value();
  }
  content::Management& management() {
    content::Management* found = source_->management();
    EXPECT_NE(found, nullptr);
    return *found;
  }
  std::vector<std::string> requests() {
    std::vector<std::string> lines;
    for (const HttpRequest& request : fake_.server().log()) {
      lines.push_back(request.method + " " + request.target);
    }
    fake_.server().clear_log();
    return lines;
  }

  TempDir folder_;
  std::shared_ptr<TlsCertificates> tls_ = std::make_shared<TlsCertificates>();
  FakeRegistry fake_{{.auth = RegistryBehaviour::Auth::bearer, .acr = true, .soft_delete = true},
                     {.tls = tls_}};
  FakeImage one_;
  std::unique_ptr<content::Hub> hub_;
  std::shared_ptr<content::Source> source_;
  Context context_ = Context().with_timeout(std::chrono::seconds(20));
};

TEST_F(ManagementTest, AConfiguredRegistryHasTheCapabilities) {
  EXPECT_TRUE(source_->capabilities().properties);
  EXPECT_TRUE(source_->capabilities().tag_list_has_digests);
  const auto tag = management().tag("a", "v1", context_);
  ASSERT_THAT(tag, IsOk());
  EXPECT_EQ(tag->digest.text(), one_.digest);
  EXPECT_EQ(tag->can_delete, true);
  EXPECT_THAT(management().tag("a", "none", context_), HasCode(Errc::not_found));
  EXPECT_EQ(management().repository("a", context_)->tag_count, 2U);
  EXPECT_EQ(management().manifest("a", tag->digest, context_)->tags,
            (std::vector<std::string>{"v1", "v2"}));
}

TEST_F(ManagementTest, RequestsAreCountedAndTokensShared) {
  ASSERT_THAT(management().tag("a", "v1", context_), IsOk());
  const std::uint64_t before = hub_->requests().requests;
  EXPECT_GE(before, 3U);  // without a token, for a token, with it
  const std::size_t tokens = fake_.tokens().log().size();
  fake_.server().clear_log();
  ASSERT_THAT(management().tag("a", "v2", context_), IsOk());
  EXPECT_EQ(hub_->requests().requests, before + 1);
  EXPECT_EQ(fake_.tokens().log().size(), tokens);
  EXPECT_THAT(requests(), ElementsAre("GET /acr/v1/a/_tags/v2?api-version=2021-07-01"));
}

TEST_F(ManagementTest, OneListHasDigestsAndLocks) {
  fake_.lock("a", "v1");
  const auto page = management().list_tags("a", "", context_);
  ASSERT_THAT(page, IsOk());
  ASSERT_THAT(page->items, SizeIs(2));
  EXPECT_EQ(page->items[0].name, "v1");
  EXPECT_EQ(page->items[0].can_delete, false);
  EXPECT_EQ(page->items[1].can_delete, true);
  EXPECT_THAT(page->continuation_token, IsEmpty());
  EXPECT_THAT(management().list_manifests("a", "", context_)->items, SizeIs(1));
}

TEST_F(ManagementTest, PagesAreFollowedByTheirTokens) {
  for (int i = 0; i < 1100; ++i) fake_.tag("a", "t" + std::to_string(i), one_.digest);
  const auto first = management().list_tags("a", "", context_);
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(first->items, SizeIs(1000));
  const auto second = management().list_tags("a", first->continuation_token, context_);
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(second->items, SizeIs(102));
}

TEST_F(ManagementTest, ALargePageThatIsRefusedIsAskedForSmaller) {
  fake_.fault({.method = "GET", .target = "/acr/v1/a/_tags?n=1000*"},
              fault::error(400, "PAGINATION_NUMBER_INVALID"));
  EXPECT_THAT(management().list_tags("a", "", context_)->items, SizeIs(2));
}

TEST_F(ManagementTest, ChangesAreMadeAndGivenBack) {
  EXPECT_EQ(management().update_tag("a", "v1", {.can_delete = false}, context_)->can_delete, false);
  EXPECT_EQ(management().tag("a", "v1", context_)->can_delete, false);
  const Digest digest = Digest::parse(one_.digest).value();
  EXPECT_EQ(management().update_manifest("a", digest, {.can_write = false}, context_)->can_write,
            false);
  EXPECT_EQ(management().update_repository("a", {.can_list = false}, context_)->can_list, false);
}

TEST_F(ManagementTest, DeletedContentIsListedAndRestored) {
  auto options = acr::PurgeOptions{.filters = {"a:v2"}};
  const auto purge = management().purge(std::move(options));
  ASSERT_THAT(purge, IsOk());
  const auto plan = purge->plan(context_);
  ASSERT_THAT(plan, IsOk());
  EXPECT_THAT(plan->tags, SizeIs(1));
  EXPECT_EQ(purge->execute(*plan, context_).tags_deleted, 1U);
  EXPECT_THAT(*management().deleted_repositories(context_), ElementsAre("a"));
  ASSERT_THAT(*management().deleted_tags("a", context_), SizeIs(1));
  EXPECT_THAT(*management().deleted_manifests("a", context_), IsEmpty());
  EXPECT_EQ(management().restore_tag("a", "v2", false, context_)->text(), one_.digest);
  EXPECT_EQ(fake_.tag_target("a", "v2"), one_.digest);
}

TEST_F(ManagementTest, WhoHasNoSuchApiIsAskedOnce) {
  fake_.change([](RegistryBehaviour& how) {
    how.acr = false;
    how.auth = RegistryBehaviour::Auth::basic;  // tokens would be asked for as ACR gives them
  });
  EXPECT_THAT(management().list_tags("a", "", context_), HasCode(Errc::unsupported));
  EXPECT_EQ(source_->management(), nullptr);
  EXPECT_FALSE(source_->capabilities().properties);
}

TEST_F(ManagementTest, OtherRegistriesHaveNoneAndTheErrorSaysWhatToDo) {
  open("");
  EXPECT_EQ(source_->management(), nullptr);
  EXPECT_FALSE(source_->capabilities().tag_list_has_digests);
  const Error error = content::no_properties(*source_);
  EXPECT_EQ(error.code(), Errc::unsupported);
  EXPECT_THAT(error.message(), HasSubstr("capability \"properties\""));
  EXPECT_THAT(error.message(), HasSubstr("acr = true"));
}

// S265
TEST_F(ManagementTest, ItIsDetectedByTheChallengeThatItSendsAnyway) {
  open("");
  fake_.change([&](RegistryBehaviour& how) { how.realm = fake_.origin() + "/oauth2/token"; });
  fake_.server().clear_log();
  // Whatever came of the login: it was asked for one list and for nothing else but a token.
  (void)source_->list_tags("a", "", context_);
  for (const std::string& request : requests()) {
    EXPECT_TRUE(request.starts_with("GET /v2/a/tags/list") || request.find("/oauth2/") != 0)
        << request;
  }
  EXPECT_NE(source_->management(), nullptr);
  EXPECT_TRUE(source_->capabilities().properties);
}

TEST_F(ManagementTest, ConfigurationSwitchesItOff) {
  open("acr = false");
  fake_.change([&](RegistryBehaviour& how) { how.realm = fake_.origin() + "/oauth2/token"; });
  (void)source_->list_tags("a", "", context_);
  EXPECT_EQ(source_->management(), nullptr);
}

TEST(AcrWatchTest, OnlyTheWholeSignCounts) {
  const auto answer = [](int status, const char* realm, bool correlated) {
    http::Response response;
    response.status = status;
    response.url = http::Url::parse("https://r.example/v2/").value();
    response.headers.add("WWW-Authenticate",
                         std::string("Bearer realm=\"") + realm + "\",service=\"r.example\"");
    if (correlated) response.headers.add("x-ms-correlation-request-id", "1");
    response.body = http::make_string_body("");
    return content::is_acr_challenge(response);
  };
  EXPECT_TRUE(answer(401, "https://r.example/oauth2/token", true));
  EXPECT_FALSE(answer(403, "https://r.example/oauth2/token", true));
  EXPECT_FALSE(answer(401, "https://r.example/oauth2/token", false));
  EXPECT_FALSE(answer(401, "https://auth.example/oauth2/token", true));
  EXPECT_FALSE(answer(401, "https://r.example/token", true));
  EXPECT_FALSE(answer(401, "rubbish", true));
}

TEST(AzureNamesTest, OfEveryCloud) {
  for (const char* name : {"r.azurecr.io", "r.azurecr.cn", "r.azurecr.us", "r.azurecr.de"}) {
    EXPECT_TRUE(registry::quirks::is_azure(name)) << name;
  }
  for (const char* name : {"azurecr.io", "r.azurecr.io.example", "r.weu.data.azurecr.io",
                           "mcr.microsoft.com", "localhost:5000"}) {
    EXPECT_FALSE(registry::quirks::is_azure(name)) << name;
  }
}

}  // namespace
}  // namespace berth::test
