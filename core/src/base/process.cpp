// SPDX-License-Identifier: Apache-2.0
#include "berth/base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stop_token>

#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"

#include "base/spawn.hpp"

namespace berth {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A program that ended may have left a child behind that keeps the pipes open for ever. What was
/// written before is in the pipe by then; this is for children that end a moment later.
constexpr milliseconds kDrainTime{250};
/// How often an end is looked for where the kernel has no pidfd.
constexpr milliseconds kPollStep{20};

/// glibc 2.36 declares its own without extern "C".
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

/// Keeps SIGPIPE from this thread while it writes to a program that may not read. The signal is
/// synchronous: it is pending on this thread or not at all, and is taken back before the mask is.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeGuard() {
    const timespec no_time{};
    if (!was_pending_) {
      while (::sigtimedwait(&pipe_, nullptr, &no_time) < 0 && errno == EINTR) {
      }
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;

 private:
  sigset_t pipe_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

/// A running program: fed, listened to, and in the end always reaped.
class Run {
 public:
  Run(const ProcessSpec& spec, Child child)
      : spec_(spec),
        child_(std::move(child)),
        pidfd_(open_pidfd(child_.pid)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Run() {
    if (!reaped_) kill_group();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  Result<ProcessResult> finish(const Context& context) {
    const SigpipeGuard guard;
    const std::stop_callback on_stop(context.stop(), [this] { ::eventfd_write(wake_.get(), 1); });
    if (spec_.input.empty()) child_.in.reset();
    while (!is_over()) {
      if (!reaped_) TRY(in_time(context));
      wait_for_something(context);
      feed();
      TRY(read_output());
      drain(child_.err, result_.error_output, true);
      reap_if_ended();
    }
    if (status_lost_) {
      return Error(Errc::internal,
                   "cannot learn how '" + spec_.argv[0] + "' ended: this process ignores SIGCHLD");
    }
    return std::move(result_);
  }

 private:
  bool is_over() const {
    if (!reaped_) return false;
    return (!child_.out && !child_.err) || steady_clock::now() >= drained_by_;
  }

  Result<void> in_time(const Context& context) const {
    Result<void> checked = context.check();
    if (checked) return {};
    const bool late = checked.error().code() == Errc::timeout;
    return Error(checked.error().code(),
                 "'" + spec_.argv[0] +
                     (late ? "' did not end in the time given to it and was killed"
                           : "' was killed because the operation was cancelled"));
  }

  int poll_time(const Context& context) const {
    milliseconds most{60'000};
    if (reaped_) {
      most = std::chrono::ceil<milliseconds>(drained_by_ - steady_clock::now());
    } else if (!pidfd_) {
      most = kPollStep;
    }
    const auto left = reaped_ ? most : std::chrono::ceil<milliseconds>(context.remaining(most));
    return static_cast<int>(std::max(left, milliseconds(0)).count());
  }

  void wait_for_something(const Context& context) {
    // A negative descriptor is ignored by poll(2): closed pipes need no case of their own. Once it
    // ended, neither a stop nor the end itself may be polled again, or this would spin.
    std::array<pollfd, 5> wanted{{
        {.fd = child_.in.get(), .events = POLLOUT, .revents = 0},
        {.fd = child_.out.get(), .events = POLLIN, .revents = 0},
        {.fd = child_.err.get(), .events = POLLIN, .revents = 0},
        {.fd = reaped_ ? -1 : pidfd_.get(), .events = POLLIN, .revents = 0},
        {.fd = reaped_ ? -1 : wake_.get(), .events = POLLIN, .revents = 0},
    }};
    ::poll(wanted.data(), wanted.size(), poll_time(context));
  }

  void feed() {
    while (child_.in) {
      const ssize_t put =
          ::write(child_.in.get(), spec_.input.data() + fed_, spec_.input.size() - fed_);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0 && errno == EAGAIN) return;
      // Who does not read its input may still do its work: its exit status tells.
      if (put >= 0) fed_ += static_cast<std::size_t>(put);
      if (put < 0 || fed_ == spec_.input.size()) child_.in.reset();
    }
  }

  Result<void> read_output() {
    if (drain(child_.out, result_.output, false)) return {};
    return Error(Errc::too_large, "'" + spec_.argv[0] + "' printed more than " +
                                      std::to_string(spec_.output_limit) + " bytes and was killed");
  }

  /// Reads what is there; false when it passes the limit. With `cut` the rest is dropped instead.
  bool drain(Fd& from, std::string& to, bool cut) {
    std::array<char, 16 * 1024> buffer;
    while (from) {
      const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EAGAIN) return true;
      if (got <= 0) {
        from.reset();
        return true;
      }
      const std::size_t room = spec_.output_limit - to.size();
      to.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
      if (!cut && static_cast<std::size_t>(got) > room) return false;
      // One that never stops printing must not keep us from the clock.
      if (cut || static_cast<std::size_t>(got) == buffer.size()) return true;
    }
    return true;
  }

  void reap_if_ended() {
    if (reaped_) return;
    int status = 0;
    const pid_t ended = ::waitpid(child_.pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR)) return;
    reaped_ = true;
    status_lost_ = ended < 0;
    result_.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    drained_by_ = steady_clock::now() + kDrainTime;
    child_.in.reset();
  }

  /// Only while the leader is not reaped: until then its number cannot belong to anybody else.
  void kill_group() {
    ::kill(-child_.pid, SIGKILL);
    while (::waitpid(child_.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    reaped_ = true;
  }

  const ProcessSpec& spec_;
  Child child_;
  Fd pidfd_;
  Fd wake_;
  ProcessResult result_;
  std::size_t fed_ = 0;
  bool reaped_ = false;
  bool status_lost_ = false;
  steady_clock::time_point drained_by_{};
};

}  // namespace

Result<ProcessResult> run_process(const ProcessSpec& spec, const Context& context) {
  if (spec.argv.empty()) return Error(Errc::invalid_argument, "no program was named");
  TRY(context.check());
  if (context.is_nonblocking()) {
    return Error(Errc::would_block, "running '" + spec.argv[0] + "' would have to wait");
  }
  Child child = TRY(spawn(spec));
  Run run(spec, std::move(child));
  return run.finish(context);
}

}  // namespace berth
