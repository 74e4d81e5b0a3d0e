// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/platform.hpp"

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth::oci {
namespace {

using test::HasCode;
using test::IsOk;

Platform platform(std::string_view text) {
  Result<Platform> parsed = Platform::parse(text);
  EXPECT_THAT(parsed, IsOk()) << text;
  return *std::move(parsed);
}

/// What is chosen for `wanted` among `candidates`; -1 for none.
int best(std::string_view wanted, const std::vector<Platform>& candidates) {
  int at = -1;
  int most = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const int quality = match_quality(platform(wanted), candidates[i]);
    if (quality > most) at = static_cast<int>(i);
    most = std::max(most, quality);
  }
  return at;
}

TEST(PlatformTest, ParsesAndWrites) {
  const Platform p = platform("linux/arm64/v8");
  EXPECT_EQ(p.os, "linux");
  EXPECT_EQ(p.architecture, "arm64");
  EXPECT_EQ(p.variant, "v8");
  for (const char* text : {"linux/amd64", "linux/arm/v7", "windows/amd64:10.0.17763.1234"}) {
    EXPECT_EQ(platform(text).text(), text);
  }
}

TEST(PlatformTest, UnderstandsTheNamesThatPeopleUse) {
  EXPECT_EQ(platform("Linux/x86_64").text(), "linux/amd64");
  EXPECT_EQ(platform("linux/aarch64").text(), "linux/arm64/v8");
  EXPECT_EQ(platform("linux/armhf").text(), "linux/arm/v7");
  EXPECT_EQ(platform("linux/i686").text(), "linux/386");
}

TEST(PlatformTest, RefusesWhatIsNone) {
  for (const char* text : {"", "linux", "linux/", "/amd64", "linux/amd64/", "linux/arm/v7/x",
                           "linux/am d64", "linux/amd64:", "linux/..\n"}) {
    EXPECT_THAT(Platform::parse(text), HasCode(Errc::invalid_argument)) << text;
  }
}

TEST(PlatformTest, MakesAFileName) {
  EXPECT_EQ(platform("linux/arm64/v8").file_name(), "linux-arm64-v8");
  EXPECT_EQ(platform("windows/amd64:10.0.17763.1234").file_name(), "windows-amd64-10.0.17763.1234");
}

TEST(PlatformTest, AFileNameIsSafeWhateverAnIndexSays) {
  EXPECT_EQ((Platform{"../etc", "a/b", "\n", "\xff"}.file_name()), "_._etc-a_b-_-_");
  EXPECT_EQ((Platform{"", "", "", ""}.file_name()), "unknown-unknown");
  EXPECT_LE((Platform{std::string(1000, 'x'), "y", "", ""}.file_name().size()), 255U);
}

TEST(PlatformTest, TheHostRunsLinuxOnAnArchitectureOfGosNames) {
  const Platform host = host_platform();
  EXPECT_EQ(host.os, "linux");
#if defined(__x86_64__)
  EXPECT_EQ(host.architecture, "amd64");
#elif defined(__aarch64__)
  EXPECT_EQ(host.architecture, "arm64");
  EXPECT_EQ(host.variant, "v8");
#endif
  EXPECT_GT(match_quality(host, host), 0);
}

TEST(MatchTest, NeedsTheSameSystemAndArchitecture) {
  EXPECT_GT(match_quality(platform("linux/amd64"), platform("linux/amd64")), 0);
  EXPECT_EQ(match_quality(platform("linux/amd64"), platform("windows/amd64")), 0);
  EXPECT_EQ(match_quality(platform("linux/amd64"), platform("linux/arm64")), 0);
  EXPECT_EQ(match_quality(platform("linux/arm64"), platform("linux/arm/v7")), 0);
  EXPECT_EQ(match_quality(platform("linux/amd64"), {"unknown", "unknown", "", ""}), 0);
}

TEST(MatchTest, AnAbsentVariantIsTheDefault) {
  const Platform arm64{"linux", "arm64", "", ""};
  EXPECT_GT(match_quality(platform("linux/arm64/v8"), arm64), 0);
  EXPECT_GT(match_quality(arm64, platform("linux/arm64/v8")), 0);
  EXPECT_GT(match_quality(platform("linux/arm/v7"), {"linux", "arm", "", ""}), 0);
  EXPECT_EQ(match_quality(platform("linux/arm/v6"), {"linux", "arm", "", ""}), 0)
      << "it is built for v7";
}

TEST(MatchTest, TheNewestThatStillRunsIsBest) {
  const std::vector<Platform> arms = {platform("linux/arm/v5"), platform("linux/arm/v7"),
                                      platform("linux/arm/v6")};
  EXPECT_EQ(best("linux/arm/v7", arms), 1);
  EXPECT_EQ(best("linux/arm/v6", arms), 2);
  EXPECT_EQ(best("linux/arm/v8", arms), 1);
  EXPECT_EQ(best("linux/arm/v4", arms), -1) << "nothing newer is ever offered";
  const std::vector<Platform> amds = {platform("linux/amd64/v3"), platform("linux/amd64"),
                                      platform("linux/amd64/v2")};
  EXPECT_EQ(best("linux/amd64", amds), 1);
  EXPECT_EQ(best("linux/amd64/v4", amds), 0);
  EXPECT_EQ(best("linux/amd64/v2", amds), 2);
}

TEST(MatchTest, AnUnknownVariantServesOnlyItself) {
  EXPECT_GT(match_quality(platform("linux/ppc64le/power9"), platform("linux/ppc64le/power9")), 0);
  EXPECT_GT(match_quality(platform("linux/ppc64le/power9"), platform("linux/ppc64le")), 0);
  EXPECT_EQ(match_quality(platform("linux/ppc64le"), platform("linux/ppc64le/power9")), 0);
  EXPECT_EQ(match_quality(platform("linux/arm/v7"), {"linux", "arm", "hard-float", ""}), 0);
}

TEST(MatchTest, AWindowsVersionIsMatchedByItsParts) {
  const std::vector<Platform> windows = {platform("windows/amd64:10.0.20348.1"),
                                         platform("windows/amd64:10.0.17763.1234")};
  EXPECT_EQ(best("windows/amd64:10.0.17763", windows), 1);
  EXPECT_EQ(best("windows/amd64:10.0.1776", windows), -1);
  EXPECT_EQ(best("windows/amd64", windows), 0);
}

}  // namespace
}  // namespace berth::oci
