// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inodes.hpp"
#include "page_guard.hpp"
#include "passthrough.hpp"
#include "view.hpp"

namespace berth::fuse {

/// What is told of a node: to stat(2), and how long the kernel may believe it.
struct NodeReply {
  Ino ino = 0;  ///< 0: there is no such name, and that holds for `name_ttl`
  tree::Attributes attributes;
  tree::Ttl name_ttl{0};
};

/// An open file. Owned by the adapter from open to release.
struct OpenFile {
  Ino ino = 0;
  tree::NodePtr node;
  std::shared_ptr<tree::File> file;
  PageGuard::Ticket pages;
  Passthrough::Way way;
  bool direct_io = false;  ///< the size is not known: read until nothing comes
  bool writes = false;     ///< was opened to be written to
};

/// One name of a listing. `position` is where the next one begins: what telldir(3) gives.
struct DirectoryEntry {
  std::string_view name;
  Ino ino = 0;
  tree::Type type = tree::Type::folder;
  std::uint64_t position = 0;
};

/// An open folder: a listing that stays as it was at the first read of it (or the last rewind), so
/// that positions in it hold. Thread safe.
class OpenFolder {
 public:
  OpenFolder(Ino ino, tree::NodePtr node)
      : ino_(ino),
        node_(std::move(node)) {}
  Ino ino() const noexcept { return ino_; }
  const tree::NodePtr& node() const noexcept { return node_; }

 private:
  friend class Filesystem;
  using Entries = std::shared_ptr<const std::vector<tree::Entry>>;
  Ino ino_;
  tree::NodePtr node_;
  Mutex mutex_;
  Entries entries_ BERTH_GUARDED_BY(mutex_);
};

/// The file system's calls as a plain class: what the kernel asks, without libfuse. Thread safe.
/// Every call that takes a Context may block; with a non-blocking one it answers would_block
/// instead. An inode number that was forgotten is Errc::not_found.
class Filesystem {
 public:
  /// `view` must outlive it.
  explicit Filesystem(View& view, Inodes::Hash hash = Inodes::machine_hash());
  /// Changes are allowed: -o rw. Set it before the first call.
  void allow_changes() noexcept { changes_ = true; }

  /// Counts a lookup when it finds something: forget() takes it back.
  Result<NodeReply> lookup(Ino folder, std::string_view name, const Context& context);
  void forget(Ino ino, std::uint64_t lookups);
  Result<NodeReply> attributes(Ino ino, const Context& context);
  Result<std::string> read_link(Ino ino, const Context& context);

  Result<std::unique_ptr<OpenFile>> open(Ino ino, const Context& context);
  /// The same, to be written to: `denied` for what takes no text.
  Result<std::unique_ptr<OpenFile>> open_to_write(Ino ino, const Context& context);
  /// Acts before it returns: a shell drops the errors of close. One write is the whole text.
  Result<void> write(const OpenFile& file, std::uint64_t offset, std::string_view text,
                     const Context& context);
  /// What setattr(2) asks for. Cutting a file that takes a text is the beginning of writing it and
  /// changes nothing; times are the registry's.
  struct Wish {
    std::optional<std::uint64_t> size;
    bool times = false;
    bool mode_or_owner = false;
  };
  Result<NodeReply> set_attributes(Ino ino, const Wish& wish, const Context& context);
  /// Creating, removing, renaming and linking, where the registry is shown as it is.
  Error no_such_change(std::string_view what) const;
  /// The bytes as a part of a file, where they can be given that way: nullopt: use read().
  Result<std::optional<tree::File::FileRange>> wait_for_range(OpenFile& file, std::uint64_t offset,
                                                              std::uint64_t length,
                                                              const Context& context);
  /// How many bytes a read of `size` at `offset` must give.
  std::uint64_t expected(const OpenFile& file, std::uint64_t offset, std::uint64_t size) const;
  /// Exactly expected() bytes, or an Error: the kernel would take a short answer for the end of the
  /// file.
  Result<std::size_t> read(OpenFile& file, std::uint64_t offset, std::span<std::byte> out,
                           const Context& context);
  void release(const OpenFile& file);

  Result<std::unique_ptr<OpenFolder>> open_folder(Ino ino);
  /// Calls `take` for each entry from `position` on until it answers false. Position 0 lists anew.
  Result<void> read_folder(OpenFolder& folder, std::uint64_t position, const Context& context,
                           const std::function<bool(const DirectoryEntry&)>& take);

  Usage usage() { return view_.usage(); }
  void refresh() { view_.refresh(); }

  /// Where the kernel should be told of what happened below it.
  std::vector<Ino> pages_of(const Digest& digest) const { return guard_.suspects(digest); }
  std::optional<Ino> number_of(const tree::Node& node) const { return inodes_.number_of(node); }
  std::vector<Name> changing_names() const { return inodes_.changing_names(); }
  std::vector<Name> take_absent_names() { return inodes_.take_absent(); }
  /// Hears of a name that a listing shows and of which the kernel was told that it is absent. From
  /// any thread; must not block. Set it before the first call.
  void on_appeared(std::function<void(const Name&)> hears) { on_appeared_ = std::move(hears); }
  /// Hears of a closed file whose pages the kernel keeps for nobody: it will read the cache's file
  /// itself from now on. As above.
  void on_outgrown(std::function<void(Ino)> hears) { on_outgrown_ = std::move(hears); }
  void outgrown(const OpenFile& file);

 private:
  Result<tree::NodePtr> node(Ino ino) const;
  Result<OpenFolder::Entries> listing(OpenFolder& folder, bool anew, const Context& context);

  View& view_;
  bool changes_ = false;
  Inodes inodes_;
  PageGuard guard_;
  std::function<void(const Name&)> on_appeared_;
  std::function<void(Ino)> on_outgrown_;
};

}  // namespace berth::fuse
