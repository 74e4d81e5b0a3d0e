// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "unit/http/scripted_transport.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::FakeClock;
using test::HasCode;
using test::IsOkAndHolds;
using testing::ElementsAre;

const std::string kBlob = "0123456789abcdefghij";

Response partial(std::uint64_t first, std::uint64_t last, std::vector<Result<std::string>> pieces,
                 const std::string& total = "20") {
  Response response = make_response(206, {});
  response.headers.remove("Content-Length");
  response.headers.add("Content-Range",
                       "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + total);
  auto body = std::make_unique<ScriptedBody>();
  for (auto& piece : pieces) body->pieces.push_back(std::move(piece));
  response.body = std::move(body);
  return response;
}

Response whole(std::vector<Result<std::string>> pieces, bool with_length = true) {
  Response response = partial(0, 0, std::move(pieces));
  response.status = 200;
  response.headers.remove("Content-Range");
  if (with_length) response.headers.set("Content-Length", "20");
  return response;
}

class ResumingBodyTest : public testing::Test {
 protected:
  using Answer = std::function<Result<Response>()>;

  // Reads bytes [offset, offset + length) with these answers to the requests after the first.
  Result<std::string> read(Response first, std::uint64_t offset, std::uint64_t length,
                           std::vector<Answer> answers = {}) {
    auto body = make_resuming_body(
        std::move(first), offset, length,
        [&, at = std::size_t{0}](const std::string& range, const Context&) mutable {
          ranges_.push_back(range);
          return at < answers.size() ? answers[at++]() : Result<Response>(broken());
        },
        RetryPolicy{.attempts = 4, .first_delay = 1h, .max_delay = 1h}, clock_);
    return read_all(*body, 1000, Context());
  }

  FakeClock clock_;
  std::vector<std::string> ranges_;
};

TEST_F(ResumingBodyTest, GivesAnUnbrokenBodyAsItIs) {
  EXPECT_THAT(read(whole({kBlob}), 0, 20), IsOkAndHolds(kBlob));
  EXPECT_THAT(read(partial(5, 9, {kBlob.substr(5, 5)}), 5, 5), IsOkAndHolds("56789"));
  EXPECT_TRUE(ranges_.empty());
}

TEST_F(ResumingBodyTest, GoesOnWhereItBroke) {
  EXPECT_THAT(read(whole({"0123", broken()}), 0, 20,
                   {[] { return partial(4, 19, {"4567", broken()}); },
                    [] { return partial(8, 19, {kBlob.substr(8)}); }}),
              IsOkAndHolds(kBlob));
  EXPECT_THAT(ranges_, ElementsAre("bytes=4-19", "bytes=8-19"));
  EXPECT_EQ(clock_.sleeps().size(), 1U);  // the first break costs nothing, the next a pause
}

TEST_F(ResumingBodyTest, ABodyThatJustEndsIsBroken) {
  EXPECT_THAT(read(partial(5, 14, {"567"}), 5, 10, {[] { return partial(8, 14, {"89abcde"}); }}),
              IsOkAndHolds("56789abcde"));
  EXPECT_THAT(ranges_, ElementsAre("bytes=8-14"));
}

TEST_F(ResumingBodyTest, TakesLessThanItAskedForAndAsksAgain) {
  EXPECT_THAT(read(partial(0, 3, {"0123"}), 0, 8, {[] { return partial(4, 7, {"4567"}, "*"); }}),
              IsOkAndHolds("01234567"));
}

TEST_F(ResumingBodyTest, ABreakAfterTheLastByteIsNone) {
  EXPECT_THAT(read(whole({kBlob, broken()}, false), 0, 20), IsOkAndHolds(kBlob));
  EXPECT_TRUE(ranges_.empty());
}

TEST_F(ResumingBodyTest, GivesUpWithoutProgress) {
  EXPECT_THAT(
      read(whole({"01", broken()}), 0, 20,
           {[] { return Result<Response>(broken()); }, [] { return partial(2, 19, {broken()}); },
            [] { return Result<Response>(make_response(503, {})); }}),
      HasCode(Errc::unavailable));
  EXPECT_THAT(ranges_, ElementsAre("bytes=2-19", "bytes=2-19", "bytes=2-19"));
  EXPECT_EQ(clock_.sleeps().size(), 2U);
}

TEST_F(ResumingBodyTest, GivesUpOnAServerThatBreaksAfterEachByte) {
  const auto one_more = [](std::uint64_t at) {
    return [at] { return partial(at, 19, {kBlob.substr(at, 1), broken()}); };
  };
  EXPECT_THAT(
      read(whole({"0", broken()}), 0, 20, {one_more(1), one_more(2), one_more(3), one_more(4)}),
      HasCode(Errc::unavailable));
  EXPECT_EQ(ranges_.size(), 3U);
}

TEST_F(ResumingBodyTest, BreaksFarApartAreEachTheFirst) {
  const std::string piece(limits::kProgressBytes, 'x');
  const std::uint64_t size = 8 * piece.size();
  std::uint64_t at = piece.size();
  Response first = whole({piece, broken()});
  first.headers.set("Content-Length", std::to_string(size));
  auto body = make_resuming_body(
      std::move(first), 0, size,
      [&](const std::string&, const Context&) -> Result<Response> {
        const std::uint64_t from = std::exchange(at, at + piece.size());
        return partial(from, size - 1, {piece, broken()}, "*");
      },
      RetryPolicy{.attempts = 3, .first_delay = 100ms}, clock_);
  const auto all = read_all(*body, size, Context());
  ASSERT_THAT(all, test::IsOk());
  EXPECT_EQ(all->size(), size);
  EXPECT_TRUE(clock_.sleeps().empty());
}

TEST_F(ResumingBodyTest, AnErrorIsGivenAgainAndIsNoEnd) {
  auto body = make_resuming_body(
      whole({"01", broken()}), 0, 20,
      [](const std::string&, const Context&) -> Result<Response> { return make_response(404, {}); },
      RetryPolicy{.attempts = 4, .first_delay = 1h, .max_delay = 1h}, clock_);
  EXPECT_THAT(body->next(Context()), test::IsOk());
  for (int i = 0; i < 3; ++i) EXPECT_THAT(body->next(Context()), HasCode(Errc::not_found));
  auto too_long = make_resuming_body(partial(5, 9, {"56789a"}), 5, 5, {}, RetryPolicy{}, clock_);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(too_long->next(Context()), HasCode(Errc::corrupt));
}

TEST_F(ResumingBodyTest, WhoRanOutOfTimeMayComeAgain) {
  std::stop_source stop;
  auto body = make_resuming_body(
      whole({"01", broken()}), 0, 20,
      [&](const std::string&, const Context& context) -> Result<Response> {
        stop.request_stop();
        if (auto ok = context.check(); !ok) return std::move(ok).error();
        return partial(2, 19, {kBlob.substr(2)});
      },
      RetryPolicy{.attempts = 4, .first_delay = 1h, .max_delay = 1h}, clock_);
  EXPECT_THAT(body->next(Context()), test::IsOk());
  EXPECT_THAT(body->next(Context().with_stop(stop.get_token())), HasCode(Errc::cancelled));
  EXPECT_THAT(read_all(*body, 100, Context()), IsOkAndHolds(kBlob.substr(2)));
}

TEST_F(ResumingBodyTest, ErrorsThatNoRepetitionCuresEndIt) {
  EXPECT_THAT(read(whole({"01", Error(Errc::cancelled, "stop")}), 0, 20), HasCode(Errc::cancelled));
  EXPECT_TRUE(ranges_.empty());
  EXPECT_THAT(read(whole({"01", broken()}), 0, 20,
                   {[] { return Result<Response>(make_response(404, {})); }}),
              HasCode(Errc::not_found));
  EXPECT_THAT(read(whole({"01", broken()}), 0, 20,
                   {[] { return Result<Response>(Error(Errc::untrusted, "tls")); }}),
              HasCode(Errc::untrusted));
}

TEST_F(ResumingBodyTest, SkipsWhatItHadWhenTheServerSendsAll) {
  EXPECT_THAT(read(partial(5, 14, {"567", broken()}), 5, 10,
                   {[] { return whole({"0123456", "789abc", "defghij"}); }}),
              IsOkAndHolds("56789abcde"));
}

TEST_F(ResumingBodyTest, AWholeBodyInPlaceOfTheFirstRangeIsCutOut) {
  EXPECT_THAT(read(whole({kBlob}), 5, 10), IsOkAndHolds("56789abcde"));
  EXPECT_THAT(read(whole({kBlob}), 0, 3), IsOkAndHolds("012"));
}

TEST_F(ResumingBodyTest, DoesNotSkipWithoutEnd) {
  const std::uint64_t far = limits::kSkipBytes + 1;
  Response all = whole({kBlob});
  all.headers.set("Content-Length", std::to_string(far + 20));
  EXPECT_THAT(read(std::move(all), far, 10), HasCode(Errc::unsupported));
}

TEST_F(ResumingBodyTest, AnotherRangeThanAskedIsCorrupt) {
  for (const auto& [first, last] : {std::pair{5, 19}, {3, 19}, {4, 20}}) {
    EXPECT_THAT(read(whole({"0123", broken()}), 0, 20, {[&] {
                       return partial(static_cast<std::uint64_t>(first),
                                      static_cast<std::uint64_t>(last), {"x"}, "*");
                     }}),
                HasCode(Errc::corrupt));
  }
  Response bare = partial(0, 19, {kBlob});
  bare.headers.remove("Content-Range");
  EXPECT_THAT(read(std::move(bare), 0, 20), HasCode(Errc::corrupt));
}

TEST_F(ResumingBodyTest, ABlobThatChangedItsSizeIsCorrupt) {
  EXPECT_THAT(read(partial(0, 9, {"0123", broken()}), 0, 10,
                   {[] { return partial(4, 9, {"456789"}, "21"); }}),
              HasCode(Errc::corrupt));
  Response small = whole({kBlob});
  EXPECT_THAT(read(std::move(small), 0, 30), HasCode(Errc::corrupt));
}

TEST_F(ResumingBodyTest, MoreThanPromisedIsCorrupt) {
  EXPECT_THAT(read(partial(5, 9, {"56789", "a"}), 5, 5), HasCode(Errc::corrupt));
  EXPECT_THAT(read(partial(5, 9, {"56789a"}), 5, 5), HasCode(Errc::corrupt));
  EXPECT_THAT(read(whole({kBlob + "k"}, false), 0, 20), HasCode(Errc::corrupt));
}

TEST_F(ResumingBodyTest, AnEmptyBlobIsEmpty) {
  Response empty = whole({}, false);
  EXPECT_THAT(read(std::move(empty), 0, 0), IsOkAndHolds(""));
}

}  // namespace
}  // namespace berth::http
