// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <thread>

#include "berth/base/sync.hpp"

#include "filesystem.hpp"

struct fuse_session;

namespace berth::fuse {

/// Tells the kernel what it must no longer believe. The kernel answers such a word only when the
/// reads and lookups that it concerns are answered: hence threads of their own, which serve
/// nothing; one for pages and one for names, so that bytes which were found wrong do not stay
/// because a lookup waits for a registry. Thread safe; what asks for a word never blocks.
class Notifier {
 public:
  Notifier() = default;
  ~Notifier() { stop(); }
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  /// Both must outlive stop(). What was asked for before is told now.
  void start(::fuse_session* session, Filesystem& filesystem);
  /// Call it while requests are still served: a word that the kernel has not answered waits for
  /// them.
  void stop();

  /// Content that was shown turned out wrong, or went away.
  void drop_content(const Digest& digest);
  /// The name leads elsewhere, or is gone; "": the folder itself changed.
  void drop_name(const tree::NodePtr& folder, const std::string& name);
  /// Every name that may have moved, or come: the kernel asks again, and keeps what it has where
  /// nothing did.
  void expire_names();

 private:
  /// Says words one after another, on a thread of its own.
  class Line {
   public:
    using Word = std::function<void()>;
    void start(const char* name);
    void stop();
    void say(Word word);

   private:
    void run();

    std::thread thread_;
    Mutex mutex_;
    CondVar wake_;
    std::deque<Word> words_ BERTH_GUARDED_BY(mutex_);
    bool stopping_ BERTH_GUARDED_BY(mutex_) = false;
  };

  void drop_pages(Ino ino);
  void drop_entry(const Name& name);
  void expire_entry(const Name& name);

  ::fuse_session* session_ = nullptr;
  Filesystem* filesystem_ = nullptr;
  Line pages_;
  Line names_;
};

}  // namespace berth::fuse
