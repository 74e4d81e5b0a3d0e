// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "berth/base/single_flight.hpp"
#include "berth/tree/tree.hpp"

#include "tree/away.hpp"
#include "tree/sources.hpp"

namespace berth::tree {

/// A repository, a namespace, or (repository "") a registry itself; of a layout the one repository.
struct Place {
  std::string registry;
  std::string repository;

  /// Names hold no newline, so this is unique.
  std::string key() const { return registry + '\n' + repository; }
  /// "registry/repository", for messages.
  std::string text() const { return repository.empty() ? registry : registry + '/' + repository; }
  Place below(std::string_view name) const {
    return {registry,
            repository.empty() ? std::string(name) : repository + '/' + std::string(name)};
  }
};

/// Did the registry let whoever asks not in (401, 403)? What is broken on this machine has the same
/// codes, and is no word of the registry's: nothing is concluded from it, nor kept.
bool is_refusal(const Error& error) noexcept;

/// What every part of the tree stands on: options, time, the way to ask a registry. Thread safe.
class Asking {
 public:
  Asking(std::unique_ptr<Sources> sources, Options options);

  const Options& options() const noexcept { return options_; }
  Sources& sources() noexcept { return *sources_; }
  cache::Remembered& remembered() noexcept { return sources_->remembered(); }
  Clock& clock() noexcept { return *options_.clock; }
  Away& away() noexcept { return away_; }

  bool is_layout() const noexcept { return options_.root.layout != nullptr; }
  Result<std::shared_ptr<content::Source>> source(const std::string& registry);
  /// Its capabilities; those of nothing where there is no such source.
  content::Capabilities capabilities(const std::string& registry);

  /// Runs `question` on the registry's source, unless the network must not be asked. Counted.
  template <class Question>
  auto ask(const std::string& registry, const Context& context, Question&& question)
      -> decltype(question(std::declval<content::Source&>())) {
    if (context.is_nonblocking()) return would_block();
    if (!is_layout() && sources_->offline()) return offline(registry);
    if (auto silent = away_.silent(registry)) return *std::move(silent);
    auto found = source(registry);
    if (!found) return found.error();
    questions_.fetch_add(1, std::memory_order_relaxed);
    return question(**found);
  }

  /// Was this learned of the place so lately that another process's answer counts as our own?
  bool is_fresh(const Place& place, Clock::SystemTime learned);
  /// What is left of a time to live that began then.
  Ttl left(Clock::SystemTime learned);
  /// Forgets trust in everything that was learned before now.
  void refresh();
  /// Changes with every refresh(): an answer to a question from before it is not fresh.
  std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }
  std::uint64_t questions() const noexcept { return questions_.load(std::memory_order_relaxed); }
  std::int64_t started() const noexcept { return started_; }
  /// The mtime of what has no time that anybody tells.
  std::int64_t folder_time() const noexcept { return options_.start_is_time ? started_ : 0; }

  static Error would_block();

 private:
  static Error offline(const std::string& registry);

  std::unique_ptr<Sources> sources_;
  const Options options_;
  Away away_;
  const std::int64_t started_;
  std::atomic<std::uint64_t> epoch_ = 0;
  std::atomic<std::uint64_t> questions_ = 0;
  std::atomic<Clock::SystemTime::rep> not_before_;
};

}  // namespace berth::tree
