// SPDX-License-Identifier: Apache-2.0
#include "acr/listing.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/http/policy.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/link_header.hpp"

namespace berth::acr {
namespace {

std::string decoded_path(const std::string& path_and_query) {
  const std::string path = path_and_query.substr(0, path_and_query.find('?'));
  return text::percent_decode(path).value_or(path);
}

/// Where a token or a link leads: on this registry and within this list, or it is another list's,
/// whose items would not be found and look like none.
Result<http::Url> place_of(const Listing& listing, const std::string& token) {
  const http::Url first = listing.core->base().with_path(listing.call.target);
  auto url = TRY(first.resolve(token));
  TRY(http::url_policy::check_page_link(first, url));
  if (decoded_path(url.path_and_query()) != decoded_path(listing.call.target)) {
    return Error(Errc::invalid_argument, fmt::format("'{}' does not lead on in this list",
                                                     text::escape_for_terminal(url.redacted())));
  }
  return url;
}

/// The link to the next page, verbatim; "" where there is none. A link that cannot be read is not
/// the end of a list.
Result<std::string> link_of(const http::Headers& headers) {
  const auto values = headers.all("Link");
  if (const auto next = registry::next_link(values)) return *next;
  for (const std::string_view value : values) {
    const bool broken = value.find('>') == std::string_view::npos ||
                        text::to_lower(value).find("next") != std::string::npos;
    if (!broken) continue;
    return Error(Errc::corrupt, fmt::format("the link to the next page cannot be read: '{}'",
                                            text::escape_for_terminal(value.substr(0, 128))));
  }
  return std::string();
}

std::string with_size(const std::string& target, int size) {
  const std::size_t query = target.find('?');
  if (query == std::string::npos) return fmt::format("{}?n={}", target, size);
  return fmt::format("{}?n={}&{}", target.substr(0, query), size, target.substr(query + 1));
}

/// The first page says how many a page shall have; the link to the next repeats it. Where nobody
/// wished for a size the service's own pages of 100 would make a large list a hundred requests; a
/// service that does not take a larger one (which no document says) is asked for its own.
Result<Answer> first_page(const Listing& listing) {
  const ListOptions& options = listing.options;
  const auto ask = [&](int size) {
    Call page = listing.call;
    if (size != 0) page.target = with_size(page.target, size);
    return listing.core->send(page, options, listing.context);
  };
  const bool wished = options.page_size != 0;
  auto answer = ask(wished ? options.page_size : registry::quirks::kPageSize);
  if (answer || wished) return answer;
  const HttpInfo* said = answer.error().http();
  if (said == nullptr || said->status != 400) return answer;
  return ask(0);
}

}  // namespace

Result<Listing::RawPage> Listing::fetch(const std::string& token) {
  if (options.page_size < 0) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: a page has no {} items", call.operation, options.page_size));
  }
  Call page = call;
  if (!token.empty()) {
    const auto place = place_of(*this, token);
    if (!place) {
      return Error(Errc::invalid_argument, fmt::format("{}: this is no token to go on from: {}",
                                                       call.operation, place.error().message()));
    }
    page.target = place->path_and_query();
  }
  seen.insert(token.empty() ? call.target : token);
  auto answer = TRY(token.empty() ? first_page(*this) : core->send(page, options, context));
  auto next = link_of(answer.headers);
  if (!next) return std::move(next).error().with_context(call.operation);
  if (!next->empty()) {
    if (auto place = place_of(*this, *next); !place) {
      const Errc code = place.error().code() == Errc::untrusted ? Errc::untrusted : Errc::corrupt;
      return Error(code, fmt::format("{}: the link to the next page: {}", call.operation,
                                     place.error().message()));
    }
    if (seen.contains(*next)) {
      return Error(Errc::corrupt,
                   fmt::format("{}: the list goes round in a circle: the link of page {} leads "
                               "back to an earlier page",
                               call.operation, seen.size()));
    }
    if (seen.size() >= static_cast<std::size_t>(http::limits::kPages)) {
      return Error(Errc::too_large, fmt::format("{}: the list has more than {} pages",
                                                call.operation, http::limits::kPages));
    }
  }
  return RawPage{std::move(answer.body), *std::move(next)};
}

Result<void> Listing::check_count() const {
  if (!count || !options.continuation_token.empty()) return {};
  const std::uint64_t expected = TRY(count());
  if (items >= expected) return {};
  return short_list(call.operation, items, expected);
}

Error short_list(std::string_view operation, std::uint64_t listed, std::uint64_t counted) {
  return Error(Errc::corrupt,
               fmt::format("{}: the registry listed {} and counts {}: {}, or some of them were "
                           "deleted or hidden meanwhile",
                           operation, listed, counted, kShortList));
}

}  // namespace berth::acr
