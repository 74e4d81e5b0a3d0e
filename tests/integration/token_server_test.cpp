// SPDX-License-Identifier: Apache-2.0
// A real registry and a token server that does only some of what others do.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/matchers.hpp"
#include "support/real_registry.hpp"
#include "support/registry_rig.hpp"

namespace berth::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kType = "application/vnd.oci.image.manifest.v1+json";

class TokenServerTest : public ::testing::Test {
 protected:
  static void push(const RealRegistry& registry, const std::string& repository) {
    const TestClient pusher = registry.client({repository});
    const std::string config = pusher.push_blob(repository, "{}");
    pusher.push_manifest(repository, "v1",
                         R"({"schemaVersion":2,"mediaType":")" + std::string(kType) +
                             R"(","config":{"mediaType":"x/y","digest":")" + config +
                             R"(","size":2},"layers":[]})",
                         kType);
  }
  static Result<std::vector<std::string>> tags(const RealRegistry& registry,
                                               const std::string& repository,
                                               std::optional<credential::Credential> who) {
    RegistryRigOptions options;
    options.credential = std::move(who);
    RegistryRig rig({registry.origin()}, std::move(options));
    auto page = rig->list_tags(repository, "", Context().with_timeout(std::chrono::seconds(30)));
    if (!page) return page.error();
    return page->names;
  }
};

TEST_F(TokenServerTest, AnonymousPullsWhatIsPublicAndNothingElse) {
  const RealRegistry registry(RealRegistry::Kind::token, {"--anonymous"});
  push(registry, "public/a");
  push(registry, "private/a");
  EXPECT_THAT(tags(registry, "public/a", std::nullopt), IsOkAndHolds(ElementsAre("v1")));
  EXPECT_THAT(registry.token_log(), HasSubstr("GET anonymous"));
  EXPECT_THAT(tags(registry, "private/a", std::nullopt), HasCode(Errc::unauthenticated));
  EXPECT_THAT(tags(registry, "private/a", alice()), IsOkAndHolds(ElementsAre("v1")));
}

TEST_F(TokenServerTest, AnIdentityTokenIsPostedAndAPasswordServesWhereThereIsNoPost) {
  credential::Credential both = alice();
  both.identity_token = Secret("REFRESH-alice");
  const RealRegistry posts(RealRegistry::Kind::token);
  push(posts, "a");
  EXPECT_THAT(tags(posts, "a", both), IsOkAndHolds(ElementsAre("v1")));
  EXPECT_THAT(posts.token_log(), HasSubstr("POST refresh_token:alice"));
  const RealRegistry gets(RealRegistry::Kind::token, {"--no-post"});
  push(gets, "a");
  EXPECT_THAT(tags(gets, "a", both), IsOkAndHolds(ElementsAre("v1")));
  EXPECT_THAT(gets.token_log(), HasSubstr("POST post"));
  EXPECT_THAT(gets.token_log(), HasSubstr("GET basic:alice"));
}

}  // namespace
}  // namespace berth::test
