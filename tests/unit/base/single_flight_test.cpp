// SPDX-License-Identifier: Apache-2.0
#include "berth/base/single_flight.hpp"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "support/matchers.hpp"

namespace berth {
namespace {

using test::HasCode;
using test::IsOkAndHolds;

TEST(SingleFlightTest, DoesNotLeadForWhoMustNotWait) {
  SingleFlight<int> flight;
  bool worked = false;
  EXPECT_THAT(flight.run("k", Context().nonblocking(),
                         [&]() -> Result<int> {
                           worked = true;
                           return 1;
                         }),
              HasCode(Errc::would_block));
  EXPECT_FALSE(worked);
}

TEST(SingleFlightTest, AFollowerWaitsNoLongerThanItsContextAllows) {
  SingleFlight<int> flight;
  std::atomic<bool> leading = false;
  std::stop_source done;
  std::thread leader([&] {
    EXPECT_THAT(flight.run("k", {},
                           [&]() -> Result<int> {
                             leading = true;
                             leading.notify_all();
                             while (!done.stop_requested()) std::this_thread::yield();
                             return 7;
                           }),
                IsOkAndHolds(7));
  });
  leading.wait(false);
  const auto never = []() -> Result<int> { return 0; };
  EXPECT_THAT(flight.run("k", Context().with_timeout(std::chrono::milliseconds(1)), never),
              HasCode(Errc::timeout));
  EXPECT_FALSE(flight.run_if_free("k", {}, never).has_value()) << "never waits";
  EXPECT_THAT(flight.run("other", {}, never), IsOkAndHolds(0));
  done.request_stop();
  leader.join();
}

TEST(SingleFlightTest, WorkThatThrowsEndsTheCall) {
  SingleFlight<int> flight;
  EXPECT_THROW((void)flight.run("k", {}, []() -> Result<int> { throw std::bad_alloc(); }),
               std::bad_alloc);
  EXPECT_THAT(flight.run("k", {}, []() -> Result<int> { return 2; }), IsOkAndHolds(2));
}

/// Leads `flight` on the key "k" until it is let go.
class SlowLeader {
 public:
  SlowLeader(SingleFlight<int>& flight, Context context, Result<int> answer)
      : thread_([&flight, context, answer = std::move(answer), this] {
          (void)flight.run_or_look("k", context, [&] {
            leading_ = true;
            leading_.notify_all();
            let_go_.wait(false);
            return answer;
          });
        }) {
    leading_.wait(false);
  }
  ~SlowLeader() { let_go(); }
  void let_go() {
    let_go_ = true;
    let_go_.notify_all();
  }

 private:
  std::atomic<bool> leading_ = false;
  std::atomic<bool> let_go_ = false;
  std::jthread thread_;
};

TEST(SingleFlightTest, ALeaderThatMustNotWaitSaysNothingToTheOthers) {
  SingleFlight<int> flight;
  SlowLeader leader(flight, Context().nonblocking(), Error(Errc::would_block, "not now"));
  std::jthread follower([&] {
    EXPECT_THAT(flight.run("k", {}, []() -> Result<int> { return 3; }), IsOkAndHolds(3));
  });
  EXPECT_THAT(flight.run_or_look("k", Context().nonblocking(), []() -> Result<int> { return 4; }),
              HasCode(Errc::would_block));
  leader.let_go();
}

TEST(SingleFlightTest, WhoMustNotWaitMayLookWhenNobodyIsAtIt) {
  SingleFlight<int> flight;
  EXPECT_THAT(flight.run_or_look("k", Context().nonblocking(), []() -> Result<int> { return 5; }),
              IsOkAndHolds(5));
}

}  // namespace
}  // namespace berth
