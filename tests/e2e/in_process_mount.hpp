// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mount.h>

#include <gtest/gtest.h>

#include "fuse/session.hpp"
#include "support/temp_dir.hpp"
#include "unit/fuse/fake_view.hpp"

namespace berth::test {

/// A FakeView mounted for real, served by threads of the test itself.
class InProcessMount {
 public:
  explicit InProcessMount(FakeView& view, fuse::ServerOptions options = {}, bool passthrough = true)
      : filesystem_(view),
        server_(filesystem_, options) {
    if (!passthrough) server_.passthrough().forbid();
    auto session = fuse::Session::mount(
        server_, notifier_,
        {.mount_point = folder_.path().string(), .on_unmounted = [this] { gone_ = true; }});
    if (!session) throw std::runtime_error(session.error().describe());
    session_ = std::move(*session);
    session_->start();
  }
  ~InProcessMount() {
    session_->end();
    ::umount2(folder_.path().c_str(), MNT_DETACH);  // should the test have left it in use
  }
  std::string path(const std::string& name = "") const { return (folder_ / name).string(); }
  fuse::Session& session() { return *session_; }
  fuse::Notifier& notifier() { return notifier_; }
  fuse::Server& server() { return server_; }
  bool gone() const { return gone_; }

 private:
  TempDir folder_;
  fuse::Notifier notifier_;
  fuse::Filesystem filesystem_;
  fuse::Server server_;
  std::unique_ptr<fuse::Session> session_;
  std::atomic<bool> gone_ = false;
};

}  // namespace berth::test
