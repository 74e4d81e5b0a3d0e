// SPDX-License-Identifier: Apache-2.0
#include "filesystem.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::fuse {
namespace {

/// Positions 1 and 2 are those after "." and "..".
constexpr std::uint64_t kDots = 2;
/// The kernel drops the pages of a smaller file at its next open, and nobody notices.
constexpr std::uint64_t kWorthDropping = 1024 * 1024;

}  // namespace

Filesystem::Filesystem(View& view, Inodes::Hash hash)
    : view_(view),
      inodes_(view.root(), std::move(hash)) {}

Result<tree::NodePtr> Filesystem::node(Ino ino) const {
  if (auto node = inodes_.find(ino)) return node;
  return Error(Errc::not_found, fmt::format("inode {} is no longer known", ino));
}

Result<NodeReply> Filesystem::lookup(Ino folder, std::string_view name, const Context& context) {
  const tree::NodePtr parent = TRY(node(folder));
  auto found = view_.lookup(parent, name, context);
  if (!found) {
    if (found.error().code() != Errc::not_found) return std::move(found).error();
    const tree::Ttl ttl = view_.negative_ttl(parent, name);
    if (ttl.count() <= 0) return std::move(found).error();
    inodes_.remember_absent({folder, std::string(name)});
    return NodeReply{.ino = 0, .attributes = {}, .name_ttl = ttl};
  }
  const bool moves = found->ttl < tree::kForever;
  const Ino ino =
      inodes_.remember(found->node, moves ? Name{folder, std::string(name)} : Name{}, moves);
  return NodeReply{.ino = ino, .attributes = found->attributes, .name_ttl = found->ttl};
}

void Filesystem::forget(Ino ino, std::uint64_t lookups) {
  if (inodes_.forget(ino, lookups)) guard_.forgotten(ino);
}

Result<NodeReply> Filesystem::attributes(Ino ino, const Context& context) {
  const tree::NodePtr found = TRY(node(ino));
  const tree::Attributes attributes = TRY(view_.attributes(found, context));
  return NodeReply{.ino = ino, .attributes = attributes, .name_ttl = {}};
}

Result<std::string> Filesystem::read_link(Ino ino, const Context& context) {
  return view_.read_link(TRY(node(ino)), context);
}

Result<std::unique_ptr<OpenFile>> Filesystem::open(Ino ino, const Context& context) {
  const tree::NodePtr found = TRY(node(ino));
  const tree::Attributes attributes = TRY(view_.attributes(found, context));
  auto file = std::make_unique<OpenFile>();
  file->ino = ino;
  file->node = found;
  file->file = TRY(view_.open(found, context));
  file->direct_io = attributes.direct_io;
  const bool verified = file->file->complete();
  file->pages =
      guard_.opened(ino, verified || attributes.direct_io,
                    verified || attributes.direct_io ? std::nullopt : view_.content_digest(found));
  return file;
}

namespace {

/// EROFS and EPERM: what the kernel would have said, where it asks us.
Error read_only() {
  return Error(Errc::denied, "this mount is read-only: mount with -o rw to change the registry")
      .with_sys_errno(EROFS);
}
Error not_permitted(std::string message) {
  return Error(Errc::denied, std::move(message)).with_sys_errno(EPERM);
}

}  // namespace

Result<std::unique_ptr<OpenFile>> Filesystem::open_to_write(Ino ino, const Context& context) {
  if (!changes_) return read_only();
  const tree::NodePtr found = TRY(node(ino));
  const tree::Attributes attributes = TRY(view_.attributes(found, context));
  if (!attributes.writable) {
    return not_permitted(
        "this file cannot be written to: of the files that are here, can_read, can_write, "
        "can_delete and can_list can, below .tags, .properties and properties");
  }
  auto file = TRY(open(ino, context));
  file->writes = true;
  return file;
}

Result<void> Filesystem::write(const OpenFile& file, std::uint64_t offset, std::string_view text,
                               const Context& context) {
  if (!file.writes) return not_permitted("the file is not open to be written to");
  if (offset != 0) {
    return Error(Errc::invalid_argument,
                 "a property is written whole, from its beginning, in one write");
  }
  return view_.write(file.node, text, context);
}

