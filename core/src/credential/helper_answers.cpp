// SPDX-License-Identifier: Apache-2.0
#include "credential/helper_answers.hpp"

#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/credential/helper.hpp"

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

}  // namespace

HelperAnswers::Answer HelperAnswers::ask(const std::string& name, const std::string& server_url,
                                         const Environment& environment, const Context& context) {
  const Key key(name, server_url);
  {
    const MutexLock lock(mutex_);
    while (true) {
      Entry& entry = entries_[key];
      if (entry.answer && clock_.ticks() < entry.expires) return *entry.answer;
      if (!entry.running) {
        if (context.is_nonblocking()) break;  // ask_helper says why
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
  Answer answer = ask_helper(name, server_url, environment, context.with_timeout(timeout_));
  if (context.is_nonblocking()) return answer;
  const MutexLock lock(mutex_);
  Entry& entry = entries_[key];
  entry.running = false;
  entry.answer.reset();
  if (!is_callers_own(answer, context)) {
    entry.answer = answer;
    entry.given = clock_.ticks();
    entry.expires = clock_.ticks() + (answer ? lifetime_ : kFailureLifetime);
  }
  done_.notify_all();
  return answer;
}

void HelperAnswers::forget(const std::string& server_url) {
  const MutexLock lock(mutex_);
  for (auto& [key, entry] : entries_) {
    const bool young = clock_.ticks() - entry.given < kMinimumAge;
    if (key.second == server_url && !young) entry.answer.reset();
  }
}

}  // namespace berth::credential
