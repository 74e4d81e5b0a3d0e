// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "berth/base/sync.hpp"
#include "berth/content/source.hpp"
#include "berth/digest/hasher.hpp"

namespace berth::test {

/// Stops bodies at a byte until it is opened. Thread safe.
class Barrier {
 public:
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  Result<void> pass(const Context& context) {
    MutexLock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    while (!open_) {
      if (auto running = context.check(); !running) {
        --waiting_;
        return running;
      }
      changed_.wait(mutex_, context);
    }
    --waiting_;
    return {};
  }
  /// Until somebody stands before it.
  bool wait_for_someone(std::chrono::seconds limit = std::chrono::seconds(30)) {
    const Context context = Context().with_timeout(limit);
    MutexLock lock(mutex_);
    while (waiting_ == 0 && context.check()) changed_.wait(mutex_, context);
    return waiting_ > 0;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool open_ BERTH_GUARDED_BY(mutex_) = false;
  int waiting_ BERTH_GUARDED_BY(mutex_) = 0;
};

/// Lets pieces of bodies through one by one, as a slow line does. Thread safe.
class Drip {
 public:
  void let_one() {
    MutexLock lock(mutex_);
    ++let_;
    changed_.notify_all();
  }
  bool is_taken() {
    MutexLock lock(mutex_);
    return let_ == 0;
  }
  Result<void> pass(const Context& context) {
    MutexLock lock(mutex_);
    while (let_ == 0) {
      if (auto running = context.check(); !running) return running;
      changed_.wait(mutex_, context);
    }
    --let_;
    return {};
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int let_ BERTH_GUARDED_BY(mutex_) = 0;
};

/// What one answer does besides being right.
struct Script {
  std::optional<Error> error;               ///< instead of an answer
  std::optional<std::uint64_t> wrong_byte;  ///< this byte of the blob is another one
  std::optional<std::uint64_t> cut_at;      ///< the body ends before this byte
  std::optional<std::uint64_t> stall_at;    ///< waits at `gate` before this byte
  std::shared_ptr<Barrier> gate;
  std::shared_ptr<Drip> drip;  ///< each piece waits there
  std::uint64_t piece = 256 * 1024;
  std::uint64_t longer = 0;            ///< more bytes than the total says
  std::optional<std::uint64_t> total;  ///< what the answer says the whole blob has
  bool no_ranges = false;
};

struct Asked {
  std::uint64_t offset;
  std::optional<std::uint64_t> length;
};

/// A Source that holds blobs and manifests in memory, and follows a script. Thread safe.
class FakeSource final : public content::Source {
 public:
  explicit FakeSource(std::string name = "registry.test:5000")
      : name_(std::move(name)) {}

  Digest add(std::string bytes, Algorithm algorithm = Algorithm::sha256) {
    const Digest digest = digest_of(as_bytes(bytes), algorithm);
    MutexLock lock(mutex_);
    blobs_.insert_or_assign(digest, std::make_shared<const std::string>(std::move(bytes)));
    return digest;
  }
  Digest add_manifest(std::string bytes, std::string media_type) {
    const Digest digest = add(std::move(bytes));
    MutexLock lock(mutex_);
    media_types_[digest] = std::move(media_type);
    return digest;
  }
  void add_referrer(const Digest& subject, oci::Descriptor descriptor) {
    MutexLock lock(mutex_);
    referrers_[subject].push_back(std::move(descriptor));
  }
  /// The next answers to get_blob, in order; afterwards `always`.
  void script(Script next) {
    MutexLock lock(mutex_);
    scripts_.push_back(std::move(next));
  }
  void clear_scripts() {
    MutexLock lock(mutex_);
    scripts_.clear();
  }
  void always(Script script) {
    MutexLock lock(mutex_);
    always_ = std::move(script);
  }
  std::vector<Asked> gets() const {
    MutexLock lock(mutex_);
    return gets_;
  }
  int heads() const {
    MutexLock lock(mutex_);
    return heads_;
  }
  int manifests() const {
    MutexLock lock(mutex_);
    return manifest_gets_;
  }

