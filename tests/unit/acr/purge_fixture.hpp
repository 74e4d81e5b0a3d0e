// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "berth/acr/purge.hpp"

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {

using acr::PurgeOptions;
using acr::PurgeSkipped;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// app holds tags a1 (the oldest) to a4, one image each; the fake clock stands at 2026.
class PurgeTest : public AcrTest {
 protected:
  PurgeTest() {
    for (int i = 1; i <= 4; ++i) {
      const std::string tag = "a" + std::to_string(i);
      images_.push_back(fake_.add_image("app", tag, {tag}));
      age(tag, 50 - i * 10);
      age(images_.back().digest, 50 - i * 10);
    }
    fake_.server().clear_log();
  }
  /// It was last updated so many days ago.
  void age(const std::string& reference, int days) {
    const auto at = acr::Timestamp::from(clock_.now()).since_1970() -
                    acr::Timestamp::Ticks(std::chrono::hours(24)) * days;
    fake_.set_times("app", reference, at.count(), at.count());
  }
  /// A tagged index of the oldest image, which has no tag of its own any more.
  std::string add_index_that(const acr::ChangeableProperties& properties) {
    std::string index = fake_.add_index("app", "index", {images_[0].digest});
    fake_.untag("app", "a1");
    const auto changed =
        client().artifact("app", index)->update_manifest_properties(properties, context_);
    EXPECT_THAT(changed, IsOk());
    return index;
  }
  /// What others do after the repository was counted and before its manifests are listed.
  void before_the_manifests(std::function<void()> others, bool each_time = false) {
    fake_.fault({.target = "/acr/v1/app/_manifests*", .times = each_time ? 0 : 1},
                [others = std::move(others)](HttpRequest request, const auto& usual) {
                  others();
                  return usual(std::move(request));
                });
  }
  Result<acr::Purge> purge(acr::PurgeOptions options) {
    return acr::Purge::create(client(), std::move(options));
  }
  Result<acr::PurgePlan> plan(acr::PurgeOptions options) {
    auto made = purge(std::move(options));
    if (!made) return std::move(made).error();
    return made->plan(context_);
  }
  acr::PurgeResult run(const acr::PurgeOptions& options) {
    const auto made = purge(options);
    return made->execute(made->plan(context_).value(), context_);
  }
  static std::vector<std::string> tags(const Result<acr::PurgePlan>& plan) {
    std::vector<std::string> out;
    for (const auto& tag : plan.value().tags) out.push_back(tag.name);
    return out;
  }
  static std::vector<std::string> manifests(const Result<acr::PurgePlan>& plan) {
    std::vector<std::string> out;
    for (const auto& manifest : plan.value().manifests) out.push_back(manifest.digest.text());
    return out;
  }
  acr::PurgeOptions old(const char* filter = "app:.*") {
    acr::PurgeOptions options;
    options.filters = {filter};
    options.ago = std::chrono::hours(1);
    return options;
  }
  acr::PurgeOptions untagged() {
    acr::PurgeOptions options;
    options.ago = std::chrono::hours(1);
    options.untagged = acr::PurgeOptions::Untagged::only;
    options.filters = {"app:.*"};
    return options;
  }
  std::vector<FakeImage> images_;
};

}  // namespace berth::test
