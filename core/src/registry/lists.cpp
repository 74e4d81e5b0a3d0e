// SPDX-License-Identifier: Apache-2.0
#include <unordered_set>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/json/value.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

/// The strings of a member that is a list; null and absent are empty (Nexus says null).
Result<std::vector<std::string>> names_of(const std::string& body, const std::string& key) {
  const auto document =
      TRY(json::Document::parse(body, {.bytes = http::limits::kPageBody, .depth = 64}));
  if (document.root().type() != json::Type::object) {
    return Error(Errc::corrupt, "the list is not a JSON object");
  }
  std::vector<std::string> names;
  const auto list = document.root().find(key);
  if (!list || list->is_null()) return names;
  const auto items = TRY(list->as_array());
  for (const json::Value& item : items) {
    const auto name = TRY(item.as_string());
    names.emplace_back(name);
  }
  return names;
}

/// Without what breaks the grammar and what came before. Artifactory lists digests among tags.
std::vector<std::string> keep_fitting(std::vector<std::string> names,
                                      bool (*fits)(std::string_view) noexcept,
                                      const std::string& operation) {
  std::unordered_set<std::string> seen;
  std::size_t dropped = 0;
  std::string example;
  std::erase_if(names, [&](const std::string& name) {
    if (fits(name)) return !seen.insert(name).second;
    if (dropped++ == 0) example = name;
    return true;
  });
  if (dropped != 0) {
    constexpr std::size_t kShown = 128;
    log::warning(
        fmt::format("{}: {} names break the grammar of distribution-spec and are left "
                    "out, '{}' among them",
                    operation, dropped,
                    text::escape_for_terminal(std::string_view(example).substr(0, kShown))));
  }
  return names;
}

/// A cursor is only followed to where it came from: whoever kept it cannot lead a credential away.
Result<Cursor> cursor_from(const std::string& from, const http::Url& base,
                           const std::string& operation) {
  auto cursor = Cursor::parse(from);
  if (!cursor || cursor->url.origin() != base.origin()) {
    return Error(Errc::invalid_argument,
                 fmt::format("{}: this is no place to go on in its list", operation));
  }
  return cursor;
}

}  // namespace

Result<Client::Impl::ListPage> Client::Impl::list_page(const Call& call, const std::string& from,
                                                       const Context& context) {
  const Endpoint& registry = endpoints.registry();
  const std::string sized = fmt::format("{}?n={}", call.path, quirks::kPageSize);
  Cursor cursor{endpoints.url(registry, sized)};
  if (!from.empty()) cursor = TRY(cursor_from(from, registry.base, call.operation));
  auto response = TRY(endpoints.send_to(registry, call, cursor.url, context));
  if (response.status != 200) {
    Error refused = endpoints.refusal(registry, call, response, context);
    const std::string& code = refused.http()->registry_code;
    if (!from.empty() ||
        !quirks::means(quirks::Meaning::page_size_refused, response.status, code)) {
      return refused;
    }
    cursor.url = endpoints.url(registry, call.path);
    response = TRY(endpoints.send_to(registry, call, cursor.url, context));
    if (response.status != 200) return endpoints.refusal(registry, call, response, context);
  }
  auto body = http::read_all(*response.body, http::limits::kPageBody, context);
  if (!body) return std::move(body).error().with_context(call.operation);
  const auto next = next_cursor(cursor, response);
  if (!next) return Error(next.error()).with_context(call.operation);
  return ListPage{*std::move(body), *next ? (*next)->text() : std::string()};
}

Result<Page> Client::Impl::list(const Call& call, const std::string& key,
                                bool (*fits)(std::string_view) noexcept, const std::string& from,
                                const Context& context) {
  auto page = TRY(list_page(call, from, context));
  auto names = names_of(page.body, key);
  if (!names) return std::move(names).error().with_context(call.operation);
  return Page{keep_fitting(*std::move(names), fits, call.operation), std::move(page.next)};
}

Result<Page> Client::list_repositories(const std::string& from, const Context& context) {
  const Call call{.path = "_catalog",
                  .headers = {},
                  .scopes = auth::Scopes::catalog(),
                  .repository = {},
                  .operation = fmt::format("repositories of {}", name())};
  const auto absent = [&] {
    return Error(Errc::unsupported,
                 fmt::format("{}: this registry does not list its repositories; name the "
                             "repository",
                             call.operation));
  };
  const quirks::Host* host = quirks::find_host(name());
  if (host == nullptr) {
    host = quirks::find_host(impl_->endpoints.registry().base.origin().host);
  }
  if (host != nullptr && !host->has_catalogue) return absent();
  auto page = impl_->list(call, "repositories", oci::is_repository, from, context);
  if (page || page.error().http() == nullptr) return page;
  const HttpInfo& said = *page.error().http();
  if (!quirks::means(quirks::Meaning::no_catalogue, said.status, said.registry_code)) return page;
  return absent().because(std::move(page).error());
}

Result<Page> Client::list_tags(const std::string& repository, const std::string& from,
                               const Context& context) {
  TRY(check_repository(repository));
  const Call call{.path = repository + "/tags/list",
                  .headers = {},
                  .scopes = auth::Scopes::pull(repository),
                  .repository = repository,
                  .operation = fmt::format("tags of {}/{}", name(), repository)};
  return impl_->list(call, "tags", oci::is_tag, from, context);
}

}  // namespace berth::registry