  const std::string& name() const noexcept override { return name_; }
  content::Capabilities capabilities() const override { return {}; }
  Result<registry::Page> list_repositories(const std::string&, const Context&) override {
    return registry::Page{};
  }
  Result<registry::Page> list_tags(const std::string&, const std::string&,
                                   const Context&) override {
    return registry::Page{};
  }
  Result<registry::ManifestHead> head_manifest(const std::string&, const std::string& reference,
                                               const Context&) override {
    MutexLock lock(mutex_);
    ++heads_;
    const auto blob = find(reference);
    if (!blob) return missing();
    const Digest digest = *Digest::parse(reference);
    return registry::ManifestHead{digest, blob->size(), media_types_[digest], ""};
  }
  Result<registry::Client::RawManifest> get_manifest(const std::string&,
                                                     const std::string& reference,
                                                     const Context&) override {
    MutexLock lock(mutex_);
    ++manifest_gets_;
    const auto blob = find(reference);
    if (!blob) return missing();
    const Digest digest = *Digest::parse(reference);
    std::string bytes = *blob;
    if (always_.wrong_byte) bytes.at(*always_.wrong_byte) ^= 1;
    return registry::Client::RawManifest{std::move(bytes), media_types_[digest], digest};
  }
  Result<registry::BlobHead> head_blob(const std::string&, const Digest& digest,
                                       const Context&) override {
    MutexLock lock(mutex_);
    ++heads_;
    const auto blob = find(digest.text());
    if (!blob) return missing();
    return registry::BlobHead{blob->size(), true};
  }
  Result<registry::BlobStream> get_blob(const std::string&, const Digest& digest,
                                        std::uint64_t offset, std::optional<std::uint64_t> length,
                                        const Context& context) override {
    MutexLock lock(mutex_);
    if (context.is_nonblocking()) return Error(Errc::would_block, "the network is needed");
    gets_.push_back({offset, length});
    Script script = always_;
    if (!scripts_.empty()) {
      script = std::move(scripts_.front());
      scripts_.pop_front();
    }
    if (script.error) return *script.error;
    const auto blob = find(digest.text());
    if (!blob) return missing();
    if (script.no_ranges && offset > 0) {
      return Error(Errc::unsupported, "the registry sent the whole blob");
    }
    std::uint64_t end = std::min<std::uint64_t>(
        script.no_ranges ? blob->size() : offset + length.value_or(blob->size()), blob->size());
    const std::uint64_t total = script.total.value_or(blob->size());
    auto body = std::make_unique<FakeBody>(blob, offset, end, std::move(script));
    return registry::BlobStream{std::move(body), offset, end - offset, total};
  }
  Result<std::vector<oci::Descriptor>> referrers(const std::string&, const Digest& digest,
                                                 const Context&) override {
    MutexLock lock(mutex_);
    return referrers_[digest];
  }
  std::optional<std::filesystem::path> local_file(const Digest&) const override {
    return std::nullopt;
  }

 private:
  using Blob = std::shared_ptr<const std::string>;

  class FakeBody final : public http::Body {
   public:
    FakeBody(Blob blob, std::uint64_t at, std::uint64_t end, Script script)
        : blob_(std::move(blob)),
          at_(at),
          end_(end),
          script_(std::move(script)) {}

    Result<ByteView> next(const Context& context) override {
      if (auto running = context.check(); !running) return std::move(running).error();
      if (script_.stall_at && at_ >= *script_.stall_at) {
        if (auto passed = script_.gate->pass(context); !passed) return std::move(passed).error();
        script_.stall_at.reset();
      }
      if (script_.drip) {
        if (auto passed = script_.drip->pass(context); !passed) return std::move(passed).error();
      }
      std::uint64_t stop = end_;
      if (script_.cut_at) stop = std::min(stop, *script_.cut_at);
      if (script_.stall_at) stop = std::min(stop, *script_.stall_at);
      const std::uint64_t count =
          std::min<std::uint64_t>(script_.piece, stop - std::min(stop, at_));
      if (count == 0 && script_.longer > 0 && at_ >= blob_->size()) {
        piece_.assign(std::exchange(script_.longer, 0), '?');
        return as_bytes(piece_);
      }
      piece_ = blob_->substr(at_, count);
      if (script_.wrong_byte && *script_.wrong_byte >= at_ && *script_.wrong_byte < at_ + count) {
        piece_[*script_.wrong_byte - at_] ^= 1;
      }
      at_ += count;
      return as_bytes(piece_);
    }

   private:
    const Blob blob_;
    std::uint64_t at_;
    const std::uint64_t end_;
    Script script_;
    std::string piece_;
  };

  Blob find(const std::string& digest) BERTH_REQUIRES(mutex_) {
    const auto parsed = Digest::parse(digest);
    const auto found = parsed ? blobs_.find(*parsed) : blobs_.end();
    return found == blobs_.end() ? nullptr : found->second;
  }
  static Error missing() { return Error(Errc::not_found, "no such blob"); }

  const std::string name_;
  mutable Mutex mutex_;
  std::map<Digest, Blob> blobs_ BERTH_GUARDED_BY(mutex_);
  std::map<Digest, std::string> media_types_ BERTH_GUARDED_BY(mutex_);
  std::map<Digest, std::vector<oci::Descriptor>> referrers_ BERTH_GUARDED_BY(mutex_);
  std::deque<Script> scripts_ BERTH_GUARDED_BY(mutex_);
  Script always_ BERTH_GUARDED_BY(mutex_);
  std::vector<Asked> gets_ BERTH_GUARDED_BY(mutex_);
  int heads_ BERTH_GUARDED_BY(mutex_) = 0;
  int manifest_gets_ BERTH_GUARDED_BY(mutex_) = 0;
};

/// Bytes that repeat nowhere and are the same in every run.
inline std::string sample_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::string bytes(size, '\0');
  std::uint64_t x = seed * 0x9E3779B97F4A7C15U;
  for (char& c : bytes) {
    x ^= x << 13U;
    x ^= x >> 7U;
    x ^= x << 17U;
    c = static_cast<char>(x >> 32U);
  }
  return bytes;
}

}  // namespace berth::test