Result<NodeReply> Filesystem::set_attributes(Ino ino, const Wish& wish, const Context& context) {
  if (!changes_) return read_only();
  NodeReply reply = TRY(attributes(ino, context));
  if (wish.mode_or_owner) {
    return not_permitted("modes and owners are those of the mount, and cannot be changed");
  }
  if (wish.size) {
    if (!reply.attributes.writable) return not_permitted("this file cannot be cut: it is content");
    if (*wish.size != 0) {
      return Error(Errc::invalid_argument, "a property can only be cut to nothing");
    }
    // Until the text comes: the kernel takes the size from here.
    reply.attributes.size = 0;
    reply.attributes.ttl = tree::Ttl{0};
  } else if (wish.times && !reply.attributes.writable) {
    return not_permitted("times are the registry's, and cannot be set");
  }
  return reply;
}

Error Filesystem::no_such_change(std::string_view what) const {
  if (!changes_) return read_only();
  return not_permitted(fmt::format("{}: this version of berth changes properties only", what));
}

std::uint64_t Filesystem::expected(const OpenFile& file, std::uint64_t offset,
                                   std::uint64_t size) const {
  if (file.direct_io) return size;
  const std::uint64_t end = file.file->size();
  return offset >= end ? 0 : std::min(size, end - offset);
}

Result<std::optional<tree::File::FileRange>> Filesystem::wait_for_range(OpenFile& file,
                                                                        std::uint64_t offset,
                                                                        std::uint64_t length,
                                                                        const Context& context) {
  if (length == 0 || file.direct_io) return std::optional<tree::File::FileRange>();
  guard_.read(file.pages);
  return file.file->wait_for_range(offset, length, context);
}

Result<std::size_t> Filesystem::read(OpenFile& file, std::uint64_t offset, std::span<std::byte> out,
                                     const Context& context) {
  guard_.read(file.pages);
  const auto wanted = static_cast<std::size_t>(expected(file, offset, out.size()));
  if (wanted == 0) return std::size_t{0};
  const std::size_t got = TRY(file.file->read(offset, out.first(wanted), context));
  if (got == wanted || file.direct_io) return got;
  return Error(Errc::internal, fmt::format("read of {} bytes at {} of {} gave {}", wanted, offset,
                                           file.node->identity(), got));
}

void Filesystem::release(const OpenFile& file) { guard_.closed(file.pages, file.file->settled()); }

void Filesystem::outgrown(const OpenFile& file) {
  if (!on_outgrown_ || file.file->size() < kWorthDropping || !file.file->cache_file()) return;
  on_outgrown_(file.ino);
}

Result<std::unique_ptr<OpenFolder>> Filesystem::open_folder(Ino ino) {
  return std::make_unique<OpenFolder>(ino, TRY(node(ino)));
}

Result<OpenFolder::Entries> Filesystem::listing(OpenFolder& folder, bool anew,
                                                const Context& context) {
  if (!anew) {
    MutexLock lock(folder.mutex_);
    if (folder.entries_) return folder.entries_;
  }
  // Listed here and not by open: who opens a folder to reach a file below it pays for no listing.
  auto entries =
      std::make_shared<const std::vector<tree::Entry>>(TRY(view_.list(folder.node_, context)));
  for (const tree::Entry& entry : *entries) {
    if (inodes_.forget_absent(folder.ino_, entry.name) && on_appeared_) {
      on_appeared_({folder.ino_, entry.name});
    }
  }
  MutexLock lock(folder.mutex_);
  folder.entries_ = entries;
  return OpenFolder::Entries(std::move(entries));
}

Result<void> Filesystem::read_folder(OpenFolder& folder, std::uint64_t position,
                                     const Context& context,
                                     const std::function<bool(const DirectoryEntry&)>& take) {
  const auto entries = TRY(listing(folder, position == 0, context));
  for (; position < kDots + entries->size(); ++position) {
    DirectoryEntry entry{.name = position == 0 ? "." : "..",
                         .ino = folder.ino_,
                         .type = tree::Type::folder,
                         .position = position + 1};
    if (position >= kDots) {
      const tree::Entry& named = (*entries)[position - kDots];
      entry.name = named.name;
      entry.type = named.type;
      entry.ino = inodes_.guess(*folder.node_, named.name);
    }
    if (!take(entry)) break;
  }
  return {};
}

}  // namespace berth::fuse
