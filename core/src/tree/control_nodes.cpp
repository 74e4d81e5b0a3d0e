// SPDX-License-Identifier: Apache-2.0
// .berth: the mount about itself.
#include <array>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "tree/node.hpp"

namespace berth::tree {
namespace {

struct ControlName {
  std::string_view name;
  bool owner_only;  ///< tells what was looked at
  bool changes;     ///< its size is not known before it is opened
};
constexpr std::array<ControlName, 5> kNames{{{"log", true, true},
                                             {"metrics", false, true},
                                             {"offline", false, true},
                                             {"stats.json", true, true},
                                             {"version", false, false}}};

using Numbers = std::vector<std::pair<std::string, std::uint64_t>>;

Numbers numbers(Model& model) {
  Numbers all = model.asking.sources().counters();
  all.emplace_back("tree_lookups_total", model.counters.lookups.load());
  all.emplace_back("tree_absent_total", model.counters.absent.load());
  all.emplace_back("tree_lists_total", model.counters.lists.load());
  all.emplace_back("tree_opens_total", model.counters.opens.load());
  all.emplace_back("tree_questions_total", model.asking.questions());
  all.emplace_back("tree_tag_moves_total", model.tags().moves());
  all.emplace_back("tree_stale_served_total", model.asking.away().stale_served());
  return all;
}

std::string stats(Model& model) {
  json::Node::Object members{{"version", json::Node(model.options().version)},
                             {"started", json::Node(text::format_rfc3339(model.asking.started()))}};
  for (auto& [name, value] : numbers(model)) members.emplace_back(name, json::Node(value));
  return json::Node::object(std::move(members)).to_text(2) + '\n';
}

/// Prometheus text exposition format, version 0.0.4.
std::string metrics(Model& model) {
  std::string text = fmt::format(
      "# TYPE berth_start_time_seconds gauge\n"
      "berth_start_time_seconds {}\n",
      model.asking.started());
  for (const auto& [name, value] : numbers(model)) {
    text += fmt::format("# TYPE berth_{0} {1}\nberth_{0} {2}\n", name,
                        name.ends_with("_total") ? "counter" : "gauge", value);
  }
  return text;
}

std::string text_of(Model& model, std::string_view name) {
  if (name == "log") return LogRing::process().text();
  if (name == "metrics") return metrics(model);
  if (name == "offline") return model.asking.away().text();
  if (name == "stats.json") return stats(model);
  return model.options().version + '\n';
}

class ControlFile final : public TreeNode {
 public:
  explicit ControlFile(const ControlName& what)
      : TreeNode(Type::file, fmt::format("control\n{}", what.name)),
        what_(what) {}

  /// What it says is settled here: one open file reads one text from start to end.
  Result<std::shared_ptr<File>> open(Model& model, const Context& /*context*/) const override {
    return open_text(std::make_shared<const std::string>(text_of(model, what_.name)), false);
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    Attributes attributes;
    attributes.type = Type::file;
    attributes.mtime = model.asking.folder_time();
    attributes.direct_io = what_.changes;
    attributes.owner_only = what_.owner_only;
    attributes.size = what_.changes ? 0 : text_of(model, what_.name).size();
    attributes.ttl = kForever;
    return attributes;
  }
  Result<Tree::Meaning> meaning(Model& /*model*/, const Context& /*context*/) const override {
    return Tree::Meaning{};
  }

 private:
  const ControlName& what_;
};

class ControlFolder final : public TreeNode {
 public:
  ControlFolder()
      : TreeNode(Type::folder, "control") {}

  Result<Found> lookup(Model& model, std::string_view name, const Context& context) const override {
    for (const ControlName& known : kNames) {
      if (known.name == name) {
        return found(model, std::make_shared<ControlFile>(known), kForever, context);
      }
    }
    return no_such_name(".berth", name);
  }
  Result<std::vector<Entry>> list(Model& /*model*/, const Context& /*context*/) const override {
    std::vector<Entry> entries;
    entries.reserve(std::size(kNames));
    for (const ControlName& known : kNames)
      entries.push_back({std::string(known.name), Type::file});
    return entries;
  }
  Result<Attributes> attributes(Model& model, const Context& /*context*/) const override {
    return folder_attributes(model.asking.folder_time(), kForever);
  }
  Result<Tree::Meaning> meaning(Model& /*model*/, const Context& /*context*/) const override {
    return Tree::Meaning{};
  }
};

}  // namespace

TreeNodePtr make_control_folder() { return std::make_shared<ControlFolder>(); }

}  // namespace berth::tree
