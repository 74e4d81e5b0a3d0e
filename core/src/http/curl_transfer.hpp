// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/http/message.hpp"

#include "http/curl_outgoing.hpp"

namespace berth::http {

/// What is in the answer before its body.
struct ResponseHead {
  int status = 0;
  Headers headers;
  std::optional<AddressClass> peer;
};

/// Why berth itself ended a transfer; curl only knows that a callback said so.
enum class Verdict : unsigned char {
  none,
  headers_too_large,
  address_refused,
  certificate_refused,
  stalled,
  out_of_memory,
  shut_down,
};

/// How a transfer ended.
struct TransferEnd {
  int curl_code = 0;  ///< CURLcode
  Verdict verdict = Verdict::none;
  std::string detail;  ///< curl's own words
  bool ok() const noexcept { return curl_code == 0 && verdict == Verdict::none; }
};

/// One request and its answer, between the loop thread, which fills it from curl's callbacks, and
/// one caller, who takes the head and then block after block. Knows nothing of curl. Bytes are
/// collected into large blocks, so that the caller is not woken for each 16 KiB that curl gives.
class Transfer {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Transfer(const Request& request, bool through_proxy);

  // --- The caller's side.

  /// Blocks until the head is there, the transfer ends, or the Context does: its error then. The
  /// value is nullptr when the transfer ended without a head: see end().
  Result<std::unique_ptr<ResponseHead>> wait_for_head(const Context& context);

  struct Step {
    ByteView bytes;        ///< valid until the next call
    bool ended = false;    ///< no more bytes will come: see end()
    bool unpause = false;  ///< the caller must ask the loop to let the sender go on
  };
  Result<Step> next(const Context& context);

  /// How it ended; asked only when it has.
  TransferEnd end() const;
  bool has_ended() const;

  // --- The loop thread's side.

  /// One header line with its line end. False: berth ends the transfer.
  bool on_header(std::string_view line);
  /// False: the reader is behind, none was taken, and the sender is to be held back.
  bool on_data(ByteView bytes);
  /// No memory for what came: berth ends the transfer.
  void on_exhausted() noexcept { verdict_ = Verdict::out_of_memory; }
  /// May a connection be made to, or used with, this address? Remembers the refusal.
  bool on_address(std::optional<AddressClass> peer);
  void on_certificate_refused() noexcept { verdict_ = Verdict::certificate_refused; }
  void on_connected(TimePoint now);
  /// After each round: wakes a caller who waits for what came in it.
  void flush();
  /// True, once, when nothing came for too long (a sender that is held back is not stalled).
  bool check_stalled(TimePoint now, std::chrono::milliseconds limit);
  void finish(int curl_code, std::string detail, Verdict verdict = Verdict::none);
  bool through_proxy() const noexcept { return through_proxy_; }

  /// The body that is sent; nullptr when there is none, or a small one.
  Outgoing* outgoing() noexcept { return outgoing_ ? &*outgoing_ : nullptr; }
  /// curl asks for bytes to send.
  Outgoing::Portion on_send(std::span<std::byte> out);

 private:
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size = 0;
    std::size_t capacity = 0;
  };
  bool end_of_head();
  Block make_block() BERTH_REQUIRES(mutex_);

  std::optional<Outgoing> outgoing_;
  const std::chrono::milliseconds patience_;
  const AddressClasses forbidden_;
  const bool only_loopback_;
  const bool through_proxy_;

  // The loop thread's alone.
  ResponseHead parsed_;
  std::size_t header_bytes_ = 0;
  std::size_t block_size_;
  Verdict verdict_ = Verdict::none;
  bool dirty_ = false;
  bool in_body_ = false;
  bool progressed_ = false;
  std::optional<TimePoint> last_progress_;  // none before the connection is made

  // The caller's alone.
  Block in_hand_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::unique_ptr<ResponseHead> head_ BERTH_GUARDED_BY(mutex_);
  std::deque<Block> queue_ BERTH_GUARDED_BY(mutex_);
  std::vector<Block> spare_ BERTH_GUARDED_BY(mutex_);
  std::size_t queued_ BERTH_GUARDED_BY(mutex_) = 0;
  bool paused_ BERTH_GUARDED_BY(mutex_) = false;
  bool reader_waits_ BERTH_GUARDED_BY(mutex_) = false;
  std::optional<TransferEnd> end_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::http
