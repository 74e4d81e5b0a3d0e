// SPDX-License-Identifier: Apache-2.0
#include "content/scheduler.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "berth/base/log.hpp"
#include "berth/base/sync.hpp"

namespace berth::content {

using Ticks = std::chrono::steady_clock::time_point;
using Lane = std::pair<std::string, TransferKind>;

// Threads share the state by pointer: they are detached, and the last of them may still be leaving
// its function when the Scheduler is gone.
struct Scheduler::State {
  struct Job {
    Lane lane;
    Ticks not_before;
    std::function<void()> run;
  };

  explicit State(SchedulerLimits given)
      : limits(given) {}

  std::optional<Job> take(Ticks now) BERTH_REQUIRES(mutex);
  void grow(const std::shared_ptr<State>& self) BERTH_REQUIRES(mutex);
  std::chrono::nanoseconds until_next(Ticks now) const BERTH_REQUIRES(mutex);
  void work(const std::shared_ptr<State>& self);

  const SchedulerLimits limits;
  Mutex mutex;
  CondVar changed;
  std::list<Job> jobs BERTH_GUARDED_BY(mutex);
  std::map<Lane, int> running BERTH_GUARDED_BY(mutex);
  int threads BERTH_GUARDED_BY(mutex) = 0;
  int idle BERTH_GUARDED_BY(mutex) = 0;
  bool closed BERTH_GUARDED_BY(mutex) = false;
};

Scheduler::Scheduler(SchedulerLimits limits)
    : state_(std::make_shared<State>(limits)) {}

Scheduler::~Scheduler() { shutdown(); }

// The oldest job that may run now; a brief one before any bulk, because somebody waits for it.
std::optional<Scheduler::State::Job> Scheduler::State::take(Ticks now) {
  auto best = jobs.end();
  for (auto it = jobs.begin(); it != jobs.end(); ++it) {
    if (it->not_before > now || running[it->lane] >= limits.per_lane) continue;
    if (best == jobs.end()) best = it;
    if (it->lane.second == TransferKind::brief) {
      best = it;
      break;
    }
  }
  if (best == jobs.end()) return std::nullopt;
  Job job = std::move(*best);
  jobs.erase(best);
  ++running[job.lane];
  return job;
}

std::chrono::nanoseconds Scheduler::State::until_next(Ticks now) const {
  std::chrono::nanoseconds time = limits.idle;
  for (const Job& job : jobs) {
    if (job.not_before > now) time = std::min<std::chrono::nanoseconds>(time, job.not_before - now);
  }
  return time;
}

// A thread more when nobody is left to take, or to wait for, a job that its lane has a place for.
void Scheduler::State::grow(const std::shared_ptr<State>& self) {
  const bool runnable = std::ranges::any_of(jobs, [this](const Job& job) BERTH_REQUIRES(mutex) {
    return running[job.lane] < limits.per_lane;
  });
  if (idle > 0 || !runnable || threads >= limits.threads) return;
  try {
    std::thread([self]() noexcept { self->work(self); }).detach();
    ++threads;
  } catch (const std::system_error& error) {
    // A running thread takes the job; when there is none submit() says so.
    log::warning(fmt::format("cannot start a thread for a download: {}", error.what()));
  }
}

void Scheduler::State::work(const std::shared_ptr<State>& self) {
  MutexLock lock(mutex);
  while (!closed) {
    const Ticks now = std::chrono::steady_clock::now();
    if (auto job = take(now)) {
      grow(self);
      mutex.unlock();
      job->run();
      job->run = nullptr;  // what it holds may be the last of its kind: not under the lock
      mutex.lock();
      if (--running[job->lane] == 0) running.erase(job->lane);
      changed.notify_all();
      continue;
    }
    if (jobs.empty() && idle > 0) break;  // one idle thread is enough to answer the next job fast
    const auto time = until_next(now);
    const bool was_empty = jobs.empty();
    ++idle;
    changed.wait_for(mutex, time);
    --idle;
    if (was_empty && jobs.empty() && std::chrono::steady_clock::now() - now >= limits.idle) break;
  }
  --threads;
  changed.notify_all();
}

bool Scheduler::submit(const std::string& lane, TransferKind kind, std::function<void()> job,
                       std::chrono::nanoseconds delay) {
  MutexLock lock(state_->mutex);
  if (state_->closed) return true;  // nobody waits for it any more
  const auto not_before = std::chrono::steady_clock::now() +
                          std::chrono::duration_cast<std::chrono::steady_clock::duration>(delay);
  state_->jobs.push_back({{lane, kind}, not_before, std::move(job)});
  state_->grow(state_);
  if (state_->threads == 0) {
    state_->jobs.pop_back();
    return false;
  }
  state_->changed.notify_all();
  return true;
}

void Scheduler::shutdown() {
  std::list<State::Job> dropped;
  MutexLock lock(state_->mutex);
  state_->closed = true;
  dropped.swap(state_->jobs);
  state_->changed.notify_all();
  while (state_->threads > 0) state_->changed.wait(state_->mutex);
}

}  // namespace berth::content
