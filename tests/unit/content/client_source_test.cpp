// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include "berth/content/copy.hpp"

#include "support/fake_registry.hpp"
#include "unit/content/store_fixture.hpp"

namespace berth::test {
namespace {

constexpr const char* kName = "library/hello";

/// Sources made of the library's clients, over the real transport.
class ClientSourceTest : public StoreFixture {
 protected:
  void SetUp() override { open(); }

  // The client goes when this returns; the source goes on.
  static std::shared_ptr<content::Source> source_of(const FakeRegistry& registry) {
    return content::make_registry_source(
        acr::ContainerRegistryClient::create(registry.origin()).value());
  }
  Result<Digest> copy(const std::shared_ptr<content::Source>& target, const std::string& name) {
    const auto source = source_of(from_);
    const auto head = source->head_manifest(kName, "v1", soon());
    if (!head) return head.error();
    return content::copy_to_registry(*store_, source, kName, head->digest, target, name, "v1", {},
                                     soon());
  }

  FakeRegistry from_{{.acr = true}};
  FakeImage image_ = from_.add_image(kName, "v1", {"one", "two"});
};

// S422
TEST_F(ClientSourceTest, CopiesAnImageFromOneRegistryToAnother) {
  FakeRegistry to{{.acr = true}};
  const auto target = source_of(to);
  const auto copied = copy(target, "copies/hello");
  ASSERT_THAT(copied, IsOk());
  EXPECT_EQ(copied->text(), image_.digest);
  EXPECT_EQ(target->head_manifest("copies/hello", "v1", soon())->digest, *copied);
  for (const std::string& layer : image_.layer_digests) {
    EXPECT_THAT(target->head_blob("copies/hello", Digest::parse(layer).value(), soon()), IsOk());
  }
}

// S422
TEST_F(ClientSourceTest, WithinARegistryBlobsAreMountedAndNotRead) {
  ASSERT_THAT(copy(source_of(from_), "copies/hello"), IsOk());
  EXPECT_EQ(from_.server().count("GET", "/v2/*/blobs/*"), 0);
  EXPECT_GT(from_.server().count("POST", "*mount=*"), 0);
}

// S422
TEST_F(ClientSourceTest, IsAnAzureRegistryUntilItSaysOtherwise) {
  const auto azure = source_of(from_);
  ASSERT_NE(azure->management(), nullptr);
  EXPECT_THAT(azure->management()->tag(kName, "v1", soon()), IsOk());
  FakeRegistry plain;
  plain.add_image(kName, "v1", {});
  const auto other = source_of(plain);
  ASSERT_NE(other->management(), nullptr);
  EXPECT_THAT(other->management()->tag(kName, "v1", soon()), HasCode(Errc::unsupported));
  EXPECT_EQ(other->management(), nullptr);
}

}  // namespace
}  // namespace berth::test
