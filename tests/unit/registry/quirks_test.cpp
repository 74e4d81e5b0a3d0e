// SPDX-License-Identifier: Apache-2.0
#include "berth/registry/quirks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::registry::quirks {
namespace {

TEST(QuirksTest, DockerHubAnswersAtOneHost) {
  for (const char* name :
       {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}) {
    EXPECT_EQ(api_host(name), "registry-1.docker.io");
    ASSERT_NE(find_host(name), nullptr);
    EXPECT_FALSE(find_host(name)->has_catalogue);
  }
  EXPECT_EQ(api_host("r.example:5000"), "r.example:5000");
  EXPECT_EQ(api_host("docker.io.evil.example"), "docker.io.evil.example");
  EXPECT_EQ(find_host("r.example"), nullptr);
}

TEST(QuirksTest, ReadsAnswersByStatusAndCode) {
  EXPECT_TRUE(means(Meaning::no_referrers_api, 404, ""));
  EXPECT_FALSE(means(Meaning::no_referrers_api, 404, "NAME_UNKNOWN"));
  EXPECT_FALSE(means(Meaning::referrers_unanswered, 404, "NAME_UNKNOWN"));
  EXPECT_TRUE(means(Meaning::head_not_offered, 405, "UNSUPPORTED"));
  EXPECT_FALSE(means(Meaning::head_not_offered, 404, ""));
  EXPECT_TRUE(means(Meaning::no_catalogue, 401, "UNSUPPORTED"));
  EXPECT_FALSE(means(Meaning::no_catalogue, 401, "UNAUTHORIZED"));
}

TEST(QuirksTest, EveryRowHasItsReason) {
  for (const Host& row : hosts()) EXPECT_FALSE(row.reason.empty()) << row.name;
  for (const Answer& row : answers()) EXPECT_FALSE(row.reason.empty()) << row.status;
}

}  // namespace
}  // namespace berth::registry::quirks
