// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/server_key.hpp"

#include "credential/json_edit.hpp"
#include "credential/json_text.hpp"
#include "credential/setup_plans.hpp"

namespace berth::credential {
namespace {

using nlohmann::ordered_json;
using std::filesystem::path;

constexpr const char* kHelper = "berth";
constexpr const char* kStore = "credsStore";
constexpr const char* kHelpers = "credHelpers";
constexpr const char* kUndoSuffix = ".berth-undo";

/// An absent or empty file is an empty object.
Result<ordered_json> parse_object(const std::string& text, const path& file) {
  if (text::trim(text).empty()) return ordered_json::object();
  ordered_json root = TRY(parse_ordered_json(text, file.native()));
  if (root.is_object()) return root;
  return Error(Errc::corrupt, fmt::format("{} must hold a JSON object", file.native()));
}

/// At the top in any case, as docker reads its own file.
const ordered_json* member(const ordered_json& root, const JsonPath& where) {
  const ordered_json* value = nullptr;
  for (const auto& [key, found] : root.items()) {
    if (text::equals_ignoring_case(key, where.front())) value = &found;
  }
  if (where.size() == 1 || value == nullptr || !value->is_object()) {
    return where.size() == 1 ? value : nullptr;
  }
  const auto inner = value->find(where.back());
  return inner == value->end() ? nullptr : &*inner;
}

std::string shown_member(const JsonPath& where, std::string_view value) {
  const auto quoted = [](std::string_view text) {
    return ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  };
  const std::string inner = quoted(where.back()) + ": " + quoted(value);
  return where.size() == 1 ? inner : quoted(where.front()) + ": {" + inner + "}";
}

/// credHelpers' keys are whole names; docker's own one for Docker Hub is not podman's.
Result<std::string> helper_key(const std::string& registry, std::string_view tool) {
  const bool is_pattern = registry.find('*') != std::string::npos;
  const ServerKey key = is_pattern ? ServerKey{} : TRY(parse_server_key(registry));
  if (is_pattern || !key.path.empty()) {
    return Error(Errc::invalid_argument,
                 fmt::format("{} knows no patterns and no paths, \"{}\" would match nothing: name "
                             "each registry, or leave --registry out and let berth's own routes "
                             "([credential.routes]) decide",
                             tool, text::escape_for_terminal(registry)));
  }
  return tool == "docker" ? key.server_url() : key.text();
}

/// A file while it is changed, and what was in the place of berth's members.
class Edit {
 public:
  static Result<Edit> open(const path& file) {
    Edit edit(file);
    edit.before_ = TRY(read_if_there(file));
    edit.undo_before_ = TRY(read_if_there(edit.undo_file_));
    edit.text_ = edit.before_.value_or("");
    edit.root_ = TRY(parse_object(edit.text_, file));
    edit.undo_ = TRY(parse_object(edit.undo_before_.value_or(""), edit.undo_file_));
    return edit;
  }

  Result<void> set(const JsonPath& where) {
    const ordered_json* old = member(root_, where);
    if (old != nullptr && *old == kHelper) return {};
    if (old != nullptr && !old->is_string() && !old->is_null()) {
      return Error(Errc::corrupt, fmt::format("{}: \"{}\" must be a text", file_.native(),
                                              text::escape_for_terminal(where.back())));
    }
    const ordered_json before = old == nullptr ? ordered_json() : *old;
    TRY(take(with_member(text_, where, kHelper)));
    if (before.is_string()) shown_.push_back("- " + shown_member(where, before.get<std::string>()));
    shown_.push_back("+ " + shown_member(where, kHelper));
    ordered_json& kept = where.size() == 1 ? undo_ : undo_[where.front()];
    kept[where.back()] = before;
    return {};
  }

  /// Only what still says "berth": somebody may have chosen anew since.
  Result<void> restore(const JsonPath& where) {
    const ordered_json* now = member(root_, where);
    if (now == nullptr || *now != kHelper) return {};
    shown_.push_back("- " + shown_member(where, kHelper));
    const ordered_json* before = member(undo_, where);
    if (before == nullptr || !before->is_string()) return take(without_member(text_, where));
    shown_.push_back("+ " + shown_member(where, before->get<std::string>()));
    return take(with_member(text_, where, before->get<std::string>()));
  }

  Result<void> restore_all() {
    TRY(restore({kStore}));
    const ordered_json* helpers = member(root_, {kHelpers});
    if (helpers == nullptr || !helpers->is_object()) return {};
    std::vector<std::string> keys;
    for (const auto& item : helpers->items()) keys.push_back(item.key());
    for (const std::string& key : keys) TRY(restore({kHelpers, key}));
    const ordered_json* left = member(root_, {kHelpers});
    if (left->empty() && !keys.empty()) return take(without_member(text_, {kHelpers}));
    return {};
  }

  /// What the whole file asked until now.
  std::optional<std::string> replaced_store() const {
    const ordered_json* before = member(undo_, {kStore});
    if (before == nullptr || !before->is_string()) return std::nullopt;
    return before->get<std::string>();
  }

  std::vector<FileChange> changes(bool undo) && {
    std::vector<FileChange> files;
    const bool is_same = shown_.empty();
    if (!is_same) {
      files.push_back({.file = file_, .before = before_, .after = text_, .shown = shown_});
    }
    if (undo && undo_before_) {
      files.push_back({.file = undo_file_, .before = undo_before_, .shown = Lines()});
    } else if (!undo && !is_same) {
      const std::string kept = undo_.dump(2) + "\n";
      files.push_back(
          {.file = undo_file_, .before = undo_before_, .after = kept, .shown = Lines()});
    }
    return files;
  }

 private:
  using Lines = std::vector<std::string>;
  explicit Edit(path file)
      : file_(std::move(file)),
        undo_file_(file_.native() + kUndoSuffix) {}

  Result<void> take(Result<std::string> changed) {
    if (!changed) {
      return Error(changed.error().code(),
                   fmt::format("{}: {}", file_.native(), changed.error().message()));
    }
    text_ = *std::move(changed);
    root_ = TRY(parse_object(text_, file_));
    return {};
  }

  path file_;
  path undo_file_;
  std::optional<std::string> before_;
  std::optional<std::string> undo_before_;
  std::string text_;
  ordered_json root_;
  ordered_json undo_;
  Lines shown_;
};

}  // namespace

Result<SetupPlan> plan_json(const path& file, const SetupRequest& request, std::string_view tool) {
  Edit edit = TRY(Edit::open(file));
  SetupPlan plan;
  if (request.undo) {
    TRY(edit.restore_all());
  } else if (request.registries.empty()) {
    TRY(edit.set({kStore}));
    if (const auto old = edit.replaced_store()) {
      plan.notes.push_back(fmt::format(
          "{} kept its credentials in \"{}\" until now: to keep them in use, write store = \"{}\" "
          "under [credential] in berth's configuration.",
          tool, *old, *old));
    }
  } else {
    for (const std::string& registry : request.registries) {
      TRY(edit.set({kHelpers, TRY(helper_key(registry, tool))}));
    }
  }
  plan.files = std::move(edit).changes(request.undo);
  return plan;
}

}  // namespace berth::credential
