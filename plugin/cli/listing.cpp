// SPDX-License-Identifier: Apache-2.0
#include "listing.hpp"

#include <algorithm>

#include "berth/base/text.hpp"

namespace berth::cli {

namespace {

std::string_view colour_of(tree::Type type) noexcept {
  switch (type) {
    case tree::Type::folder:
      return "\033[1;34m";
    case tree::Type::link:
      return "\033[1;36m";
    case tree::Type::file:
      break;
  }
  return "";
}

std::string padded_left(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

char type_letter(tree::Type type) noexcept {
  switch (type) {
    case tree::Type::folder:
      return 'd';
    case tree::Type::link:
      return 'l';
    case tree::Type::file:
      break;
  }
  return '-';
}

std::string shown_size(const Row& row) { return row.failed ? "?" : std::to_string(row.size); }

}  // namespace

void note_untagged(Workspace& workspace, const Located& located) {
  const Place& place = located.place;
  const bool archive = place.kind == Place::Kind::archive;
  if (workspace.options().json || !place.inside.empty() ||
      (!archive && place.kind != Place::Kind::layout)) {
    return;
  }
  const auto meaning = located.tree->meaning(located.found.node, workspace.context());
  if (!meaning || !meaning->source) return;
  const std::string text = content::describe_untagged(
      *meaning->source, (archive ? "oci-archive:" : "oci:") + place.path.string(),
      workspace.context());
  if (!text.empty()) workspace.io().error_line("berth: " + text);
}

void note_unlisted(Workspace& workspace, const Located& located) {
  if (workspace.options().json) return;
  const std::string text = located.tree->unlisted(located.found.node);
  if (!text.empty()) workspace.io().error_line("berth: " + text::escape_for_terminal(text));
}

std::string_view type_name(tree::Type type) noexcept {
  switch (type) {
    case tree::Type::folder:
      return "folder";
    case tree::Type::link:
      return "link";
    case tree::Type::file:
      break;
  }
  return "file";
}

std::string shown_name(const Io& io, std::string_view name, tree::Type type) {
  const std::string escaped =
      io.out_is_terminal() ? text::escape_for_terminal(name) : std::string(name);
  const std::string_view colour = io.colour() ? colour_of(type) : "";
  return colour.empty() ? escaped : std::string(colour) + escaped + "\033[0m";
}

std::string shown_time(std::int64_t unix_seconds) {
  if (unix_seconds <= 0) return "-";
  std::string time = text::format_rfc3339(unix_seconds).substr(0, 16);
  std::replace(time.begin(), time.end(), 'T', ' ');
  return time + "Z";
}

void print_names(Io& io, const std::vector<tree::Entry>& entries, bool one_column) {
  if (one_column || !io.out_is_terminal()) {
    for (const auto& entry : entries) io.print(shown_name(io, entry.name, entry.type) + "\n");
    return;
  }
  std::size_t widest = 0;
  for (const auto& entry : entries)
    widest = std::max(widest, text::escape_for_terminal(entry.name).size());
  const std::size_t column = widest + 2;
  const std::size_t columns =
      std::max<std::size_t>(1, static_cast<std::size_t>(io.width()) / column);
  const std::size_t rows = (entries.size() + columns - 1) / columns;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t index = row; index < entries.size(); index += rows) {
      io.print(shown_name(io, entries[index].name, entries[index].type));
      const bool last = index + rows >= entries.size();
      const std::size_t width = text::escape_for_terminal(entries[index].name).size();
      if (!last) io.print(std::string(column - width, ' '));
    }
    io.print("\n");
  }
}

void print_rows(Io& io, const std::vector<Row>& rows) {
  std::size_t width = 1;
  for (const auto& row : rows) width = std::max(width, shown_size(row).size());
  for (const auto& row : rows) {
    std::string line{type_letter(row.type)};
    line += ' ' + padded_left(shown_size(row), width) + ' ' +
            padded_left(row.failed ? "?" : shown_time(row.mtime), kTimeWidth) + ' ';
    line += shown_name(io, row.name, row.type);
    if (!row.target.empty()) {
      line += " -> " + (io.out_is_terminal() ? text::escape_for_terminal(row.target) : row.target);
    }
    io.print(line + "\n");
  }
}

}  // namespace berth::cli
