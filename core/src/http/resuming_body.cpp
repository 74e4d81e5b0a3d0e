// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <random>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/client.hpp"
#include "berth/http/limits.hpp"

#include "http/status.hpp"

namespace berth::http {
namespace {

using Resend = std::function<Result<Response>(const std::string& range, const Context&)>;

class ResumingBody final : public Body {
 public:
  ResumingBody(Response first, std::uint64_t offset, std::uint64_t length, Resend resend,
               RetryPolicy retry, Clock& clock)
      : offset_(offset),
        length_(length),
        resend_(std::move(resend)),
        retry_(retry),
        clock_(clock),
        first_(std::move(first)) {}

  Result<ByteView> next(const Context& context) override {
    if (failed_) return *failed_;
    Result<ByteView> block = go_on(context);
    // A caller whose own time was over may come again, and nothing was lost.
    if (!block && context.check()) failed_ = block.error();
    return block;
  }

 private:
  Result<ByteView> go_on(const Context& context) {
    if (first_) {
      Response first = *std::exchange(first_, std::nullopt);
      TRY(adopt(std::move(first)));
    }
    for (;;) {
      if (broke_) TRY(resume(context));
      Result<ByteView> block = step(context);
      if (block || !block.error().is_retryable()) return block;
      current_.reset();
      broke_ = std::move(block).error();
      if (progress_ >= limits::kProgressBytes) breaks_ = 0;
      progress_ = 0;
    }
  }

  std::uint64_t left() const { return length_ - given_; }

  // The next bytes of the answer in hand. A retryable error means that it broke.
  Result<ByteView> step(const Context& context) {
    while (current_ != nullptr) {
      if (left() == 0 && more_is_expected_) break;  // nobody asked for the rest of a whole blob
      Result<ByteView> read = current_->next(context);
      // All that was promised is here: how the connection ended does not matter any more.
      if (!read && read.error().is_retryable() && left() == 0) break;
      ByteView block = TRY(std::move(read));
      if (block.empty()) return at_end();
      const std::uint64_t skipped = std::min<std::uint64_t>(skip_, block.size());
      skip_ -= skipped;
      block = block.subspan(skipped);
      if (block.empty()) continue;
      if (block.size() > left()) {
        if (!more_is_expected_) return too_long();
        block = block.first(left());
      }
      given_ += block.size();
      progress_ += block.size();
      return block;
    }
    current_.reset();
    return ByteView{};
  }

  Result<ByteView> at_end() {
    current_.reset();
    if (left() == 0) return ByteView{};
    return Error(Errc::unavailable,
                 fmt::format("the body ended after {} of {} bytes", given_, length_));
  }

  static Error too_long() {
    return Error(Errc::corrupt, "the server sends more bytes than were asked for");
  }

  Result<void> resume(const Context& context) {
    for (;;) {
      TRY(context.check());
      if (++breaks_ >= retry_.attempts) {
        return Error(*broke_).with_context(
            fmt::format("broken {} times, with little or nothing in between", breaks_));
      }
      TRY(wait(*broke_, context));
      const std::string range = fmt::format("bytes={}-{}", offset_ + given_, offset_ + length_ - 1);
      log::debug(fmt::format("http: taking a body up by {}: {}", range, broke_->message()));
      Result<Response> again = resend_(range, context);
      if (!again) {
        if (!again.error().is_retryable()) return std::move(again).error();
        broke_ = std::move(again).error();
        continue;
      }
      if (again->status == 200 || again->status == 206) {
        broke_.reset();
        return adopt(*std::move(again));
      }
      const std::string_view method = "GET";
      Error error =
          error_from(*again, method, "taking up a download that broke", clock_.now(), context);
      if (!error.is_retryable()) return error;
      broke_ = std::move(error);
    }
  }

  Result<void> wait(const Error& broke, const Context& context) {
    const auto asked = broke.http() != nullptr ? broke.http()->retry_after : std::nullopt;
    if (asked && *asked > limits::kRetryAfterCap) return broke;
    thread_local std::minstd_rand generator{std::random_device{}()};
    const double random01 = std::uniform_real_distribution<double>(0.0, 1.0)(generator);
    // The first break after progress costs no wait: most are a connection that had its time.
    if (breaks_ == 1 && !asked) return context.check();
    return clock_.sleep(retry_.delay(breaks_, asked, random01), context);
  }

  Result<void> adopt(Response response) {
    TRY(response.status == 206 ? check_partial(response) : check_whole(response));
    current_ = std::move(response.body);
    return {};
  }

  Result<void> check_partial(const Response& response) {
    const std::string* value = response.headers.find("Content-Range");
    const auto range = value != nullptr ? parse_content_range(*value) : std::nullopt;
    // A server may give less than was asked for (RFC 9110 section 15.3.7): then it is asked again.
    const bool fits = range && range->first == offset_ + given_ &&
                      range->last < offset_ + length_ &&
                      (!total_ || !range->total || *total_ == *range->total);
    if (!fits) {
      return Error(
          Errc::corrupt,
          fmt::format("{}: bytes {}-{} were asked for, and the server sent '{}'",
                      response.url.redacted(), offset_ + given_, offset_ + length_ - 1,
                      value != nullptr ? text::escape_for_terminal(*value) : "no Content-Range"));
    }
    total_ = range->total;
    skip_ = 0;
    more_is_expected_ = false;
    return {};
  }

  Result<void> check_whole(const Response& response) {
    const std::uint64_t skip = offset_ + given_;
    if (skip > limits::kSkipBytes) {
      return Error(Errc::unsupported,
                   fmt::format("{}: the server ignores Range, and {} would have to be read again "
                               "to go on",
                               response.url.redacted(), text::format_size(skip)));
    }
    const auto size = response.content_length();
    if (size && *size < offset_ + length_) {
      return Error(Errc::corrupt, fmt::format("{}: the server has {} bytes where {} were promised",
                                              response.url.redacted(), *size, offset_ + length_));
    }
    skip_ = skip;
    more_is_expected_ = size && *size > offset_ + length_;
    return {};
  }

  const std::uint64_t offset_;
  const std::uint64_t length_;
  const Resend resend_;
  const RetryPolicy retry_;
  Clock& clock_;
  std::optional<Response> first_;  // looked at by the first next(), which can say what is wrong
  std::unique_ptr<Body> current_;
  std::optional<std::uint64_t> total_;  // the whole blob's size, once a 206 told it
  std::uint64_t given_ = 0;
  std::uint64_t skip_ = 0;         // to drop of the answer in hand: it began too early
  bool more_is_expected_ = false;  // the answer in hand goes on after our part
  std::optional<Error> broke_;     // why there is no answer in hand, until there is one
  std::optional<Error> failed_;    // the end, other than that of the body
  std::uint64_t progress_ = 0;     // bytes since the last break
  int breaks_ = 0;                 // since there was enough progress
};

}  // namespace

std::unique_ptr<Body> make_resuming_body(Response first, std::uint64_t offset, std::uint64_t length,
                                         Resend resend, RetryPolicy retry, Clock& clock) {
  return std::make_unique<ResumingBody>(std::move(first), offset, length, std::move(resend), retry,
                                        clock);
}

}  // namespace berth::http
