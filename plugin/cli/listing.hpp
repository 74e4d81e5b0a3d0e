// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/tree/tree.hpp"

#include "io.hpp"
#include "workspace.hpp"

namespace berth::cli {

/// One line of `ls -l`.
struct Row {
  std::string name;
  tree::Type type = tree::Type::folder;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
  std::string target;            ///< of a link
  std::string digest;            ///< of what a link leads to
  std::optional<Errc> failed{};  ///< nothing but name and type is known
};

/// Names as ls(1) shows them: in columns on a terminal, one a line in a pipe; escaped; coloured by
/// type.
void print_names(Io& io, const std::vector<tree::Entry>& entries, bool one_column);
/// `type size time name -> target`, aligned; `?` for the size and time of a row that failed.
void print_rows(Io& io, const std::vector<Row>& rows);

/// A name ready for a terminal: escaped, and coloured where that is wanted.
std::string shown_name(const Io& io, std::string_view name, tree::Type type);

/// "2024-05-01 10:00Z", UTC; "-" when unknown.
std::string shown_time(std::int64_t unix_seconds);
inline constexpr std::size_t kTimeWidth = std::string_view("2024-05-01 10:00Z").size();

/// A layout whose manifests have no tags looks empty: says once on standard error how they are
/// named. Nothing for other places, nor with --json.
void note_untagged(Workspace& workspace, const Located& located);

/// A registry that lists no repositories looks empty: says so on standard error after
/// the located folder was listed. Not with --json.
void note_unlisted(Workspace& workspace, const Located& located);

/// "folder", "file", "link".
std::string_view type_name(tree::Type type) noexcept;

}  // namespace berth::cli
