// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "berth/acr/purge.hpp"

#include "unit/acr/acr_fixture.hpp"

namespace berth::test {

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
