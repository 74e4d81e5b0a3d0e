// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "berth/base/context.hpp"
#include "berth/base/sync.hpp"

namespace berth {

/// One request however many ask: the first to ask for a key does the work, the others wait for its
/// answer, each no longer than its own Context allows. Thread safe.
template <class Value>
class SingleFlight {
 public:
  /// would_block for a non-blocking Context: whoever comes here needs work or a wait.
  template <class Work>
  Result<Value> run(const std::string& key, const Context& context, Work&& work) {
    if (context.is_nonblocking()) return would_block();
    for (;;) {
      auto [call, leads] = join(key);
      if (leads) return lead(key, call, context, work);
      auto answer = wait(*call, context);
      // nullopt: whoever led gave up for reasons of its own, so somebody else has to ask.
      if (answer) return std::move(*answer);
    }
  }

  /// Does the work unless somebody is at it: never waits for another. nullopt when it did not.
  template <class Work>
  std::optional<Result<Value>> run_if_free(const std::string& key, const Context& context,
                                           Work&& work) {
    auto [call, leads] = join(key);
    if (!leads) return std::nullopt;
    return lead(key, call, context, work);
  }

  /// For work that looks first at what is at hand: a non-blocking caller does it, too, and gets
  /// would_block only where somebody else is at it.
  template <class Work>
  Result<Value> run_or_look(const std::string& key, const Context& context, Work&& work) {
    if (!context.is_nonblocking()) return run(key, context, work);
    auto looked = run_if_free(key, context, work);
    return looked ? *std::move(looked) : would_block();
  }

  static Error would_block() { return {Errc::would_block, "the answer needs the network"}; }

 private:
  struct Call {
    Mutex mutex;
    CondVar done_changed;
    bool done BERTH_GUARDED_BY(mutex) = false;
    bool abandoned BERTH_GUARDED_BY(mutex) = true;
    std::optional<Result<Value>> answer BERTH_GUARDED_BY(mutex);
  };

  std::pair<std::shared_ptr<Call>, bool> join(const std::string& key) {
    const MutexLock lock(mutex_);
    auto [place, added] = calls_.try_emplace(key);
    if (added) place->second = std::make_shared<Call>();
    return {place->second, added};
  }

  template <class Work>
  Result<Value> lead(const std::string& key, const std::shared_ptr<Call>& call,
                     const Context& context, Work& work) {
    // Ends the call even when the work throws: nobody waits for ever.
    struct End {
      SingleFlight& flight;
      const std::string& key;
      Call& call;
      ~End() {
        {
          const MutexLock lock(flight.mutex_);
          flight.calls_.erase(key);
        }
        const MutexLock lock(call.mutex);
        call.done = true;
        call.done_changed.notify_all();
      }
    };
    const End end{*this, key, *call};
    Result<Value> answer = work();
    const MutexLock lock(call->mutex);
    call->answer = answer;
    // Its own deadline, or that it must not wait, says nothing to the others.
    call->abandoned = !answer && (answer.error().code() == Errc::would_block || !context.check());
    return answer;
  }

  std::optional<Result<Value>> wait(Call& call, const Context& context) {
    const MutexLock lock(call.mutex);
    while (!call.done) {
      if (const auto going = context.check(); !going) return Result<Value>(going.error());
      call.done_changed.wait(call.mutex, context);
    }
    if (call.abandoned) return std::nullopt;
    return call.answer;
  }

  Mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Call>> calls_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth
