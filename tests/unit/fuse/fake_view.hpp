// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <set>

#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"

#include "fuse/view.hpp"

namespace berth::test {

/// A node of FakeView. Its identity is its path and, for links, the target.
struct FakeNode : tree::Node {
  tree::Type kind = tree::Type::folder;
  std::string path;  ///< "" the root, "a/b"
  std::string id;
  std::string content;  ///< a file's bytes, a link's target
  int fd = -1;          ///< a file whose bytes are a range of this
  int cache_file = -1;  ///< a file that has all its bytes
  std::uint64_t length = 0;
  tree::Ttl ttl = tree::kForever;
  bool keep_pages = true;
  bool settles = false;  ///< what was given before it was complete turned out right
  bool direct_io = false;
  std::optional<Digest> digest;
  bool writable = false;

  tree::Type type() const noexcept override { return kind; }
  const std::string& identity() const noexcept override { return id; }
};

/// A gate that calls wait at while it is shut. A non-blocking call gets would_block.
class CallGate {
 public:
  void shut() {
    MutexLock lock(mutex_);
    shut_ = true;
  }
  void open() {
    MutexLock lock(mutex_);
    shut_ = false;
    changed_.notify_all();
  }
  Result<void> pass(const Context& context) {
    MutexLock lock(mutex_);
    if (shut_ && context.is_nonblocking()) return Error(Errc::would_block, "shut");
    ++waiting_;
    changed_.notify_all();
    while (shut_ && context.check()) changed_.wait(mutex_, context);
    --waiting_;
    return context.check();
  }
  /// Until `count` calls wait, at most ten seconds.
  bool await_waiting(int count) {
    const Context limit = Context{}.with_timeout(std::chrono::seconds(10));
    MutexLock lock(mutex_);
    while (waiting_ < count && limit.check()) changed_.wait(mutex_, limit);
    return waiting_ >= count;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool shut_ BERTH_GUARDED_BY(mutex_) = false;
  int waiting_ BERTH_GUARDED_BY(mutex_) = 0;
};

/// A tree in memory, for the file system's own tests. Fill it before it is shown; then replace
/// nodes, by change() and link().
class FakeView : public fuse::View {
 public:
  FakeView() { add_node("", tree::Type::folder); }

  /// "path=text" of the last write.
  std::string written() const {
    MutexLock lock(written_mutex_);
    return written_;
  }
  Result<void> write(const tree::NodePtr& file, std::string_view text, const Context&) override {
    MutexLock lock(written_mutex_);
    written_ = fake(file).path + "=" + std::string(text);
    return {};
  }

  FakeNode& folder(const std::string& path) { return add_node(path, tree::Type::folder); }
  FakeNode& file(const std::string& path, std::string content) {
    FakeNode& node = add_node(path, tree::Type::file);
    node.length = content.size();
    node.content = std::move(content);
    return node;
  }
  void link(const std::string& path, std::string target, tree::Ttl ttl = tree::kForever) {
    auto node = make_node(path, tree::Type::link);
    node->id += "->" + target;
    node->content = std::move(target);
    node->ttl = ttl;
    MutexLock lock(mutex_);
    nodes_[path] = std::move(node);
  }
  void remove(const std::string& path) {
    MutexLock lock(mutex_);
    nodes_.erase(path);
  }
  FakeNode& at(const std::string& path) {
    MutexLock lock(mutex_);
    return *nodes_.at(path);
  }
  /// Replaces a node by a changed copy: its identity stays.
  void change(const std::string& path, const std::function<void(FakeNode&)>& how) {
    MutexLock lock(mutex_);
    auto changed = std::make_shared<FakeNode>(*nodes_.at(path));
    how(*changed);
    nodes_[path] = std::move(changed);
  }

  tree::NodePtr root() const override {
    MutexLock lock(mutex_);
    return nodes_.at("");
  }
  Result<tree::Found> lookup(const tree::NodePtr& folder, std::string_view name,
                             const Context& context) override {
    ++lookups;
    TRY(names.pass(context));
    if (throwing) throw std::runtime_error("a defect");
    MutexLock lock(mutex_);
    const auto place = nodes_.find(below(folder, name));
    if (place == nodes_.end()) return Error(Errc::not_found, "no such name");
    return tree::Found{place->second, attributes_of(*place->second), place->second->ttl};
  }
  tree::Ttl negative_ttl(const tree::NodePtr&, std::string_view) const override { return negative; }
  Result<std::vector<tree::Entry>> list(const tree::NodePtr& folder,
                                        const Context& context) override {
    ++lists;
    TRY(names.pass(context));
    const std::string prefix = below(folder, "");
    std::vector<tree::Entry> entries;
    MutexLock lock(mutex_);
    for (const auto& [path, node] : nodes_) {
      if (path.empty() || !path.starts_with(prefix)) continue;
      const std::string name = path.substr(prefix.size());
      if (name.find('/') == std::string::npos) entries.push_back({name, node->kind});
    }
    return entries;
  }
  Result<tree::Attributes> attributes(const tree::NodePtr& node, const Context&) override {
    return attributes_of(*current(node));
  }
  Result<std::string> read_link(const tree::NodePtr& link, const Context& context) override {
    ++read_links;
    TRY(names.pass(context));
    return fake(link).content;
  }
  Result<std::shared_ptr<tree::File>> open(const tree::NodePtr& file, const Context&) override {
    return std::shared_ptr<tree::File>(std::make_shared<FakeFile>(*this, file));
  }
  std::optional<Digest> content_digest(const tree::NodePtr& file) override {
    return current(file)->digest;
  }
  fuse::Usage usage() override { return {.limit = 40960, .used = 8192}; }
  void refresh() override { ++refreshes; }

