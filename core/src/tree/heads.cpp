// SPDX-License-Identifier: Apache-2.0
#include "tree/heads.hpp"

#include <algorithm>

#include "berth/base/error_chain.hpp"
#include "berth/http/limits.hpp"

namespace berth::tree {
namespace {

/// Folders that are being read at the same time; an older one is only read slower.
constexpr std::size_t kFolders = 8;

/// Less is what somebody asks again for at once; a longer rest would be one that a registry could
/// make last for ever. To ask once in a minute is what it has to bear.
Clock::SteadyTime::duration rest_of(const Error& error, std::chrono::nanoseconds least) {
  const HttpInfo* answer = answer_behind(error);
  const auto wanted = answer != nullptr ? answer->retry_after.value_or(std::chrono::milliseconds(0))
                                        : std::chrono::milliseconds(0);
  return std::max<std::chrono::nanoseconds>(
      least, std::min<std::chrono::nanoseconds>(wanted, http::limits::kRetryAfterCap));
}

}  // namespace

/// Another 5xx, or a connection that broke, may be of one broken tag, and of a deadline that passed
/// the whole registry is told (Away::silent).
std::optional<Heads::Sign> Heads::sign_of(const Error& error) {
  if (error.code() == Errc::rate_limited) return Sign::too_many;
  if (error.code() != Errc::unavailable) return std::nullopt;
  if (reached_nobody(error)) return Sign::nobody;
  const HttpInfo* answer = answer_behind(error);
  if (answer != nullptr && answer->status == 503) return Sign::closed;
  return std::nullopt;
}

Result<Permits::Held> Permits::acquire(bool ahead, const Context& context) {
  const MutexLock lock(mutex_);
  waiting_ += ahead ? 0 : 1;
  Result<void> going = context.check();
  while (going && (free_ == 0 || (ahead && waiting_ > 0))) {
    freed_.wait(mutex_, context);
    going = context.check();
  }
  waiting_ -= ahead ? 0 : 1;
  // Those who work ahead may have been waiting for the last one who asks to be served.
  if (waiting_ == 0) freed_.notify_all();
  if (!going) return going.error();
  --free_;
  return Held(this);
}

int Permits::waiting() {
  const MutexLock lock(mutex_);
  return waiting_;
}

void Permits::release() {
  const MutexLock lock(mutex_);
  ++free_;
  freed_.notify_all();
}

Heads::Heads(int jobs, Clock& clock, std::chrono::nanoseconds rest, Resolve resolve)
    : jobs_(static_cast<std::size_t>(std::max(jobs, 1))),
      clock_(clock),
      rest_(rest),
      resolve_(std::move(resolve)) {}

Heads::~Heads() {
  stop_.request_stop();
  std::vector<std::thread> workers;
  {
    const MutexLock lock(mutex_);
    folders_.clear();
    workers.swap(workers_);
    more_.notify_all();
  }
  for (std::thread& worker : workers) worker.join();
}

Heads::Folders::iterator Heads::find(const Place& place) {
  return std::ranges::find_if(folders_, [&](const std::shared_ptr<Folder>& folder) {
    return folder->place.key() == place.key();
  });
}

bool Heads::is_resting(const Folder& folder) const {
  return folder.rest.failure && clock_.ticks() < folder.rest.until;
}

void Heads::listed(const Place& place, NameListPtr tags) {
  const MutexLock lock(mutex_);
  auto folder = std::make_shared<Folder>();
  folder->place = place;
  folder->tags = std::move(tags);
  if (const auto known = find(place); known != folders_.end()) {
    // The same list again while it is being read: what was done for it stays done.
    if ((*known)->tags == folder->tags && !(*known)->stopped) return;
    (*known)->stopped = true;
    folder->rest = (*known)->rest;
    folder->broken = (*known)->broken;
    folders_.erase(known);
  }
  folders_.push_front(std::move(folder));
  if (folders_.size() > kFolders) folders_.pop_back();
}

void Heads::asked(const Place& place, const std::string& tag) {
  const MutexLock lock(mutex_);
  const auto known = find(place);
  if (known == folders_.end() || (*known)->stopped || is_resting(**known)) return;
  Folder& folder = **known;
  const auto at = std::ranges::lower_bound(folder.tags->names, tag);
  if (at == folder.tags->names.end() || *at != tag) return;
  if (folder.allowed == 0) {
    folder.first = static_cast<std::size_t>(at - folder.tags->names.begin());
    folder.scheduled = 1;  // who asks does the first one itself
    folder.allowed = kAhead;
  }
  folder.allowed = std::min(folder.allowed + 1, folder.tags->names.size());
  const std::size_t waiting = folder.allowed - std::min(folder.allowed, folder.scheduled);
  for (std::size_t more = waiting > idle_ ? waiting - idle_ : 0;
       more > 0 && workers_.size() < jobs_; --more) {
    workers_.emplace_back([this, stop = stop_.get_token()] { work(stop); });
  }
  more_.notify_all();
}

void Heads::failed(const Place& place, const std::string& tag, const Error& error) {
  const std::optional<Sign> sign = sign_of(error);
  if (!sign) return;
  const MutexLock lock(mutex_);
  const auto known = find(place);
  // As of a registry that rests: not made longer by who hears of it meanwhile.
  if (known == folders_.end() || is_resting(**known)) return;
  if (sign != Sign::too_many && (*known)->broken.contains(tag)) return;
  Rest& rest = (*known)->rest;
  // After a rest that was proven, with no success since, the first one is enough.
  const bool is_second = rest.sign == sign && (rest.failure || rest.tag != tag);
  if (sign != Sign::too_many && !is_second) {
    rest = Rest{.sign = sign, .tag = tag, .failure = std::nullopt, .until = {}};
    return;
  }
  (*known)->stopped = true;
  rest = Rest{
      .sign = sign, .tag = tag, .failure = error, .until = clock_.ticks() + rest_of(error, rest_)};
}

void Heads::answered(const Place& place, const std::string& tag) {
  const MutexLock lock(mutex_);
  const auto known = find(place);
  if (known == folders_.end()) return;
  Folder& folder = **known;
  folder.broken.erase(tag);
  const bool too_many = folder.rest.sign == Sign::too_many;
  // It was let through before the others were too many.
  if (too_many && is_resting(folder)) return;
  // Asked for again and again, two that are broken would soon follow one another.
  const bool is_own = folder.rest.sign && !too_many && folder.rest.tag != tag;
  if (is_own) folder.broken.insert(folder.rest.tag);
  folder.rest = {};
}

std::optional<Error> Heads::failure(const Place& place) {
  const MutexLock lock(mutex_);
  const auto known = find(place);
  if (known == folders_.end() || !is_resting(**known)) return std::nullopt;
  return (*known)->rest.failure;
}

void Heads::refresh() {
  const MutexLock lock(mutex_);
  for (const auto& folder : folders_) {
    folder->rest = {};
    folder->broken.clear();
  }
}

std::optional<Heads::Job> Heads::next() {
  for (const std::shared_ptr<Folder>& folder : folders_) {
    if (folder->stopped || folder->scheduled >= folder->allowed) continue;
    const std::size_t at = (folder->first + folder->scheduled++) % folder->tags->names.size();
    return Job{folder, folder->tags->names[at]};
  }
  return std::nullopt;
}

void Heads::work(const std::stop_token& stop) {
  const Context context = Context().with_stop(stop);
  for (;;) {
    std::optional<Job> job;
    {
      const MutexLock lock(mutex_);
      ++idle_;
      while (!stop.stop_requested() && !(job = next())) more_.wait(mutex_);
      --idle_;
    }
    if (!job) return;
    const Result<void> resolved = resolve_(job->folder->place, job->tag, context);
    if (resolved || resolved.error().code() == Errc::not_found) continue;
    // Refused, too many requests, or away: the rest would only get the same answer.
    const MutexLock lock(mutex_);
    job->folder->stopped = true;
  }
}

}  // namespace berth::tree
