// SPDX-License-Identifier: Apache-2.0
#include "berth/base/log.hpp"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace berth::log {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LogTest : public testing::Test {
 protected:
  void collect(Level level) {
    set_sink([this](Level, std::string_view line) { lines_.emplace_back(line); }, level);
  }
  void TearDown() override { set_sink(nullptr, Level::error); }

  std::vector<std::string> lines_;
};

TEST_F(LogTest, DropsEveryLineWithoutASink) {
  EXPECT_FALSE(enabled(Level::error));
  error("nobody listens");
}

TEST_F(LogTest, GivesTheLevelsThatAreWanted) {
  collect(Level::warning);
  EXPECT_TRUE(enabled(Level::error));
  EXPECT_FALSE(enabled(Level::info));
  error("e");
  warning("w");
  info("i");
  debug("d");
  EXPECT_THAT(lines_, ElementsAre("e", "w"));
}

TEST_F(LogTest, StopsWhenTheSinkIsTakenAway) {
  collect(Level::trace);
  set_sink(nullptr, Level::trace);
  error("e");
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(LogTest, CallsTheSinkOneLineAtATime) {
  collect(Level::info);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([] {
        for (int line = 0; line < 200; ++line) info("x");
      });
    }
  }
  EXPECT_EQ(lines_.size(), 800U);
}

TEST_F(LogTest, ASinkThatLogsDoesNotDeadlock) {
  set_sink(
      [this](Level, std::string_view line) {
        lines_.emplace_back(line);
        error("from the sink");
      },
      Level::info);
  error("first");
  error("second");
  EXPECT_THAT(lines_, ElementsAre("first", "second"));
}

TEST_F(LogTest, ASinkThatThrowsCostsOnlyItsLine) {
  set_sink([](Level, std::string_view) { throw std::runtime_error("disk full"); }, Level::info);
  error("lost");
  collect(Level::info);
  error("kept");
  EXPECT_THAT(lines_, ElementsAre("kept"));
}

}  // namespace
}  // namespace berth::log
