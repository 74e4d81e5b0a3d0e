// SPDX-License-Identifier: Apache-2.0
#include "tree/asking.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace berth::tree {

bool is_refusal(const Error& error) noexcept {
  return (error.code() == Errc::denied || error.code() == Errc::unauthenticated) &&
         !error.is_local();
}

Asking::Asking(std::unique_ptr<Sources> sources, Options options)
    : sources_(std::move(sources)),
      options_(std::move(options)),
      away_(*options_.clock, options_.negative_ttl),
      started_(std::chrono::system_clock::to_time_t(options_.clock->now())),
      not_before_(Clock::SystemTime::min().time_since_epoch().count()) {}

Result<std::shared_ptr<content::Source>> Asking::source(const std::string& registry) {
  if (is_layout()) return options_.root.layout;
  return sources_->source(registry);
}

content::Capabilities Asking::capabilities(const std::string& registry) {
  const auto found = source(registry);
  if (found) return (*found)->capabilities();
  return {.list_repositories = false,
          .referrers = false,
          .properties = false,
          .delete_tag = false,
          .tag_list_has_digests = false};
}

bool Asking::is_fresh(const Place& place, Clock::SystemTime learned) {
  return options_.trust_remembered && !is_layout() &&
         learned.time_since_epoch().count() >= not_before_.load() && left(learned) > Ttl{0} &&
         learned >= remembered().trusted_since(place.registry, place.repository);
}

Ttl Asking::left(Clock::SystemTime learned) {
  const auto age = std::chrono::duration_cast<Ttl>(clock().now() - learned);
  // A time in the future means that the clock was set back: nothing can be told from it.
  if (age < Ttl{0}) return Ttl{0};
  return std::max(Ttl{0}, Ttl{options_.tag_ttl} - age);
}

void Asking::refresh() {
  not_before_.store(clock().now().time_since_epoch().count());
  epoch_.fetch_add(1, std::memory_order_acq_rel);
  away_.refresh();
}

Error Asking::would_block() { return {Errc::would_block, "the answer needs the network"}; }

Error Asking::offline(const std::string& registry) {
  return {Errc::unavailable,
          fmt::format("{} is not asked: berth was told to work offline", registry)};
}

}  // namespace berth::tree
