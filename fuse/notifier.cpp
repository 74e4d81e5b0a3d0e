// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include "notifier.hpp"

#include <pthread.h>

#include <cerrno>

#include <fuse3/fuse_lowlevel.h>

namespace berth::fuse {
namespace {

// libfuse dropped the flags of fuse_lowlevel_notify_expire_entry() between 3.14 and 3.17.
using Expire = int(fuse_session*, fuse_ino_t, const char*, std::size_t);
template <class Flags>
using ExpireWithFlags = int(fuse_session*, fuse_ino_t, const char*, std::size_t, Flags);

[[maybe_unused]] int expire(Expire* notify, fuse_session* session, const Name& name) {
  return notify(session, name.folder, name.name.c_str(), name.name.size());
}
template <class Flags>
int expire(ExpireWithFlags<Flags>* notify, fuse_session* session, const Name& name) {
  return notify(session, name.folder, name.name.c_str(), name.name.size(), static_cast<Flags>(1));
}

}  // namespace

void Notifier::Line::start(const char* name) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), name);
}

void Notifier::Line::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    words_.clear();
    wake_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Notifier::Line::say(Word word) {
  MutexLock lock(mutex_);
  if (stopping_) return;
  words_.push_back(std::move(word));
  wake_.notify_one();
}

void Notifier::Line::run() {
  for (;;) {
    Word word;
    {
      MutexLock lock(mutex_);
      while (words_.empty() && !stopping_) wake_.wait(mutex_);
      if (stopping_) return;
      word = std::move(words_.front());
      words_.pop_front();
    }
    word();
  }
}

void Notifier::start(::fuse_session* session, Filesystem& filesystem) {
  session_ = session;
  filesystem_ = &filesystem;
  filesystem.on_appeared(
      [this](const Name& name) { names_.say([this, name] { drop_entry(name); }); });
  filesystem.on_outgrown([this](Ino ino) { pages_.say([this, ino] { drop_pages(ino); }); });
  pages_.start("berth-pages");
  names_.start("berth-names");
}

void Notifier::stop() {
  pages_.stop();
  names_.stop();
}

// Nodes and digests become numbers on these threads: who asks may hold locks of its own.
void Notifier::drop_content(const Digest& digest) {
  pages_.say([this, digest] {
    for (const Ino ino : filesystem_->pages_of(digest)) drop_pages(ino);
  });
}

void Notifier::drop_name(const tree::NodePtr& folder, const std::string& name) {
  names_.say([this, folder, name] {
    if (const auto ino = filesystem_->number_of(*folder)) drop_entry({*ino, name});
  });
}

void Notifier::expire_names() {
  names_.say([this] {
    for (const Name& name : filesystem_->changing_names()) expire_entry(name);
    // An absence cannot be asked again about: it is dropped.
    for (const Name& name : filesystem_->take_absent_names()) drop_entry(name);
  });
}

// The kernel's answers are of no use: they say only whether it knew the thing.
void Notifier::drop_pages(Ino ino) { fuse_lowlevel_notify_inval_inode(session_, ino, 0, 0); }

void Notifier::drop_entry(const Name& name) {
  if (name.name.empty()) {
    fuse_lowlevel_notify_inval_inode(session_, name.folder, -1, 0);
  } else {
    fuse_lowlevel_notify_inval_entry(session_, name.folder, name.name.c_str(), name.name.size());
  }
}

void Notifier::expire_entry(const Name& name) {
  // -ENOSYS: a kernel before 6.2.
  if (expire(&fuse_lowlevel_notify_expire_entry, session_, name) == -ENOSYS) drop_entry(name);
}

}  // namespace berth::fuse
