// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "berth/base/clock.hpp"
#include "berth/digest/digest.hpp"

namespace berth::cache {

/// A list as a registry gave it, and when.
struct RememberedList {
  std::vector<std::string> names;
  Clock::SystemTime fetched;
};

/// What a registry that has properties tells of a tag; times in 100 ns since 1970.
struct RememberedProperties {
  std::int64_t created = 0;
  std::int64_t updated = 0;
  std::optional<bool> can_read, can_write, can_delete, can_list;
  friend bool operator==(const RememberedProperties&, const RememberedProperties&) = default;
};

/// What a tag led to, and when that was last asked.
struct RememberedTag {
  Digest digest;
  std::uint64_t size = 0;  ///< of the manifest
  std::string media_type;
  std::string etag;
  Clock::SystemTime first_seen;  ///< when this digest was first seen under this tag: its mtime
  Clock::SystemTime checked;
  std::optional<RememberedProperties> properties{};
};

/// A digest that a repository was seen to hold.
struct SeenDigest {
  std::uint64_t size = 0;
  std::string media_type;  ///< "" when unknown
  Clock::SystemTime first_seen;
};

/// What was learned from registries and is worth keeping over a restart: files under remembered/,
/// written atomically or appended, counted in the quota, dropped oldest first. `registry` is its
/// name as typed ("h:5000"), `repository` "" stands for the registry itself (its catalogue). Losing
/// any of it costs requests and nothing else: a write that fails is logged and forgotten. Thread
/// safe; several processes may write.
class Remembered {
 public:
  virtual ~Remembered() = default;

  virtual std::optional<RememberedList> list(const std::string& registry,
                                             const std::string& repository) = 0;
  virtual void set_list(const std::string& registry, const std::string& repository,
                        const std::vector<std::string>& names) = 0;
  /// Every repository with a remembered tag list or digest: for offline use.
  virtual std::vector<std::string> repositories(const std::string& registry) = 0;
  virtual std::vector<std::string> registries() = 0;

  virtual std::optional<RememberedTag> tag(const std::string& registry,
                                           const std::string& repository,
                                           const std::string& tag) = 0;
  virtual std::vector<std::pair<std::string, RememberedTag>> tags(
      const std::string& registry, const std::string& repository) = 0;
  /// Sets digest, size, media type, etag and `checked`: when it was asked for (SystemTime{}: now);
  /// keeps first_seen while the digest is the same, and then also the properties, and size with
  /// media type, where none are given.
  virtual RememberedTag set_tag(const std::string& registry, const std::string& repository,
                                const std::string& tag, RememberedTag value) = 0;
  /// The same for many, in one write.
  virtual void set_tags(const std::string& registry, const std::string& repository,
                        const std::vector<std::pair<std::string, RememberedTag>>& tags) = 0;
  virtual void forget_tag(const std::string& registry, const std::string& repository,
                          const std::string& tag) = 0;

  /// What was learned of a repository's tags and list before now is kept for when the registry is
  /// away, and else asked for again, by every process.
  virtual void distrust(const std::string& registry, const std::string& repository) = 0;
  /// When distrust() was last called; the beginning of time if never.
  virtual Clock::SystemTime trusted_since(const std::string& registry,
                                          const std::string& repository) = 0;

  virtual std::optional<SeenDigest> seen(const std::string& registry, const std::string& repository,
                                         const Digest& digest) = 0;
  virtual void set_seen(const std::string& registry, const std::string& repository,
                        const Digest& digest, std::uint64_t size,
                        const std::string& media_type) = 0;
  /// It was deleted there.
  virtual void forget_seen(const std::string& registry, const std::string& repository,
                           const Digest& digest) = 0;
  /// All of it was: tags and digests.
  virtual void forget_repository(const std::string& registry, const std::string& repository) = 0;
};

}  // namespace berth::cache
