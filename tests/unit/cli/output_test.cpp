// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "doctor.hpp"
#include "exit_status.hpp"
#include "listing.hpp"
#include "progress.hpp"
#include "support/temp_dir.hpp"

namespace berth::cli {
namespace {

using ::testing::HasSubstr;

TEST(ProgressTest, ShowsShareSpeedAndTimeLeft) {
  const std::string line = progress_line("r.io/a:v1", 512ULL << 20, 1ULL << 30, 256ULL << 20, 80);
  EXPECT_THAT(line, HasSubstr("r.io/a:v1"));
  EXPECT_THAT(line, HasSubstr(" 50%"));
  EXPECT_THAT(line, HasSubstr("256.0 MiB/s"));
  EXPECT_THAT(line, HasSubstr("0:02"));
  EXPECT_LE(line.size(), 80U);
}

TEST(ProgressTest, FitsNarrowTerminalsAndUnknownTotals) {
  EXPECT_LE(progress_line(std::string(200, 'x'), 1, 2, 1, 60).size(), 60U);
  EXPECT_THAT(progress_line("x", 1 << 20, 0, 1, 80), HasSubstr("1.0 MiB"));
  EXPECT_LE(progress_line("x", 1, 2, 1, 20).size(), 20U);
  EXPECT_LE(progress_line(std::string(200, 'x'), 1, 0, 1, 20).size(), 20U);
}

// S406
TEST(ProgressTest, TheSpeedIsThatOfTheLastSeconds) {
  constexpr std::uint64_t kMebi = 1 << 20;
  RecentRate rate;
  for (unsigned second = 1; second <= 20; ++second) {
    EXPECT_EQ(rate.update(second, second * 100 * kMebi), 100 * kMebi) << second;
  }
  // The line becomes slow.
  for (unsigned second = 1; second <= 5; ++second)
    rate.update(20 + second, (2000 + second) * kMebi);
  EXPECT_EQ(rate.update(26, 2006 * kMebi), kMebi);
  // It stands.
  for (unsigned second = 1; second <= 5; ++second) rate.update(26 + second, 2006 * kMebi);
  EXPECT_EQ(rate.update(32, 2006 * kMebi), 0U);
}

TEST(ExitStatusTest, FollowsTheTable) {
  EXPECT_EQ(exit_status_of(Error{Errc::invalid_argument, ""}), 2);
  EXPECT_EQ(exit_status_of(Error{Errc::not_found, ""}), 3);
  EXPECT_EQ(exit_status_of(Error{Errc::unauthenticated, ""}), 4);
  EXPECT_EQ(exit_status_of(Error{Errc::denied, ""}), 4);
  EXPECT_EQ(exit_status_of(Error{Errc::unavailable, ""}), 1);
  EXPECT_EQ(exit_status_of(Error{Errc::cancelled, ""}), 130);
}

TEST(ExitStatusTest, S214_AnErrorForProgramsIsOneObjectOnOneLine) {
  const std::string plain = error_json(Error{Errc::not_found, "no \"tag\"\nv1"});
  EXPECT_EQ(plain, R"({"error":{"message":"no \"tag\" v1","code":"not_found","exit_status":3}})");
  const std::string http = error_json(Error(Errc::denied, "refused")
                                          .with_http({.status = 403,
                                                      .registry_code = "DENIED",
                                                      .registry_message = "go \x1b[0m away",
                                                      .correlation_id = "c-1"}));
  EXPECT_THAT(http, HasSubstr(R"("exit_status":4,"http_status":403,"registry_code":"DENIED")"));
  EXPECT_THAT(http, HasSubstr(R"("correlation_id":"c-1")"));
  EXPECT_THAT(http, HasSubstr("\\u001b")) << "escaped, as JSON does";
}

// S207
TEST(ExitStatusTest, EscapesWhatARegistrySaid) {
  const std::string sentence = error_sentence(Error{Errc::denied, "registry said \033[2Jgone"});
  EXPECT_EQ(sentence.find('\033'), std::string::npos);
  EXPECT_THAT(sentence, HasSubstr("berth: registry said"));
}

TEST(ListingTest, ShowsTimesInUtcAndADashForNone) {
  EXPECT_EQ(shown_time(0), "-");
  EXPECT_EQ(shown_time(1714557600), "2024-05-01 10:00Z");
}

TEST(DoctorTest, NamesTheRemedyForAMissingDeviceAndTool) {
  test::TempDir dir;
  const Environment environment = [](const std::string& name) {
    return name == "PATH" ? std::optional<std::string>("/nonexistent") : std::nullopt;
  };
  const auto findings = check_fuse(environment, dir / "fuse", dir / "fuse.conf");
  ASSERT_GE(findings.size(), 2U);
  EXPECT_EQ(findings[0].verdict, Verdict::bad);
  EXPECT_THAT(findings[0].sentence, HasSubstr("modprobe fuse"));
  EXPECT_NE(findings[1].verdict, Verdict::good);
  EXPECT_THAT(findings[1].sentence, HasSubstr("install the package fuse3"));
}

TEST(DoctorTest, SpeaksOfUpdatedbOnlyWhereItScansMounts) {
  test::TempDir dir;
  EXPECT_TRUE(check_updatedb(dir / "absent").empty());
  EXPECT_TRUE(check_updatedb(dir.write("pruned", "PRUNEFS=\"NFS fuse.berth\"\n")).empty());
  const auto findings = check_updatedb(dir.write("plain", "PRUNEFS=\"NFS\"\n"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].sentence, HasSubstr("PRUNEFS"));
}

}  // namespace
}  // namespace berth::cli
