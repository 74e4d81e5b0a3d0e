// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "tree/heads.hpp"
#include "tree/properties.hpp"

namespace berth::tree {

/// What a tag leads to.
struct TagTarget {
  Digest digest;
  std::uint64_t size = 0;  ///< of the manifest; not known while `media_type` is ""
  std::string media_type;
  /// Unix seconds: its last update where the registry tells it, else when it was first seen to lead
  /// there.
  std::int64_t first_seen = 0;
  Ttl ttl{0};
  bool time_is_told = false;
};

/// Tags resolved by HEAD, or by their properties where the registry has them, each asked for once
/// in tag_ttl however many want it. Thread safe.
class Tags {
 public:
  /// `moved` hears of a tag that leads elsewhere than before; `held` of what a repository holds.
  using Moved = std::function<void(const Place&, const std::string& tag)>;
  using Holds = std::function<void(const Place&, const TagTarget&)>;
  Tags(Asking& asking, Properties& properties, Moved moved, Holds holds);

  /// not_found where there is no such tag; kept for negative_ttl.
  Result<TagTarget> resolve(const Place& place, const std::string& tag, const Context& context);
  /// What can be told without asking.
  std::optional<Result<TagTarget>> fresh(const Place& place, const std::string& tag);
  /// The folder of `tags` was listed: see Heads.
  void listed(const Place& place, NameListPtr tags) { heads_.listed(place, std::move(tags)); }
  /// A list told where each of these leads: nobody asks for one of them while it is fresh.
  void told(const Place& place, const std::vector<acr::ArtifactTagProperties>& tags,
            std::uint64_t epoch);
  void refresh();
  std::size_t moves() const noexcept { return moves_.load(std::memory_order_relaxed); }

 private:
  struct Kept {
    std::optional<TagTarget> target;  ///< nullopt: there is no such tag
    Clock::SteadyTime fresh_until;
    std::optional<Error> error;
    bool stale = false;
    std::uint64_t epoch = 0;    ///< of the refreshes, when it was asked for
    Clock::SystemTime learned;  ///< what is remembered from later is another process's
  };

  std::optional<Kept> kept(const Place& place, const std::string& tag) BERTH_EXCLUDES(mutex_);
  Result<TagTarget> answer(const Kept& kept);
  Result<Kept> fetch(const Place& place, const std::string& tag, const Context& context);
  Result<void> fetch_ahead(const Place& place, const std::string& tag, const Context& context);
  struct Head;
  Result<Head> head(const Place& place, const std::string& tag, const Context& context);
  void note_move(const Place& place, const std::string& tag, const Digest& before,
                 const Digest& now);
  Result<Kept> ask(const Place& place, const std::string& tag, const Context& context);
  Result<Kept> instead(const Place& place, const std::string& tag, const Error& error,
                       std::uint64_t epoch);
  /// What is answered without asking while the registry, or the folder's burst, rests.
  std::optional<Result<Kept>> rest(const Place& place, const std::string& tag);
  std::optional<TagTarget> older(const Place& place, const std::string& tag);
  Kept serve_stale(const Place& place, const std::string& tag, TagTarget target,
                   std::uint64_t epoch);
  Kept keep(const Place& place, const std::string& tag, Kept value, Clock::SteadyTime until,
            std::uint64_t epoch);

  Asking& asking_;
  Properties& properties_;
  const Moved moved_;
  const Holds holds_;
  std::atomic<std::size_t> moves_ = 0;
  SingleFlight<Kept> flight_;
  Permits permits_;
  Mutex mutex_;
  Lru<Kept> kept_ BERTH_GUARDED_BY(mutex_);
  Heads heads_;  ///< last: its threads use all the others
};

}  // namespace berth::tree
