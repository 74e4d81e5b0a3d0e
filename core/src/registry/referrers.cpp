// SPDX-License-Identifier: Apache-2.0
#include <unordered_set>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/oci/media_type.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

/// Referrers from several pages: each once, and no more than one index may hold.
class Collection {
 public:
  Result<void> add(const oci::Index& index, const std::string& artifact_type) {
    for (const oci::Descriptor& descriptor : index.manifests) {
      if (!artifact_type.empty() && descriptor.artifact_type != artifact_type) continue;
      if (!seen_.insert(descriptor.digest.text()).second) continue;
      if (all_.size() >= oci::kDescriptorLimit) {
        return Error(Errc::too_large,
                     fmt::format("there are more than {} of them", oci::kDescriptorLimit));
      }
      all_.push_back(descriptor);
    }
    return {};
  }
  std::vector<oci::Descriptor> take() && { return std::move(all_); }

 private:
  std::vector<oci::Descriptor> all_;
  std::unordered_set<std::string> seen_;
};

bool says_index(const http::Response& response) {
  const std::string* type = response.headers.find("Content-Type");
  return type != nullptr && oci::is_index(oci::without_parameters(*type));
}

/// "OCI-Filters-Applied: artifactType": the descriptors need not say their type again.
bool says_filtered(const http::Response& response) {
  const std::string* filters = response.headers.find("OCI-Filters-Applied");
  if (filters == nullptr) return false;
  for (const auto filter : text::split(*filters, ',')) {
    if (text::equals_ignoring_case(text::trim(filter), "artifactType")) return true;
  }
  return false;
}

/// The registry says that there is no such tag, and not that there is no such repository.
bool is_no_such_tag(const Error& error) {
  return error.code() == Errc::not_found && error.http() != nullptr &&
         error.http()->registry_code != "NAME_UNKNOWN";
}

/// One page: adds what it lists, and gives where the list goes on.
Result<std::optional<Cursor>> read_page(http::Response& response, const Cursor& cursor,
                                        const std::string& artifact_type, Collection& all,
                                        const Context& context) {
  auto body = TRY(http::read_all(*response.body, http::limits::kPageBody, context));
  const auto page =
      TRY(oci::parse_manifest(std::move(body), oci::media::kImageIndex, std::nullopt));
  TRY(all.add(*page.index(), says_filtered(response) ? std::string() : artifact_type));
  return next_cursor(cursor, response);
}

}  // namespace

// The algorithm cut to 32 characters, '-', the hex cut to 64. Older clients do not cut, so a long
// digest has two tags.
std::vector<std::string> fallback_tags(const Digest& digest) {
  constexpr std::size_t kHexKept = 64;
  const std::string algorithm(digest.algorithm_name());
  const std::string_view hex = digest.hex();
  std::vector<std::string> tags{algorithm + "-" + std::string(hex.substr(0, kHexKept))};
  // Of sha512 that has 135 characters and is no tag by the grammar; some registries take it.
  if (hex.size() > kHexKept) tags.push_back(algorithm + "-" + std::string(hex));
  return tags;
}

Result<std::optional<std::vector<oci::Descriptor>>> Client::Impl::referrers_by_api(
    const std::string& repository, const Digest& digest, const std::string& artifact_type,
    const Context& context) {
  const Endpoint& registry = endpoints.registry();
  const Clock& clock = registry.session->client().clock();
  constexpr auto use_the_tag = std::nullopt;
  if (learned.lacks_referrers_api(repository, clock.ticks())) return use_the_tag;
  Call call{.path = repository + "/referrers/" + digest.text(),
            .headers = {},
            .scopes = auth::Scopes::pull(repository),
            .repository = repository,
            .operation = fmt::format("referrers of {}", object(repository, digest.text()))};
  if (!artifact_type.empty()) {
    call.path += "?artifactType=" + text::percent_encode(artifact_type);
  }
  call.headers.add("Accept", std::string(oci::media::kImageIndex));
  Collection all;
  std::optional<Cursor> cursor = Cursor{endpoints.url(registry, call.path)};
  while (cursor) {
    const bool first = cursor->pages == 0;
    auto response = TRY(endpoints.send_to(registry, call, cursor->url, context));
    if (response.status != 200) {
      Error refused = endpoints.refusal(registry, call, response, context);
      const std::string& code = refused.http()->registry_code;
      const auto means = [&](quirks::Meaning meaning) {
        return first && quirks::means(meaning, response.status, code);
      };
      const bool no_api = means(quirks::Meaning::no_referrers_api);
      if (no_api) learned.no_referrers_api(repository, clock.ticks());
      if (no_api || means(quirks::Meaning::referrers_unanswered)) return use_the_tag;
      return refused;
    }
    if (first && !says_index(response)) {
      // A web page, or a gateway's own JSON: whoever answers knows nothing of referrers.
      learned.no_referrers_api(repository, clock.ticks());
      return use_the_tag;
    }
    auto next = read_page(response, *cursor, artifact_type, all, context);
    if (!next) return std::move(next).error().with_context(call.operation);
    cursor = *std::move(next);
  }
  return std::optional(std::move(all).take());
}

Result<std::vector<oci::Descriptor>> Client::Impl::referrers_by_tag(
    const std::string& repository, const Digest& digest, const std::string& artifact_type,
    const Context& context) {
  for (const std::string& tag : fallback_tags(digest)) {
    const std::string operation =
        fmt::format("referrers of {} by tag {}", object(repository, digest.text()), tag);
    const Target asked{repository, tag, std::nullopt};
    // Of the registry alone: a mirror knows what it was asked for, and not what refers to it.
    auto raw = fetch_manifest(endpoints.registry(), asked, context);
    if (!raw && is_no_such_tag(raw.error())) continue;
    if (!raw) return std::move(raw).error().with_context(operation);
    const auto document = oci::parse_manifest(std::move(raw->raw), raw->media_type, raw->digest);
    if (!document) return Error(document.error()).with_context(operation);
    const oci::Index* index = document->index();
    if (index == nullptr) {
      return Error(Errc::corrupt,
                   fmt::format("{}: the tag names a {}, where an index should be", operation,
                               text::escape_for_terminal(document->media_type)));
    }
    Collection all;
    TRY(all.add(*index, artifact_type));
    return std::move(all).take();
  }
  return std::vector<oci::Descriptor>();
}

Result<std::vector<oci::Descriptor>> Client::referrers(const std::string& repository,
                                                       const Digest& digest, const Context& context,
                                                       const std::string& artifact_type) {
  TRY(check_repository(repository));
  auto all = TRY(impl_->referrers_by_api(repository, digest, artifact_type, context));
  if (all) return *std::move(all);
  return impl_->referrers_by_tag(repository, digest, artifact_type, context);
}

}  // namespace berth::registry
