// SPDX-License-Identifier: Apache-2.0
// Bodies that are made while they go out.
#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "berth/base/try.hpp"
#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"

#include "support/fake_clock.hpp"
#include "support/matchers.hpp"
#include "unit/http/transport_fixture.hpp"

namespace berth::http {
namespace {

using namespace std::chrono_literals;
using test::BodyFault;
using test::Gate;
using test::HasCode;
using test::HttpReply;
using test::HttpRequest;
using test::HttpServer;
using test::IsOk;

/// A text, given in pieces, that counts how often it was begun and how much of it was taken.
class TextSource final : public BodySource {
 public:
  explicit TextSource(std::string text, bool says_size = true, std::size_t piece = 100'000)
      : text_(std::move(text)),
        says_size_(says_size),
        piece_(piece) {}

  std::optional<std::uint64_t> size() const override {
    return says_size_ ? std::optional<std::uint64_t>(text_.size()) : std::nullopt;
  }
  Result<void> rewind() override {
    ++begun;
    given = 0;
    return {};
  }
  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    if (before_next) before_next(given);
    const ByteView part = as_bytes(text_).subspan(given, std::min(piece_, text_.size() - given));
    given = given + part.size();
    return part;
  }

  int begun = 0;
  std::atomic<std::size_t> given = 0;
  std::function<void(std::size_t)> before_next;

 private:
  const std::string text_;
  const bool says_size_;
  const std::size_t piece_;
};

class CurlUploadTest : public testing::Test {
 protected:
  Request request(const std::shared_ptr<BodySource>& source, const char* method = "PATCH") {
    Request request = get(server_, "/upload");
    request.method = method;
    request.source = source;
    return request;
  }
  Result<Response> send(const std::shared_ptr<BodySource>& source, const char* method = "PATCH",
                        const Context& context = soon()) {
    return Client(*transport_).send(request(source, method), context);
  }
  static CurlOptions impatient() {
    CurlOptions options = plain_options();
    options.stall_timeout = 300ms;
    return options;
  }

  const std::string text_ = pattern(9'000'001);
  HttpServer server_{[](const HttpRequest&) { return HttpReply{.status = 202}; }};
  std::unique_ptr<Transport> transport_ = make_curl_transport(plain_options());
};

TEST_F(CurlUploadTest, OfAKnownSizeHasALength) {
  for (const char* method : {"PATCH", "PUT", "POST"}) {
    const auto source = std::make_shared<TextSource>(text_);
    const auto answer = send(source, method);
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(answer->status, 202);
    const HttpRequest got = server_.log().back();
    EXPECT_EQ(got.method, method);
    EXPECT_EQ(got.header("Content-Length"), std::to_string(text_.size()));
    EXPECT_FALSE(got.has_header("Transfer-Encoding"));
    EXPECT_FALSE(got.has_header("Expect"));
    EXPECT_TRUE(got.body == text_);
    EXPECT_EQ(source->begun, 1);
  }
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(CurlUploadTest, OfAnUnknownSizeIsChunked) {
  ASSERT_THAT(send(std::make_shared<TextSource>(text_, false)), IsOk());
  const HttpRequest got = server_.log().back();
  EXPECT_EQ(got.header("Transfer-Encoding"), "chunked");
  EXPECT_FALSE(got.has_header("Content-Length"));
  EXPECT_TRUE(got.body == text_);
}

TEST_F(CurlUploadTest, OfNothing) {
  for (const bool says_size : {true, false}) {
    const auto answer = send(std::make_shared<TextSource>("", says_size));
    ASSERT_THAT(answer, IsOk());
    EXPECT_EQ(answer->status, 202);
    EXPECT_EQ(server_.log().back().body, "");
  }
}

TEST_F(CurlUploadTest, ReadsNoFurtherAheadThanTheQueue) {
  const auto gate = std::make_shared<Gate>();
  server_.on_body([&](const HttpRequest&) { return BodyFault{.gate = gate, .gate_at = 1}; });
  const auto source = std::make_shared<TextSource>(pattern(40'000'000));
  std::jthread sender([&] { EXPECT_THAT(send(source), IsOk()); });
  ASSERT_TRUE(gate->wait_for_arrivals());
  std::size_t before = 0;
  auto since = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] {
    if (source->given != before) since = std::chrono::steady_clock::now();
    before = source->given;
    return std::chrono::steady_clock::now() - since > 300ms;
  }));
  // The queue, curl's own buffer, and what the two kernels' socket buffers hold.
  EXPECT_LT(before, limits::kQueueBytes + 20'000'000U);
  gate->open();
}

TEST_F(CurlUploadTest, AnAnswerBeforeTheEndEndsTheReading) {
  server_.on_body([&](const HttpRequest&) { return BodyFault{.answer_now = true}; });
  HttpServer refuses([](const HttpRequest&) {
    return HttpReply{.status = 401, .body = "who are you?", .close = true};
  });
  refuses.on_body([&](const HttpRequest&) { return BodyFault{.answer_now = true}; });
  const auto source = std::make_shared<TextSource>(pattern(64'000'000));
  Request request = this->request(source);
  request.url = *Url::parse(refuses.origin() + "/upload");
  const auto answer = Client(*transport_).send(request, soon());
  // A server that closes with bytes unread resets the connection: the answer may be lost with it.
  if (answer) {
    EXPECT_EQ(answer->status, 401);
  } else {
    EXPECT_THAT(answer, HasCode(Errc::unavailable));
  }
  EXPECT_LT(source->given, 64'000'000U);
}

