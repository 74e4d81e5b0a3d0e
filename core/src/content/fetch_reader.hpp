// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "content/bypass.hpp"
#include "content/fetch.hpp"

namespace berth::content {

/// A reader of a blob that was not complete when it was opened. Thread safe.
class FetchReader final : public BlobReader {
 public:
  FetchReader(std::shared_ptr<Core> core, std::shared_ptr<Fetch> fetch, Origin origin);
  ~FetchReader() override;

  std::uint64_t size() const noexcept override { return fetch_->size(); }
  bool complete() const noexcept override { return false; }
  bool settled() const noexcept override;
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                           const Context& context) override;
  std::optional<FileRange> file_range(std::uint64_t offset, std::uint64_t length) override;
  Result<std::optional<FileRange>> wait_for_range(std::uint64_t offset, std::uint64_t length,
                                                  const Context& context) override;
  std::optional<int> cache_file() const override;

 private:
  struct Wait;

  /// Until the bytes are there, or the way past the cache is taken: true then.
  Result<bool> wait_in_cache(Wait& wait, const Context& context);
  /// The next step of a read over one attempt: done, or an empty optional: look again.
  std::optional<Result<void>> step(Attempt& attempt, const std::shared_ptr<Attempt>& shared,
                                   Wait& wait, const Context& context);
  bool may_give(const Attempt& attempt, std::uint64_t offset, std::uint64_t length) const;
  bool bind(const std::shared_ptr<Attempt>& attempt) BERTH_EXCLUDES(mutex_);
  std::shared_ptr<Attempt> bound() const BERTH_EXCLUDES(mutex_);
  std::shared_ptr<Bypass> bypass() const BERTH_EXCLUDES(mutex_);
  std::shared_ptr<Bypass> go_past(const std::shared_ptr<Attempt>& attempt, const Error& why)
      BERTH_EXCLUDES(mutex_);
  void drive(const Attempt& attempt, const Wait& wait, std::uint64_t missing)
      BERTH_EXCLUDES(mutex_);
  void read_ahead(const Attempt& attempt, std::uint64_t end) BERTH_EXCLUDES(mutex_);
  Error dropped() const;
  Error lied(int attempts) const;

  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Fetch> fetch_;
  const std::shared_ptr<const Origin> origin_;
  const bool verifies_first_;

  mutable Mutex mutex_;
  std::shared_ptr<Attempt> bound_ BERTH_GUARDED_BY(mutex_);
  std::shared_ptr<Bypass> bypass_ BERTH_GUARDED_BY(mutex_);
  /// The last range that this reader asked for ahead of the stream.
  std::uint64_t seek_begin_ BERTH_GUARDED_BY(mutex_) = 0;
  std::uint64_t seek_end_ BERTH_GUARDED_BY(mutex_) = 0;
};

}  // namespace berth::content
