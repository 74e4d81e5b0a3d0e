// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "berth/cache/remembered.hpp"

namespace berth::cache {

/// The text forms of what is remembered. Fields are percent-encoded and separated by spaces; times
/// are microseconds since 1970. A line that does not parse is skipped by all readers.

/// "T tag digest size media-type etag first-seen checked" and "D tag"
std::string tag_line(std::string_view tag, const RememberedTag& value);
std::string forget_line(std::string_view tag);
/// "S digest size media-type first-seen"
std::string seen_line(const Digest& digest, const SeenDigest& value);

/// "N time": what is older is not believed while the registry answers.
std::string distrust_line(Clock::SystemTime time);

/// "F digest": it is not there any more. "X": nothing of what was said before is.
std::string forget_seen_line(const Digest& digest);
std::string forget_all_line();

struct RepositoryRecords {
  std::map<std::string, RememberedTag, std::less<>> tags;
  std::map<Digest, SeenDigest> seen;
  Clock::SystemTime trusted_since = Clock::SystemTime::min();
  std::uint64_t lines = 0;

  void apply(std::string_view line);
  /// More than half of the lines are overruled by later ones.
  bool wants_compaction() const { return lines > 2 * (tags.size() + seen.size()) + 64; }
  std::string text() const;
};

/// "berth-list 1 fetched", then a name on each line.
std::string list_text(const std::vector<std::string>& names, Clock::SystemTime fetched);
std::optional<RememberedList> parse_list(std::string_view text);

/// Names of registries and repositories as file names: '/' is '+', the rest percent-encoded, ""
/// is "+". nullopt when it would be too long for a file name.
std::optional<std::string> file_name_of(std::string_view name, std::string_view suffix);
std::optional<std::string> name_of_file(std::string_view file, std::string_view suffix);

}  // namespace berth::cache
