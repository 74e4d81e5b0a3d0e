// SPDX-License-Identifier: Apache-2.0
#include "tree/away.hpp"

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"

namespace berth::tree {
namespace {

/// Lines of one registry in .berth/offline: enough to see what is going on, bounded because a
/// `find` over a registry that is away would else fill the memory.
constexpr std::size_t kNoteLimit = 1000;

std::string date(Clock::SystemTime time) {
  return text::format_rfc3339(std::chrono::system_clock::to_time_t(time));
}

}  // namespace

bool Away::is_away(const Error& error) noexcept {
  return error.code() == Errc::unavailable || error.code() == Errc::timeout ||
         error.code() == Errc::rate_limited;
}

bool Away::resting(const std::string& registry) {
  const MutexLock lock(mutex_);
  const auto found = registries_.find(registry);
  return found != registries_.end() && found->second.away &&
         clock_.ticks() < found->second.ask_again;
}

std::optional<Error> Away::silent(const std::string& registry) {
  const MutexLock lock(mutex_);
  const auto found = registries_.find(registry);
  if (found == registries_.end() || !found->second.away ||
      clock_.ticks() >= found->second.ask_again || found->second.error->code() != Errc::timeout) {
    return std::nullopt;
  }
  return found->second.error;
}

void Away::served_stale(const std::string& registry, const std::string& what,
                        Clock::SystemTime since) {
  bool first = false;
  {
    const MutexLock lock(mutex_);
    ++stale_served_;
    auto& stale = registries_[registry].stale;
    first = stale.empty();
    if (stale.size() < kNoteLimit || stale.contains(what)) stale[what] = since;
  }
  if (first) {
    log::warning(fmt::format("{} is not asked, or does not answer; what was seen before is shown",
                             registry));
  }
}

void Away::failed(const std::string& registry, const Error& error) {
  bool first = false;
  {
    const MutexLock lock(mutex_);
    Registry& entry = registries_[registry];
    first = !entry.away;
    if (first) entry.since = clock_.now();
    // A rest is not made longer by who hears of it meanwhile, or it would never end.
    if (!first && clock_.ticks() < entry.ask_again) return;
    entry.away = true;
    entry.error = error;
    entry.ask_again =
        clock_.ticks() + std::chrono::duration_cast<Clock::SteadyTime::duration>(rest_);
  }
  if (first) log::info(fmt::format("{} does not answer: {}", registry, error.describe()));
}

void Away::answered(const std::string& registry, const std::string& what) {
  bool back = false;
  {
    const MutexLock lock(mutex_);
    const auto found = registries_.find(registry);
    if (found == registries_.end()) return;
    back = std::exchange(found->second.away, false);
    found->second.stale.erase(what);
    if (found->second.stale.empty()) registries_.erase(found);
  }
  if (back) log::info(fmt::format("{} answers again", registry));
}

void Away::refresh() {
  const MutexLock lock(mutex_);
  for (auto& [name, registry] : registries_) registry.ask_again = clock_.ticks();
}

std::string Away::text() {
  const MutexLock lock(mutex_);
  std::string text;
  for (const auto& [name, registry] : registries_) {
    if (registry.away) {
      text += fmt::format("{} has not answered since {}: {}\n", name, date(registry.since),
                          text::escape_for_terminal(registry.error->message()));
    } else {
      text += fmt::format("{} answers again; not yet asked again:\n", name);
    }
    for (const auto& [what, since] : registry.stale) {
      const bool known = since != Clock::SystemTime{};
      text += fmt::format("  {} {}\n", what, known ? "as of " + date(since) : "of unknown age");
    }
    if (registry.stale.size() >= kNoteLimit) text += "  and more\n";
  }
  return text.empty() ? "Nothing that was served is older than its time to live.\n" : text;
}

std::size_t Away::stale_served() const {
  const MutexLock lock(mutex_);
  return stale_served_;
}

}  // namespace berth::tree
