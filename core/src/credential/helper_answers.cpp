// SPDX-License-Identifier: Apache-2.0
#include "credential/helper_answers.hpp"

#include <fmt/format.h>

#include "berth/base/on_exit.hpp"
#include "berth/base/try.hpp"

namespace berth::credential {
namespace {

/// A failure is shared by who waits for it and by who asks just after, and then tried again: the
/// key ring may have been unlocked meanwhile.
constexpr std::chrono::seconds kFailureLifetime{5};
/// An answer this young is not asked for again: many refusals in a row would each run the helper.
constexpr std::chrono::seconds kMinimumAge{10};

/// The failure of this caller's own deadline says nothing about the helper.
bool is_callers_own(const HelperAnswers::Answer& answer, const Context& context) {
  return !answer && !context.check();
}

/// The helper's time was over and not the caller's.
bool is_late(const HelperAnswers::Answer& answer, const Context& context) {
  return !answer && answer.error().code() == Errc::timeout && !is_callers_own(answer, context);
}

}  // namespace

HelperAnswers::Answer HelperAnswers::ask(const std::string& name, const std::string& server_url,
                                         const Ask& ask, const Context& context) {
  const Key key(name, server_url);
  {
    const MutexLock lock(mutex_);
    while (true) {
      Entry& entry = entries_[key];
      if (entry.answer && clock_.ticks() < entry.expires) return *entry.answer;
      if (!entry.running) {
        if (auto refused = refuse_hung(name, server_url)) return *std::move(refused);
        if (context.is_nonblocking()) break;  // what is asked says why
        entry.running = true;
        break;
      }
      if (context.is_nonblocking()) {
        return Error(Errc::would_block, fmt::format("helper {} is being asked", name));
      }
      TRY(context.check());
      done_.wait(mutex_, context);
    }
  }
  if (context.is_nonblocking()) return ask(context);
  // Whoever waits is woken however this ends, be it by an exception.
  std::optional<Answer> kept;
  const OnExit end([&] { settle(key, kept); });
  Answer answer = ask(context.with_timeout(timeout_));
  if (is_late(answer, context)) {
    // To the caller it failed, as one that says so.
    answer = Error(Errc::unauthenticated, answer.error().message());
    const MutexLock lock(mutex_);
    if (name != kRoutes) {
      hung_[name] = {answer.error().message(), clock_.ticks() + kFailureLifetime};
    }
  }
  if (!is_callers_own(answer, context)) kept = answer;
  return answer;
}

std::optional<Error> HelperAnswers::refuse_hung(const std::string& name,
                                                const std::string& server_url) {
  const auto found = hung_.find(name);
  if (found == hung_.end() || clock_.ticks() >= found->second.until) return std::nullopt;
  return Error(Errc::unauthenticated, fmt::format("helper {} is not asked for {} after {}", name,
                                                  server_url, found->second.why));
}

void HelperAnswers::settle(const Key& key, const std::optional<Answer>& answer) {
  const MutexLock lock(mutex_);
  Entry& entry = entries_[key];
  entry.running = false;
  entry.answer = answer;
  if (answer) {
    entry.given = clock_.ticks();
    entry.expires = clock_.ticks() + (*answer ? lifetime_ : kFailureLifetime);
  }
  done_.notify_all();
}

void HelperAnswers::forget(const std::string& server_url) {
  const MutexLock lock(mutex_);
  for (auto& [key, entry] : entries_) {
    const bool young = clock_.ticks() - entry.given < kMinimumAge;
    const bool is_of_it = key.second == server_url || key.second.starts_with(server_url + "/");
    if (is_of_it && !young) entry.answer.reset();
  }
}

}  // namespace berth::credential
