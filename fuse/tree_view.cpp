// SPDX-License-Identifier: Apache-2.0
#include "tree_view.hpp"

#include <unistd.h>

#include <ctime>

#include "berth/base/try.hpp"

namespace berth::fuse {
namespace {

constexpr std::string_view kControlFolder = ".berth";
constexpr std::string_view kPid = "pid";

/// .berth/pid belongs to the mount and not to the registry: the command line's tree has none.
class PidNode final : public tree::Node {
 public:
  tree::Type type() const noexcept override { return tree::Type::file; }
  const std::string& identity() const noexcept override { return identity_; }
  const std::string& content() const noexcept { return content_; }
  tree::Attributes attributes() const {
    return {.type = tree::Type::file,
            .size = content_.size(),
            .mtime = started_,
            .ttl = tree::kForever};
  }

 private:
  const std::string content_ = std::to_string(::getpid()) + '\n';
  // Another process, another file: nobody may be shown the pages of the one before.
  const std::string identity_ = "berthfs pid " + content_;
  const std::int64_t started_ = std::time(nullptr);
};

const PidNode& as_pid(const tree::NodePtr& node) { return static_cast<const PidNode&>(*node); }

}  // namespace

TreeView::TreeView(content::Hub& hub, tree::Options options)
    : hub_(hub),
      tree_(hub, std::move(options)),
      pid_(std::make_shared<PidNode>()) {
  auto found = tree_.lookup(tree_.root(), kControlFolder, Context{}.nonblocking());
  if (found) control_folder_ = found->node;
}

bool TreeView::is_control_folder(const tree::NodePtr& folder) const {
  return control_folder_ && folder->identity() == control_folder_->identity();
}

Result<tree::Found> TreeView::lookup(const tree::NodePtr& folder, std::string_view name,
                                     const Context& context) {
  if (name == kPid && is_control_folder(folder)) {
    return tree::Found{pid_, as_pid(pid_).attributes(), tree::kForever};
  }
  return tree_.lookup(folder, name, context);
}

tree::Ttl TreeView::negative_ttl(const tree::NodePtr& folder, std::string_view name) const {
  return tree_.negative_ttl(folder, name);
}

Result<std::vector<tree::Entry>> TreeView::list(const tree::NodePtr& folder,
                                                const Context& context) {
  auto entries = TRY(tree_.list(folder, context));
  if (is_control_folder(folder)) entries.push_back({std::string(kPid), tree::Type::file});
  return entries;
}

Result<tree::Attributes> TreeView::attributes(const tree::NodePtr& node, const Context& context) {
  if (is_pid(node)) return as_pid(node).attributes();
  return tree_.attributes(node, context);
}

Result<std::string> TreeView::read_link(const tree::NodePtr& link, const Context& context) {
  return tree_.read_link(link, context);
}

Result<std::shared_ptr<tree::File>> TreeView::open(const tree::NodePtr& file,
                                                   const Context& context) {
  if (is_pid(file)) {
    return tree::open_text(std::make_shared<const std::string>(as_pid(file).content()), true);
  }
  return tree_.open(file, context);
}

Result<void> TreeView::write(const tree::NodePtr& file, std::string_view text,
                             const Context& context) {
  if (is_pid(file)) return View::write(file, text, context);
  return tree_.write(file, text, context);
}

std::optional<Digest> TreeView::content_digest(const tree::NodePtr& file) {
  if (is_pid(file)) return std::nullopt;
  const auto meaning = tree_.meaning(file, Context{}.nonblocking());
  // A config.json means its manifest, but shows another blob: only a blob's digest is its bytes'.
  if (!meaning || !meaning->is_blob) return std::nullopt;
  return meaning->digest;
}

Usage TreeView::usage() {
  const auto status = hub_.cache().status();
  return status ? Usage{.limit = status->limit, .used = status->used} : Usage{};
}

}  // namespace berth::fuse
