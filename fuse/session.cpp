// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "session.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>
#include <fuse3/fuse_lowlevel.h>

#include "berth/base/fd.hpp"
#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"

namespace berth::fuse {
namespace {

/// Interrupts a thread that reads from /dev/fuse. Nobody else sends it.
constexpr int kWake = SIGUSR2;

/// What libfuse said last was wrong: it gives reasons to its log alone. Written and read by the
/// thread that mounts.
thread_local std::string last_complaint;

void take_libfuse_line(fuse_log_level level, const char* format, va_list arguments) {
  char line[512];
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  std::string_view text(
      line,
      length < 0 ? 0 : std::min<std::size_t>(static_cast<std::size_t>(length), sizeof line - 1));
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  if (level <= FUSE_LOG_ERR) last_complaint = text;
  log::write(level <= FUSE_LOG_ERR ? log::Level::error : log::Level::debug, text);
}

/// What to do about a mount that failed, as far as the device tells.
std::string remedy() {
  constexpr const char* kDevice = "/dev/fuse";
  const Fd device(::open(kDevice, O_RDWR | O_CLOEXEC));
  const int number = errno;
  struct stat info{};
  if (!device && (number == ENOENT || number == ENODEV || number == ENXIO)) {
    return "; load the module (modprobe fuse), or give the container the device (docker run "
           "--device /dev/fuse --cap-add SYS_ADMIN)";
  }
  if (!device) return "; /dev/fuse cannot be opened: its mode should be 0666, or mount as root";
  if (::fstat(device.get(), &info) != 0 || !S_ISCHR(info.st_mode)) {
    return "; /dev/fuse is no device: give the container the real one (docker run --device "
           "/dev/fuse --cap-add SYS_ADMIN)";
  }
  return "; `berth doctor` says more, and a container needs --cap-add SYS_ADMIN";
}

Error mount_error(const std::string& mount_point) {
  // As a user it is fusermount3 that says why, to standard error.
  const std::string why = last_complaint.empty() ? "the line before may say why"
                                                 : std::string(text::trim(last_complaint));
  return {Errc::io, fmt::format("cannot mount on {}: {}{}", mount_point, why, remedy())};
}

void prepare_wake_signal() {
  struct sigaction action{};
  action.sa_handler = [](int) {};  // without SA_RESTART: read(2) ends with EINTR
  ::sigaction(kWake, &action, nullptr);
}

/// The kernel's options of the mount. Devices and set-user-id programs of an image never count, and
/// modes are checked by the kernel, so that allow_other opens nothing but what the modes say.
fuse_args arguments_of(const SessionOptions& options) {
  fuse_args arguments = FUSE_ARGS_INIT(0, nullptr);
  char* list = nullptr;
  const auto add = [&list](const std::string& option) {
    fuse_opt_add_opt_escaped(&list, option.c_str());
  };
  for (const char* option : {"subtype=berth", "nosuid", "nodev", "default_permissions"}) {
    add(option);
  }
  add(options.writable ? "rw" : "ro");
  add("fsname=" + options.source);
  add(fmt::format("max_read={}", Buffers::kSize));
  if (options.allow_other) add("allow_other");
  for (const std::string& option : options.kernel_options) add(option);
  fuse_opt_add_arg(&arguments, "berthfs");
  fuse_opt_add_arg(&arguments, "-o");
  fuse_opt_add_arg(&arguments, list);
  std::free(list);
  return arguments;
}

// What goes to and comes from the kernel passes the Server's Passthrough. Otherwise these do what
// libfuse does without them.
Passthrough& passthrough_of(void* server) { return static_cast<Server*>(server)->passthrough(); }

ssize_t read_request(int device, void* buffer, std::size_t size, void* server) {
  const ssize_t got = ::read(device, buffer, size);
  if (got > 0) {
    passthrough_of(server).received(
        {static_cast<const std::byte*>(buffer), static_cast<std::size_t>(got)});
  }
  return got;
}

ssize_t write_answer(int device, iovec* parts, int count, void* server) {
  Passthrough& passthrough = passthrough_of(server);
  if (!passthrough.is_agreeing()) return ::writev(device, parts, count);
  const auto sent = passthrough.sending({parts, static_cast<std::size_t>(count)});
  return ::writev(device, sent.data(), count);
}

ssize_t splice_answer(int from, off_t* from_offset, int to, off_t* to_offset, std::size_t size,
                      unsigned flags, void*) {
  return ::splice(from, from_offset, to, to_offset, size, flags);
}

Result<void> pass_by(::fuse_session* session, Server& server) {
  constexpr fuse_custom_io kCalls{.writev = &write_answer,
                                  .read = &read_request,
                                  .splice_receive = nullptr,
                                  .splice_send = &splice_answer};
  const int device = fuse_session_fd(session);
  server.passthrough().attach(device);
  const int refused = fuse_session_custom_io(session, &kCalls, device);
  if (refused == 0) return {};
  return Error::from_errno(-refused, "libfuse refused the calls that read and write for it");
}

}  // namespace

Session::Session(Server& server, Notifier& notifier, SessionOptions options)
    : server_(server),
      notifier_(notifier),
      options_(std::move(options)) {}

Result<std::unique_ptr<Session>> Session::mount(Server& server, Notifier& notifier,
                                                SessionOptions options) {
  fuse_set_log_func(&take_libfuse_line);
  std::unique_ptr<Session> session(new Session(server, notifier, std::move(options)));
  fuse_args arguments = arguments_of(session->options_);
  session->session_ =
      fuse_session_new(&arguments, &Server::operations(), sizeof(fuse_lowlevel_ops), &server);
  fuse_opt_free_args(&arguments);
  if (session->session_ == nullptr) {
    return Error(Errc::internal, "libfuse refused the options of the mount");
  }
  last_complaint.clear();
  if (fuse_session_mount(session->session_, session->options_.mount_point.c_str()) != 0) {
    return mount_error(session->options_.mount_point);
  }
  session->mounted_ = true;
  TRY(pass_by(session->session_, server));
  return session;
}

Session::~Session() { end(); }

void Session::start() {
  prepare_wake_signal();
  notifier_.start(session_, server_.filesystem());
  running_ = options_.threads;
  for (unsigned i = 0; i < options_.threads; ++i) {
    threads_.emplace_back([this] { loop(); });
    pthread_setname_np(threads_.back().native_handle(), "berth-fuse");
  }
}

/// libfuse's own loop makes threads without bound, and ends them by pthread_cancel: this one is its
/// public half.
void Session::loop() {
  sigset_t wake;
  sigemptyset(&wake);
  sigaddset(&wake, kWake);
  pthread_sigmask(SIG_UNBLOCK, &wake, nullptr);
  fuse_buf buffer{};
  while (fuse_session_exited(session_) == 0) {
    const int got = fuse_session_receive_buf(session_, &buffer);
    if (got == -EINTR) continue;
    if (got <= 0) break;  // unmounted
    fuse_session_process_buf(session_, &buffer);
  }
  std::free(buffer.mem);
  if (--running_ == 0 && !ending_ && options_.on_unmounted) options_.on_unmounted();
}

void Session::stop_threads() {
  ending_ = true;
  fuse_session_exit(session_);
  // A signal that comes between the look at the flag and the read is lost: it is sent again.
  while (running_ > 0) {
    for (std::thread& thread : threads_) pthread_kill(thread.native_handle(), kWake);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Session::end() {
  if (session_ == nullptr) return;
  // In this order: what waits is answered, so that the kernel can answer the notifier; only then
  // may the threads end that serve both.
  server_.stop();
  notifier_.stop();
  if (!threads_.empty()) stop_threads();
  server_.drain();
  if (mounted_) fuse_session_unmount(session_);
  fuse_session_destroy(session_);
  session_ = nullptr;
}

}  // namespace berth::fuse
