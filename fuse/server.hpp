// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>

#include "buffers.hpp"
#include "filesystem.hpp"
#include "handles.hpp"
#include "pool.hpp"

// From <fuse3/fuse_lowlevel.h>, which operations.cpp and session.cpp alone include.
struct fuse_req;
struct fuse_lowlevel_ops;  // NOLINT(readability-identifier-naming): libfuse named it

namespace berth::fuse {

struct ServerOptions {
  std::chrono::milliseconds timeout{60'000};  ///< of a call that waits: -o timeout=
  unsigned metadata_threads = 64;
  unsigned data_threads = 192;  ///< reads that wait for the network at once
  unsigned data_per_file = 4;   ///< of those, for one file: stalled readers leave room for others
  std::size_t max_waiting = 4096;
};

/// Answers the kernel. Each request is first tried on the thread that received it, without waiting;
/// one that would wait is held by a thread of a pool (names and data apart), until it is answered,
/// interrupted or out of time. Thread safe.
class Server {
 public:
  using Request = struct ::fuse_req*;
  /// Sends an answer. Runs once, on any thread.
  using Reply = std::move_only_function<void(Request)>;
  /// Finds the answer; may be called twice: without waiting, then with.
  using Call = std::function<Result<Reply>(const Context&)>;
  enum class Lane : std::uint8_t { metadata, data };

  /// `filesystem` must outlive it.
  explicit Server(Filesystem& filesystem, ServerOptions options = {});
  ~Server();

  /// libfuse's table. A session made with it has this Server as its user data.
  static const ::fuse_lowlevel_ops& operations();

  /// What is held is answered EINTR, and so is what would have to wait from now on.
  void stop();
  /// Waits until nothing is held any more. After stop(), and while the session still is.
  void drain();

  // For operations.cpp.
  void serve(Request request, Lane lane, const char* operation, Ino ino, Call call);
  Filesystem& filesystem() noexcept { return filesystem_; }
  Passthrough& passthrough() noexcept { return passthrough_; }
  Handles<OpenFile>& files() noexcept { return files_; }
  Handles<OpenFolder>& folders() noexcept { return folders_; }
  Buffers& buffers() noexcept { return buffers_; }
  uid_t uid() const noexcept { return uid_; }
  gid_t gid() const noexcept { return gid_; }

 private:
  struct Held;
  void hold(Request request, Lane lane, const char* operation, Ino ino, Call call);
  static void on_interrupt(Request request, void* held);

  Filesystem& filesystem_;
  const ServerOptions options_;
  const uid_t uid_;
  const gid_t gid_;
  Buffers buffers_;
  Passthrough passthrough_;
  Handles<OpenFile> files_;
  Handles<OpenFolder> folders_;
  std::stop_source stopping_;
  std::unique_ptr<Pool> metadata_;
  std::unique_ptr<Pool> data_;
};

}  // namespace berth::fuse
