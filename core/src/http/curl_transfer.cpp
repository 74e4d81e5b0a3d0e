// SPDX-License-Identifier: Apache-2.0
#include "http/curl_transfer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

#include "http/ip_address.hpp"

namespace berth::http {
namespace {

// Large enough that a wake-up costs nothing beside the work on it, small enough for the L2 cache,
// where whoever hashes it finds it.
constexpr std::size_t kBlockSize = std::size_t{512} * 1024;
constexpr std::size_t kSmallestBlock = std::size_t{16} * 1024;
// A waiting reader is woken in the middle of a round only for this much.
constexpr std::size_t kHandOver = std::size_t{256} * 1024;
// As many as a full queue holds: freed to the system, each would cost its page faults again.
constexpr std::size_t kSpareBlocks = limits::kQueueBytes / kBlockSize;

// "HTTP/1.1 200 OK" begins each answer, those of 100 Continue and of proxies included.
std::optional<int> status_of(std::string_view line) {
  if (!line.starts_with("HTTP/")) return std::nullopt;
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto status = text::parse_unsigned(line.substr(space + 1, 3));
  return status ? std::optional<int>(static_cast<int>(*status)) : std::nullopt;
}

}  // namespace

Transfer::Transfer(const Request& request, bool through_proxy)
    : patience_(request.patience),
      forbidden_(request.forbidden_addresses),
      only_loopback_(is_localhost(request.url.origin().host)),
      through_proxy_(through_proxy),
      block_size_(kBlockSize) {
  if (request.source != nullptr) outgoing_.emplace();
}

Result<std::unique_ptr<ResponseHead>> Transfer::wait_for_head(const Context& context) {
  const MutexLock lock(mutex_);
  while (head_ == nullptr && !end_) {
    TRY(context.check());
    changed_.wait(mutex_, context);
  }
  return std::move(head_);
}

Result<Transfer::Step> Transfer::next(const Context& context) {
  const MutexLock lock(mutex_);
  if (in_hand_.bytes != nullptr && spare_.size() < kSpareBlocks) {
    spare_.push_back(std::move(in_hand_));
  }
  in_hand_ = {};
  while (queue_.empty()) {
    if (end_) return Step{.bytes = {}, .ended = true};
    TRY(context.check());
    if (context.is_nonblocking()) {
      return Error(Errc::would_block, "the bytes have not come from the network yet");
    }
    reader_waits_ = true;
    changed_.wait(mutex_, context);
    reader_waits_ = false;
  }
  in_hand_ = std::move(queue_.front());
  queue_.pop_front();
  queued_ -= in_hand_.size;
  Step step{.bytes = {in_hand_.bytes.get(), in_hand_.size}};
  // Half empty before the sender goes on: else each block would cost a pause and a wake-up.
  step.unpause = paused_ && !end_ && queued_ <= limits::kQueueBytes / 2;
  if (step.unpause) paused_ = false;
  return step;
}

TransferEnd Transfer::end() const {
  const MutexLock lock(mutex_);
  return end_.value_or(TransferEnd{});
}

bool Transfer::has_ended() const {
  const MutexLock lock(mutex_);
  return end_.has_value();
}

bool Transfer::on_header(std::string_view line) {
  progressed_ = true;
  header_bytes_ += line.size();
  if (header_bytes_ > limits::kHeaderBytes) {
    verdict_ = Verdict::headers_too_large;
    return false;
  }
  if (in_body_) return true;  // trailers: nobody reads them
  line = text::trim(line);
  if (const auto status = status_of(line)) {
    parsed_.status = *status;
    parsed_.headers = {};
    return true;
  }
  if (line.empty()) return end_of_head();
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  parsed_.headers.add(std::string(text::trim(line.substr(0, colon))),
                      std::string(text::trim(line.substr(colon + 1))));
  return true;
}

bool Transfer::end_of_head() {
  if (parsed_.status < 200) return true;  // an interim answer: the real one follows
  in_body_ = true;
  if (outgoing_) outgoing_->close();
  if (const std::string* length = parsed_.headers.find("Content-Length")) {
    if (const auto size = text::parse_unsigned(*length)) {
      block_size_ = std::clamp<std::size_t>(*size, kSmallestBlock, kBlockSize);
    }
  }
  const MutexLock lock(mutex_);
  head_ = std::make_unique<ResponseHead>(std::move(parsed_));
  changed_.notify_all();
  return true;
}

bool Transfer::on_data(ByteView bytes) {
  progressed_ = true;
  const MutexLock lock(mutex_);
  if (queued_ != 0 && queued_ + bytes.size() > limits::kQueueBytes) {
    paused_ = true;
    return false;
  }
  while (!bytes.empty()) {
    if (queue_.empty() || queue_.back().size == queue_.back().capacity) {
      queue_.push_back(make_block());
    }
    Block& block = queue_.back();
    const std::size_t size = std::min(bytes.size(), block.capacity - block.size);
    std::memcpy(block.bytes.get() + block.size, bytes.data(), size);
    block.size += size;
    queued_ += size;
    bytes = bytes.subspan(size);
  }
  dirty_ = true;
  if (reader_waits_ && queued_ >= kHandOver) {
    reader_waits_ = false;
    changed_.notify_all();
  }
  return true;
}

Transfer::Block Transfer::make_block() {
  if (!spare_.empty() && spare_.back().capacity == block_size_) {
    Block block = std::move(spare_.back());
    spare_.pop_back();
    block.size = 0;
    return block;
  }
  return Block{std::make_unique_for_overwrite<std::byte[]>(block_size_), 0, block_size_};
}

Outgoing::Portion Transfer::on_send(std::span<std::byte> out) {
  const Outgoing::Portion portion = outgoing_->take(out);
  if (portion.what == Outgoing::Taken::bytes) progressed_ = true;
  return portion;
}

bool Transfer::on_address(std::optional<AddressClass> peer) {
  if (through_proxy_) return true;  // it is the proxy's address, which the user chose
  const bool refused =
      !peer || forbidden_.contains(*peer) || (only_loopback_ && *peer != AddressClass::loopback);
  if (refused) verdict_ = Verdict::address_refused;
  if (!refused) parsed_.peer = peer;
  return !refused;
}

void Transfer::on_connected(TimePoint now) {
  // Another address of the same name was refused, and this one is good.
  verdict_ = Verdict::none;
  last_progress_ = now;
}

void Transfer::flush() {
  if (!std::exchange(dirty_, false)) return;
  const MutexLock lock(mutex_);
  if (!std::exchange(reader_waits_, false)) return;
  changed_.notify_all();
}

bool Transfer::check_stalled(TimePoint now, std::chrono::milliseconds limit) {
  if (!last_progress_ || verdict_ != Verdict::none) return false;
  {
    const MutexLock lock(mutex_);
    if (paused_) progressed_ = true;  // the reader's time, not the sender's
  }
  if (outgoing_ && outgoing_->waits_for_caller()) progressed_ = true;
  if (patience_ > limit && (!outgoing_ || outgoing_->sent_all())) limit = patience_;
  if (std::exchange(progressed_, false)) last_progress_ = now;
  if (now - *last_progress_ < limit) return false;
  verdict_ = Verdict::stalled;
  return true;
}

void Transfer::finish(int curl_code, std::string detail, Verdict verdict) {
  if (outgoing_) outgoing_->close();
  const MutexLock lock(mutex_);
  if (end_) return;
  end_ = TransferEnd{.curl_code = curl_code,
                     .verdict = verdict != Verdict::none ? verdict : verdict_,
                     .detail = std::move(detail)};
  changed_.notify_all();
}

}  // namespace berth::http
