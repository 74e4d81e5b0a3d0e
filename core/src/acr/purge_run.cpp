// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <fmt/format.h>

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"

#include "acr/parallel.hpp"
#include "acr/parse.hpp"
#include "acr/purge_impl.hpp"
#include "acr/requests.hpp"

namespace berth::acr {
namespace {

using Reason = PurgeSkipped::Reason;
using Key = std::pair<std::string, std::string>;  // repository, and tag or digest

/// How one deletion ended: nullopt when it is gone.
using Outcome = Result<std::optional<Reason>>;

/// One execution.
class Run {
 public:
  Run(Core& core, const PurgeOptions& options,
      std::function<auth::Scopes(const std::string&)> scopes, const PurgePlan& plan,
      const Context& context)
      : core_(core),
        options_(options),
        scopes_(std::move(scopes)),
        plan_(plan),
        context_(context) {}

  PurgeResult run() {
    for_each(plan_.tags.size(), options_.concurrency, [&](std::size_t i) {
      const PurgeTag& tag = plan_.tags[i];
      const bool gone = note(fmt::format("{}/{}:{}", core_.name(), tag.repository, tag.name),
                             remove(tag), &PurgeResult::tags_deleted);
      if (!gone)
        left_.lock_and([&](std::set<Key>& left) { left.insert({tag.repository, tag.name}); });
      return !stopped();
    });
    if (!stopped()) remove_manifests();
    return std::move(result_);
  }

 private:
  /// A set behind a lock.
  struct Left {
    Mutex mutex;
    std::set<Key> keys BERTH_GUARDED_BY(mutex);
    template <class F>
    void lock_and(F use) {
      const MutexLock lock(mutex);
      use(keys);
    }
    bool contains(const Key& key) {
      const MutexLock lock(mutex);
      return keys.contains(key);
    }
  };

  Call with_scopes(Call call) const {
    call.scopes = scopes_(call.repository);
    return call;
  }

  Result<void> unlock(const Call& call) {
    Call change = requests::change(call, {.can_delete = true, .can_write = true});
    change.scopes = call.scopes;
    TRY(core_.send(change, {}, context_));
    return {};
  }

  /// Gone meanwhile counts as deleted, and locked is no failure.
  static Outcome outcome_of(Error error) {
    if (error.code() == Errc::not_found) return std::optional<Reason>();
    if (error.http() != nullptr && error.http()->status == 405)
      return std::optional(Reason::locked);
    return error;
  }

  Outcome remove(const PurgeTag& tag) {
    const Call call = with_scopes(requests::tag(core_, tag.repository, tag.name));
    if (options_.look_again) {
      const auto now = requests::ask(core_, call, parse_tag, {}, context_);
      if (!now) return outcome_of(now.error());
      if (now->digest != tag.digest || now->last_updated_on != tag.last_updated_on) {
        return std::optional(Reason::changed);
      }
    }
    return unlock_and_remove(tag.locked, call, with_scopes(requests::removal(call)));
  }

  Outcome remove(const PurgeManifest& manifest) {
    const Call call = with_scopes(requests::manifest(core_, manifest.repository, manifest.digest));
    if (options_.look_again) {
      const auto now = requests::ask(core_, call, parse_manifest, {}, context_);
      if (!now) return outcome_of(now.error());
      // Taking its tags away may count as an update of it.
      const bool updated =
          manifest.tags.empty() && now->last_updated_on != manifest.last_updated_on;
      if (!now->tags.empty() || updated) return std::optional(Reason::changed);
    }
    return unlock_and_remove(
        manifest.locked, call,
        with_scopes(requests::manifest_removal(core_, manifest.repository, manifest.digest)));
  }

  Outcome unlock_and_remove(bool locked, const Call& call, const Call& removal) {
    if (locked && options_.include_locked) {
      if (auto unlocked = unlock(call); !unlocked) return outcome_of(unlocked.error());
    }
    const auto removed = core_.send(removal, {}, context_, /*ignore_not_found=*/true);
    if (!removed) return outcome_of(removed.error());
    return std::optional<Reason>();
  }

  /// Counts it; true when it is gone.
  bool note(const std::string& reference, Outcome outcome, std::size_t PurgeResult::* counter) {
    const MutexLock lock(mutex_);
    if (outcome && !*outcome) {
      ++(result_.*counter);
      if (options_.on_deleted) options_.on_deleted(reference);
      return true;
    }
    if (outcome) {
      result_.skipped.push_back({reference, **outcome});
      return false;
    }
    Error error = std::move(outcome).error();
    const Errc code = error.code();
    // What throttles one request after its retries throttles all that would follow.
    const bool ends = code == Errc::unauthenticated || code == Errc::cancelled ||
                      code == Errc::timeout || code == Errc::rate_limited || !context_.check();
    if (ends && !result_.stopped_by) result_.stopped_by = error;
    result_.skipped.push_back({reference, Reason::failed, std::move(error)});
    return false;
  }

  bool stopped() {
    const MutexLock lock(mutex_);
    return result_.stopped_by.has_value();
  }

  /// In rounds: each index in a round before what it names.
  void remove_manifests() {
    std::map<Key, const PurgeManifest*> rest;
    for (const PurgeManifest& manifest : plan_.manifests) {
      rest[{manifest.repository, manifest.digest.text()}] = &manifest;
    }
    while (!rest.empty() && !stopped()) {
      std::set<Key> named;
      for (const auto& [key, manifest] : rest) {
        for (const Digest& child : manifest->related_artifacts) {
          if (child != manifest->digest) named.insert({key.first, child.text()});
        }
      }
      std::vector<const PurgeManifest*> round;
      for (const auto& [key, manifest] : rest) {
        if (!named.contains(key)) round.push_back(manifest);
      }
      // A circle cannot be made of digests; were there one, nothing of it would be touched.
      if (round.empty()) return;
      for_each(round.size(), options_.concurrency, [&](std::size_t i) {
        remove_or_keep(*round[i]);
        return !stopped();
      });
      for (const PurgeManifest* done : round) rest.erase({done->repository, done->digest.text()});
    }
  }

  void remove_or_keep(const PurgeManifest& manifest) {
    const Key key{manifest.repository, manifest.digest.text()};
    const bool needed =
        left_.contains(key) || std::ranges::any_of(manifest.tags, [&](const auto& tag) {
          return left_.contains({manifest.repository, tag});
        });
    const bool gone = note(fmt::format("{}/{}@{}", core_.name(), key.first, key.second),
                           needed ? Outcome(std::optional(Reason::needed)) : remove(manifest),
                           &PurgeResult::manifests_deleted);
    if (gone) return;
    left_.lock_and([&](std::set<Key>& left) {
      for (const Digest& child : manifest.related_artifacts) left.insert({key.first, child.text()});
    });
  }

  Core& core_;
  const PurgeOptions& options_;
  const std::function<auth::Scopes(const std::string&)> scopes_;
  const PurgePlan& plan_;
  const Context& context_;
  Left left_;  ///< tags that were not deleted, and what is named by manifests that were not
  Mutex mutex_;
  PurgeResult result_;
};

}  // namespace

PurgeResult Purge::execute(const PurgePlan& plan, const Context& context) const {
  const Impl& impl = *impl_;
  return Run(
             *impl.core, impl.options,
             [&](const std::string& repository) { return impl.scopes(repository); }, plan, context)
      .run();
}

}  // namespace berth::acr