  CallGate names;  ///< lookups, listings and links wait at it
  CallGate data;   ///< reads of files in `stalled` wait at it
  std::set<std::string> stalled;
  std::atomic<int> lookups = 0, lists = 0, read_links = 0, reads = 0, refreshes = 0;
  std::atomic<int> closed = 0;  ///< files, once the kernel has told of it
  std::atomic<bool> throwing = false;
  std::optional<Errc> read_error;
  std::size_t lost_bytes = 0;  ///< reads give so many too few
  tree::Ttl negative{5000};

 private:
  class FakeFile : public tree::File {
   public:
    FakeFile(FakeView& view, tree::NodePtr node)
        : view_(view),
          node_(std::move(node)),
          complete_(complete()) {}
    ~FakeFile() override { ++view_.closed; }
    std::uint64_t size() const noexcept override { return view_.current(node_)->length; }
    bool complete() const noexcept override { return view_.current(node_)->keep_pages; }
    /// What an open file gave before the node changed is not mended by the change.
    bool settled() const noexcept override { return complete_ || view_.current(node_)->settles; }
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> out,
                             const Context& context) override {
      ++view_.reads;
      const auto current = view_.current(node_);
      const FakeNode& node = *current;
      if (view_.stalled.contains(node.path)) TRY(view_.data.pass(context));
      if (view_.read_error) return Error(*view_.read_error, "as the test asked");
      if (offset >= node.content.size()) return std::size_t{0};
      const std::size_t count = std::min<std::size_t>(out.size(), node.content.size() - offset);
      std::memcpy(out.data(), node.content.data() + offset, count);
      return count - std::min(count, view_.lost_bytes);
    }
    std::optional<int> cache_file() const override {
      const int fd = view_.current(node_)->cache_file;
      return fd < 0 ? std::nullopt : std::optional(fd);
    }
    std::optional<FileRange> file_range(std::uint64_t offset, std::uint64_t) override {
      const int fd = view_.current(node_)->fd;
      if (fd < 0) return std::nullopt;
      return FileRange{fd, offset};
    }

   private:
    FakeView& view_;
    const tree::NodePtr node_;
    const bool complete_;  ///< when it was opened
  };

  static const FakeNode& fake(const tree::NodePtr& node) {
    return static_cast<const FakeNode&>(*node);
  }
  static std::string below(const tree::NodePtr& folder, std::string_view name) {
    const std::string& path = fake(folder).path;
    return path.empty() ? std::string(name) : path + "/" + std::string(name);
  }
  static tree::Attributes attributes_of(const FakeNode& node) {
    return {.type = node.kind,
            .size = node.kind == tree::Type::link ? node.content.size() : node.length,
            .mtime = 1'700'000'000,
            .direct_io = node.direct_io,
            .writable = node.writable,
            .ttl = node.ttl};
  }
  static std::shared_ptr<FakeNode> make_node(const std::string& path, tree::Type type) {
    auto node = std::make_shared<FakeNode>();
    node->kind = type;
    node->path = path;
    node->id = "fake:" + path;
    return node;
  }
  FakeNode& add_node(const std::string& path, tree::Type type) {
    MutexLock lock(mutex_);
    return *(nodes_[path] = make_node(path, type));
  }
  /// The node as it is now: change() may have replaced the one that the file system holds.
  std::shared_ptr<const FakeNode> current(const tree::NodePtr& node) const {
    MutexLock lock(mutex_);
    const auto place = nodes_.find(fake(node).path);
    if (place != nodes_.end() && place->second->id == node->identity()) return place->second;
    return std::static_pointer_cast<const FakeNode>(node);
  }

  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<FakeNode>> nodes_ BERTH_GUARDED_BY(mutex_);

  mutable Mutex written_mutex_;
  std::string written_ BERTH_GUARDED_BY(written_mutex_);
};

}  // namespace berth::test
