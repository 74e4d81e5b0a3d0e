// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "berth/cache/remembered.hpp"
#include "berth/content/source.hpp"
#include "berth/content/store.hpp"

namespace berth::tree {

/// What the tree asks of the content layer. A hub is one (hub_sources.cpp); tests give fakes.
/// Thread safe; content answers would_block to a non-blocking Context where it would ask the
/// network.
class Sources {
 public:
  virtual ~Sources() = default;

  virtual Result<std::shared_ptr<content::Source>> source(const std::string& registry) = 0;
  virtual std::vector<std::string> known_registries() = 0;
  /// Must live as long as this.
  virtual cache::Remembered& remembered() = 0;
  /// The network is not to be asked.
  virtual bool offline() const = 0;

  virtual Result<oci::ManifestDocument> manifest(const std::shared_ptr<content::Source>& source,
                                                 const std::string& repository,
                                                 const Digest& digest, const Context& context) = 0;
  virtual Result<registry::Client::RawManifest> raw_manifest(
      const std::shared_ptr<content::Source>& source, const std::string& repository,
      const Digest& digest, const Context& context) = 0;
  virtual Result<std::shared_ptr<content::BlobReader>> open_blob(
      const std::shared_ptr<content::Source>& source, const std::string& repository,
      const Digest& digest, std::uint64_t size, const Context& context) = 0;
  virtual Result<std::string> small_blob(const std::shared_ptr<content::Source>& source,
                                         const std::string& repository, const Digest& digest,
                                         std::uint64_t size, std::size_t limit,
                                         const Context& context) = 0;

  /// Numbers for stats.json and metrics: snake_case names ending in _total for what only grows.
  virtual std::vector<std::pair<std::string, std::uint64_t>> counters() const = 0;
};

}  // namespace berth::tree
