// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "berth/acr/paging.hpp"

#include "acr/core.hpp"

namespace berth::acr {

/// A list of the registry: its first page, and what was seen of it on one walk.
struct Listing {
  std::shared_ptr<Core> core;
  Call call;  ///< of the first page, without n=
  ListOptions options;
  Context context;
  /// How many there are in all, where that is to be checked.
  std::function<Result<std::uint64_t>()> count{};
  std::unordered_set<std::string> seen{};  ///< tokens, to notice a circle
  std::uint64_t items = 0;

  struct RawPage {
    std::string body;
    std::string next;
  };
  Result<RawPage> fetch(const std::string& token);
  /// At the end of the walk.
  Result<void> check_count() const;
};

/// A list that holds fewer than its repository counts.
Error short_list(std::string_view operation, std::uint64_t listed, std::uint64_t counted);

/// Fetches its pages; `parse` reads a page's body, `keep` says which items were asked for.
template <class T>
typename Paged<T>::Fetch pages_of(Listing listing,
                                  Result<std::vector<T>> (*parse)(std::string_view),
                                  std::function<bool(const T&)> keep = {}) {
  return [listing = std::move(listing), parse,
          keep = std::move(keep)](const std::string& at) mutable -> Result<Page<T>> {
    Result<Listing::RawPage> raw = listing.fetch(at);
    if (!raw) return std::move(raw).error();
    Result<std::vector<T>> items = parse(raw->body);
    if (!items) return std::move(items).error().with_context(listing.call.operation);
    listing.items += items->size();
    if (raw->next.empty()) {
      if (Result<void> whole = listing.check_count(); !whole) return std::move(whole).error();
    }
    if (keep) std::erase_if(*items, [&](const T& item) { return !keep(item); });
    return Page<T>{*std::move(items), std::move(raw->next)};
  };
}

/// The list as a range.
template <class T>
Paged<T> paged(Listing listing, Result<std::vector<T>> (*parse)(std::string_view)) {
  std::string token = listing.options.continuation_token;
  return Paged<T>(pages_of<T>(std::move(listing), parse), std::move(token));
}

/// "timedesc", "timeasc", "".
template <class Order>
std::string order_text(Order order) {
  if (order == Order::none) return {};
  return order == Order::last_updated_on_descending ? "timedesc" : "timeasc";
}

}  // namespace berth::acr
