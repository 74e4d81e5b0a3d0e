// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tree/listings.hpp"

namespace berth::tree {

/// At most so many HEADs at once. Who waits for an answer goes before who works ahead. Thread safe.
class Permits {
 public:
  explicit Permits(int count)
      : free_(count) {}

  class Held {
   public:
    explicit Held(Permits* permits)
        : permits_(permits) {}
    Held(Held&& other) noexcept
        : permits_(std::exchange(other.permits_, nullptr)) {}
    Held& operator=(Held&&) = delete;
    ~Held() {
      if (permits_ != nullptr) permits_->release();
    }

   private:
    Permits* permits_;
  };

  /// `ahead`: behind all who are waiting for an answer.
  Result<Held> acquire(bool ahead, const Context& context);
  int waiting();  ///< those who are waiting for an answer

 private:
  void release();

  Mutex mutex_;
  CondVar freed_;
  int free_ BERTH_GUARDED_BY(mutex_);
  int waiting_ BERTH_GUARDED_BY(mutex_) = 0;
};

/// Works ahead of who reads every tag of a listed folder (`ls -l`, coloured `ls`): the first
/// question after a listing starts the HEADs of that folder, in the order of the listing from there
/// on. At most kAhead more than were asked for, so that `cat` of one tag of ten thousand does not
/// cost ten thousand requests. A 429 ends it until the folder is listed again, and for a while
/// answers for the rest of the folder. Thread safe.
class Heads {
 public:
  static constexpr std::size_t kAhead = 128;
  /// Resolves one tag unless it is fresh; the error says whether to go on.
  using Resolve = std::function<Result<void>(const Place&, const std::string& tag, const Context&)>;

  /// `clock` must outlive it. `rest`: for so long at least a failure answers for a whole folder.
  Heads(int jobs, Clock& clock, std::chrono::nanoseconds rest, Resolve resolve);
  /// Ends the requests under way and waits for them.
  ~Heads();

  /// A folder was listed: its tags may be asked for together.
  void listed(const Place& place, NameListPtr tags);
  /// A tag of a folder is being asked for.
  void asked(const Place& place, const std::string& tag);
  /// A tag of a folder could not be had, after all retries. Where the same would befall each other
  /// tag of it, nobody need find that out again for a while: see failure. A 429 is taken for that
  /// at once; a 503, and that nobody was reached, when it came of two tags and of none a success
  /// between them.
  void failed(const Place& place, const std::string& tag, const Error& error);
  /// A tag of a folder was had from the registry: what befell others does not befall all.
  void answered(const Place& place, const std::string& tag);
  /// Why the tags of a folder that was listed are not asked for now; nullopt when they may be.
  std::optional<Error> failure(const Place& place);
  /// Ask again at once.
  void refresh();

 private:
  /// What a failure has that each other tag's would have, too.
  enum class Sign : std::uint8_t { too_many, closed, nobody };
  /// That nobody need ask for the tags of a folder, or what will soon prove it.
  struct Rest {
    std::optional<Sign> sign;
    std::string tag;               ///< the last one that had it
    std::optional<Error> failure;  ///< proven: the answer for all of them until `until`
    Clock::SteadyTime until;
  };
  struct Folder {
    Place place;
    NameListPtr tags;
    std::size_t first = 0;      ///< where the questions began
    std::size_t scheduled = 0;  ///< from there on, around the end
    std::size_t allowed = 0;
    bool stopped = false;
    Rest rest;
    std::set<std::string> broken;  ///< tags whose failures are their own: others were had after
  };
  struct Job {
    std::shared_ptr<Folder> folder;
    std::string tag;
  };

  static std::optional<Sign> sign_of(const Error& error);
  using Folders = std::deque<std::shared_ptr<Folder>>;
  Folders::iterator find(const Place& place) BERTH_REQUIRES(mutex_);
  bool is_resting(const Folder& folder) const;
  std::optional<Job> next() BERTH_REQUIRES(mutex_);
  void work(const std::stop_token& stop);

  const std::size_t jobs_;
  Clock& clock_;
  const std::chrono::nanoseconds rest_;
  const Resolve resolve_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar more_;
  Folders folders_ BERTH_GUARDED_BY(mutex_);  ///< the newest first
  std::size_t idle_ BERTH_GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> workers_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::tree
