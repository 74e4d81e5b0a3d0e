// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "notifier.hpp"
#include "server.hpp"

namespace berth::fuse {

struct SessionOptions {
  std::string mount_point;       ///< absolute
  std::string source = "berth";  ///< what mount(8) and df(1) show
  bool allow_other = false;
  bool writable = false;                    ///< -o rw
  std::vector<std::string> kernel_options;  ///< more for the kernel: "noexec"
  unsigned threads = 2;                     ///< they never wait, so there is no use for more
  /// Called once, from a thread of the session, when the file system was unmounted from outside.
  std::function<void()> on_unmounted;
};

/// A mounted file system: the connection to the kernel and the threads that serve it. One thread
/// owns it.
class Session {
 public:
  /// Mounts. Nothing is served before start(). Both must outlive the session.
  static Result<std::unique_ptr<Session>> mount(Server& server, Notifier& notifier,
                                                SessionOptions options);
  /// end()
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  /// Unmounts (lazily where it is busy: programs that still have files open get errors), ends what
  /// waits, and joins the threads.
  void end();

 private:
  Session(Server& server, Notifier& notifier, SessionOptions options);
  void loop();
  void stop_threads();

  Server& server_;
  Notifier& notifier_;
  const SessionOptions options_;
  ::fuse_session* session_ = nullptr;
  bool mounted_ = false;
  std::vector<std::thread> threads_;
  std::atomic<unsigned> running_{0};
  std::atomic<bool> ending_{false};
};

}  // namespace berth::fuse
