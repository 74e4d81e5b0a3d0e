// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/content/hub.hpp"
#include "berth/oci/platform.hpp"

namespace berth::tree {

enum class Type : std::uint8_t { folder, file, link };

/// How long an answer holds. `kForever` for names and bytes under a digest.
using Ttl = std::chrono::milliseconds;
inline constexpr Ttl kForever{std::chrono::hours{24 * 365}};

/// What stat(2) shows. Sizes are exact; times never "now".
struct Attributes {
  Type type = Type::folder;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;  ///< unix seconds
  std::uint32_t links = 1;
  bool direct_io = false;   ///< .berth/log and the like: the size is not known
  bool owner_only = false;  ///< 0400: .berth/log and stats.json
  bool writable = false;    ///< Tree::write takes it
  Ttl ttl{0};
};

/// A place in the tree. Immutable and cheap to share; equal places have equal identities. What a
/// node leads to never changes: a tag's node includes its target.
class Node {
 public:
  virtual ~Node() = default;
  virtual Type type() const noexcept = 0;
  /// Registry, repository, digest, path: everything that makes it what it is. Inode numbers are a
  /// keyed hash of it.
  virtual const std::string& identity() const noexcept = 0;
};
using NodePtr = std::shared_ptr<const Node>;

struct Found {
  NodePtr node;
  Attributes attributes;
  Ttl ttl{0};  ///< of the name
};

struct Entry {
  std::string name;
  Type type = Type::folder;
};

/// An open file: a blob, or a text that berth made, which is complete unless it may have another
/// length at the next read.
using File = content::BlobReader;

/// An open file whose bytes are at hand. `complete`: it will always be these bytes.
std::shared_ptr<File> open_text(std::shared_ptr<const std::string> text, bool complete);

/// What the root of a tree shows (DESIGN section 6).
struct Root {
  enum class Kind : std::uint8_t { all, registry, repository, manifest, layout } kind = Kind::all;
  std::string registry;
  std::string repository;
  std::string reference;                    ///< manifest: a tag or a digest
  std::shared_ptr<content::Source> layout;  ///< layout; manifest: of this layout, not a registry
  /// all: hosts that were named, shown besides the known ones.
  std::vector<std::string> named;
};

struct Options {
  Root root;
  std::chrono::seconds tag_ttl{60};
  std::chrono::seconds negative_ttl{5};
  int head_jobs = 16;
  bool list_all = false;  ///< -o list=all
  /// What another process of this machine learned within tag_ttl is fresh here too.
  bool trust_remembered = true;
  /// Folders whose time nobody tells bear that of the tree's start, as a mount's must; else 0,
  /// which is "unknown": the command line starts anew each time.
  bool start_is_time = true;
  oci::Platform platform = oci::host_platform();
  std::string version = "0";
  /// Told when a tag was found to lead elsewhere, or a listing changed: names to forget. From any
  /// thread; must not block.
  std::function<void(const NodePtr& folder, const std::string& name)> on_changed;
  Clock* clock = &real_clock();
};

/// What the tree asks of the content layer: berth's own seam, see src/tree/sources.hpp.
class Sources;

/// The registry as a tree of nodes: lookup, list, read. The command line and the mount run this
/// same code. Blocking (or would_block for a non-blocking Context), thread safe. docs/semantics.md
/// states what each call does. A node is good only for the tree that made it.
class Tree {
 public:
  /// `hub` must outlive the tree. No request is sent here.
  Tree(content::Hub& hub, Options options);
  /// Over another seam than a hub; tests give fakes.
  Tree(std::unique_ptr<Sources> sources, Options options);
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree();

  NodePtr root() const;
  /// not_found when there is no such name: then negative_ttl() says for how long. A tag is
  /// resolved here (HEAD), so that its node includes its target: read_link and attributes of a link
  /// cost nothing. The first lookup of a tag after a listing starts the HEADs of its neighbours.
  Result<Found> lookup(const NodePtr& folder, std::string_view name, const Context& context);
  Ttl negative_ttl(const NodePtr& folder, std::string_view name) const;
  /// "." and ".." are not among them. Costs the listing's requests and nothing per entry.
  Result<std::vector<Entry>> list(const NodePtr& folder, const Context& context);
  /// Why the list of this folder shows only repositories that were seen: its registry lists them
  /// for nobody. "" where that is not so, or nothing was asked yet. Costs no request.
  std::string unlisted(const NodePtr& folder);
  Result<Attributes> attributes(const NodePtr& node, const Context& context);
  Result<std::string> read_link(const NodePtr& link, const Context& context);
  Result<std::shared_ptr<File>> open(const NodePtr& file, const Context& context);

  // Changes: one method for each row of DESIGN section 6. Each is done when it returns, and forgets
  // what it changed.

  /// What `echo TEXT > FILE` writes, whole: sets the property that a file of can_* is; of any other
  /// file `denied`. invalid_argument for a text that is neither true nor false. The registry
  /// decides whether it may be; whether this mount may change anything is for who calls.
  Result<void> write(const NodePtr& file, std::string_view text, const Context& context);

  /// Walks a path from `from`, following links (at most 40) when `follow` or when more follows;
  /// ".." at the top stays there. Repository folders that only lead to a pasted reference or a dot
  /// folder are passed without a request: what stands below them decides. For the command line.
  Result<Found> walk(const NodePtr& from, std::string_view path, bool follow,
                     const Context& context);

  /// Forgets what may have changed: listings and tags older than now.
  void refresh();

  /// What a node is in the registry's terms, for stat, cp and --json.
  struct Meaning {
    std::shared_ptr<content::Source> source;
    std::string registry, repository;
    std::string tag;  ///< a tag's link
    /// A manifest's, also of what stands in its folder ("layers", "manifest.json", ...); a blob's.
    std::optional<Digest> digest;
    /// The thing itself, which may be copied, changed or deleted; none of them is a part of it.
    bool is_manifest = false, is_blob = false, is_repository = false;
    bool is_properties = false;  ///< the folder of properties of `tag`, or of the manifest `digest`
    std::optional<std::uint64_t> size;
    std::string media_type;
  };
  Result<Meaning> meaning(const NodePtr& node, const Context& context);
  /// What the registry tells of a tag, manifest or repository beside its content, as the files of
  /// its folder of properties: names and texts, sorted. Nothing where it tells nothing.
  Result<std::vector<std::pair<std::string, std::string>>> properties(const NodePtr& node,
                                                                      const Context& context);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The text of .berth/log: the last lines of this process's log, bounded. Thread safe.
class LogRing {
 public:
  explicit LogRing(std::size_t bytes = 256 * 1024);
  void add(std::string_view line);
  std::string text() const;
  static LogRing& process();  ///< the one that .berth/log shows

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace berth::tree