TEST_F(CurlUploadTest, AConnectionThatBreaksIsUnavailable) {
  server_.on_body([&](const HttpRequest&) { return BodyFault{.cut_at = 3'000'000}; });
  const auto source = std::make_shared<TextSource>(text_);
  const auto answer = send(source);
  ASSERT_THAT(answer, HasCode(Errc::unavailable));
  EXPECT_TRUE(answer.error().is_retryable());
  EXPECT_EQ(source->begun, 1);  // whether to send it again is not for this layer to say
}

TEST_F(CurlUploadTest, IsBegunAgainAfterA429) {
  std::atomic<int> asked = 0;
  HttpServer server([&](const HttpRequest&) {
    return HttpReply{.status = ++asked == 1 ? 429 : 202, .headers = {{"Retry-After", "1"}}};
  });
  test::FakeClock clock;
  Client client(*transport_, {.retry = {}, .clock = &clock});
  const auto source = std::make_shared<TextSource>(text_);
  Request request = this->request(source);
  request.url = *Url::parse(server.origin() + "/upload");
  const auto answer = client.send(request, soon());
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(source->begun, 2);
  EXPECT_TRUE(server.log().back().body == text_);
}

TEST_F(CurlUploadTest, AStopEndsIt) {
  const auto gate = std::make_shared<Gate>();
  server_.on_body([&](const HttpRequest&) { return BodyFault{.gate = gate, .gate_at = 1}; });
  std::stop_source stop;
  std::jthread stopper([&] {
    EXPECT_TRUE(gate->wait_for_arrivals());
    stop.request_stop();
  });
  const auto source = std::make_shared<TextSource>(pattern(64'000'000));
  EXPECT_THAT(send(source, "PATCH", soon().with_stop(stop.get_token())), HasCode(Errc::cancelled));
  gate->open();
  server_.on_body({});
  EXPECT_THAT(send(std::make_shared<TextSource>(text_)), IsOk());
}

TEST_F(CurlUploadTest, ASourceThatFailsEndsItWithItsError) {
  class Broken final : public BodySource {
   public:
    std::optional<std::uint64_t> size() const override { return 100; }
    Result<void> rewind() override { return {}; }
    Result<ByteView> next(const Context&) override { return Error(Errc::io, "the disk is gone"); }
  };
  const auto answer = send(std::make_shared<Broken>());
  ASSERT_THAT(answer, HasCode(Errc::io));
  EXPECT_THAT(answer.error().message(), testing::HasSubstr("the disk is gone"));
}

TEST_F(CurlUploadTest, ASourceThatGivesMoreOrLessThanItSaidIsAnError) {
  class Liar final : public BodySource {
   public:
    explicit Liar(int pieces)
        : left_(pieces) {}
    std::optional<std::uint64_t> size() const override { return 100; }
    Result<void> rewind() override { return {}; }
    Result<ByteView> next(const Context&) override {
      return left_-- > 0 ? as_bytes("0123456789") : ByteView();
    }

   private:
    int left_;
  };
  EXPECT_THAT(send(std::make_shared<Liar>(10)), IsOk());
  for (const int pieces : {9, 11}) {
    const auto answer = send(std::make_shared<Liar>(pieces));
    ASSERT_THAT(answer, HasCode(Errc::io));
    EXPECT_THAT(answer.error().message(), testing::HasSubstr("100 bytes"));
  }
}

TEST_F(CurlUploadTest, OneThatCannotBeBegunIsNotSent) {
  class Spent final : public BodySource {
   public:
    std::optional<std::uint64_t> size() const override { return 100; }
    Result<void> rewind() override { return Error(Errc::unsupported, "it is read already"); }
    Result<ByteView> next(const Context&) override { return ByteView(); }
  };
  EXPECT_THAT(send(std::make_shared<Spent>()), HasCode(Errc::unsupported));
  EXPECT_EQ(server_.requests(), 0);
}

TEST_F(CurlUploadTest, ASlowSourceIsNoStall) {
  transport_ = make_curl_transport(impatient());
  const auto source = std::make_shared<TextSource>(pattern(300'000));
  source->before_next = [](std::size_t) { std::this_thread::sleep_for(700ms); };
  EXPECT_THAT(send(source), IsOk());
}

TEST_F(CurlUploadTest, AServerThatTakesNothingIsAStall) {
  transport_ = make_curl_transport(impatient());
  const auto gate = std::make_shared<Gate>();
  server_.on_body([&](const HttpRequest&) { return BodyFault{.gate = gate, .gate_at = 1}; });
  EXPECT_THAT(send(std::make_shared<TextSource>(pattern(64'000'000))), HasCode(Errc::unavailable));
  gate->open();
}

TEST_F(CurlUploadTest, AServerThatHasAllMayThinkAsLongAsItIsGiven) {
  transport_ = make_curl_transport(impatient());
  HttpServer slow([](const HttpRequest&) { return HttpReply{.status = 201, .latency = 1200ms}; });
  Request request = this->request(std::make_shared<TextSource>(text_));
  request.url = *Url::parse(slow.origin() + "/upload");
  Client client(*transport_);
  EXPECT_THAT(client.send(request, soon()), HasCode(Errc::unavailable));
  request.patience = 15s;
  const auto answer = client.send(request, soon());
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->status, 201);
}

}  // namespace
}  // namespace berth::http
