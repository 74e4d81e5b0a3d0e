// SPDX-License-Identifier: Apache-2.0
#include "berth/registry/quirks.hpp"

#include <algorithm>
#include <array>

#include "berth/credential/routes.hpp"
#include "berth/oci/reference.hpp"

namespace berth::registry::quirks {
namespace {

constexpr std::string_view kHub = "registry-1.docker.io";
constexpr std::string_view kHubReason =
    "Docker Hub answers at registry-1.docker.io under each of its names, and denies _catalog to "
    "everybody";

/// A row for each of its names.
constexpr auto kHosts = [] {
  std::array<Host, oci::kDockerHubNames.size()> rows{};
  std::ranges::transform(oci::kDockerHubNames, rows.begin(),
                         [](std::string_view name) { return Host{name, kHub, false, kHubReason}; });
  return rows;
}();

constexpr std::array kAnswers = {
    Answer{Meaning::head_not_offered, 405, "*", "static file servers and some proxies serve GET"},
    Answer{Meaning::head_not_offered, 501, "*", "the same, as RFC 9110 section 15.6.2 has it"},

    Answer{Meaning::storage_refuses_head, 400, "*", "object stores refuse what was signed for GET"},
    Answer{Meaning::storage_refuses_head, 403, "*", "a URL presigned for GET does not fit HEAD"},
    Answer{Meaning::storage_refuses_head, 405, "*", "some object stores have no HEAD"},
    Answer{Meaning::storage_refuses_head, 501, "*", "some object stores have no HEAD"},

    Answer{Meaning::no_catalogue, 0, "UNSUPPORTED", "_catalog is no part of the OCI specification"},
    Answer{Meaning::no_catalogue, 404, "*", "registries without _catalog do not route it"},
    Answer{Meaning::no_catalogue, 405, "*", "the same, where the path is routed for other methods"},
    Answer{Meaning::no_catalogue, 501, "*", "the same"},

    Answer{Meaning::page_size_refused, 400, "PAGINATION_NUMBER_INVALID",
           "distribution with a smaller limit of its own"},
    Answer{Meaning::page_size_refused, 400, "UNSUPPORTED", "registries that do not know n="},
    Answer{Meaning::page_size_refused, 400, "", "the same, in front of a proxy"},

    Answer{Meaning::no_referrers_api, 404, "", "registries of before 1.1 do not route the path"},
    Answer{Meaning::no_referrers_api, 404, "UNSUPPORTED", "routed, and not offered"},
    Answer{Meaning::no_referrers_api, 404, "NOT_FOUND", "a gateway's own 404 in the form of OCI"},
    Answer{Meaning::no_referrers_api, 404, "PAGE_NOT_FOUND", "the same"},
    Answer{Meaning::no_referrers_api, 400, "UNSUPPORTED", "routed, and not offered"},
    Answer{Meaning::no_referrers_api, 405, "*", "routed for other methods"},
    Answer{Meaning::no_referrers_api, 501, "*", "routed, and not offered"},

    Answer{Meaning::referrers_unanswered, 404, "MANIFEST_UNKNOWN",
           "the specification wants an empty index for a subject that is not there; some say this"},
    Answer{Meaning::referrers_unanswered, 404, "BLOB_UNKNOWN", "the same"},
    Answer{Meaning::referrers_unanswered, 404, "UNKNOWN", "Harbor's word for not found"},
    Answer{Meaning::referrers_unanswered, 400, "*", "registries that take the path for a name"},

    Answer{Meaning::cannot_untag, 400, "DIGEST_INVALID",
           "distribution 2 takes the tag for a digest"},
    Answer{Meaning::cannot_untag, 400, "UNSUPPORTED", "the same, said plainly"},
    Answer{Meaning::cannot_untag, 405, "*", "distribution 2, ACR (by /acr/v1 it does), Docker Hub"},
    Answer{Meaning::cannot_untag, 501, "*", "the same"},

    Answer{Meaning::cannot_delete, 400, "UNSUPPORTED", "not offered"},
    Answer{Meaning::cannot_delete, 405, "*",
           "distribution without storage.delete.enabled, Docker Hub, GHCR"},
    Answer{Meaning::cannot_delete, 501, "*", "the same"},
};

}  // namespace

std::span<const Host> hosts() noexcept { return kHosts; }

const Host* find_host(std::string_view registry) noexcept {
  const auto* found = std::ranges::find(kHosts, registry, &Host::name);
  return found == kHosts.end() ? nullptr : &*found;
}

std::string_view api_host(std::string_view registry) noexcept {
  const Host* host = find_host(registry);
  return host == nullptr || host->api_host.empty() ? registry : host->api_host;
}

// ECR answers a PATCH with 201 and discards the chunks that follow (aws/containers-roadmap#2831).
bool wants_single_put(std::string_view host) noexcept {
  return host.find(".dkr.ecr.") != std::string_view::npos &&
         host.find(".amazonaws.com") != std::string_view::npos;
}

bool knows_delete_action(std::string_view host) noexcept { return host != "quay.io"; }

bool is_azure(std::string_view registry) noexcept { return credential::is_acr_host(registry); }

bool is_azure_answer(const http::Headers& headers) noexcept {
  return headers.find("X-Ms-Correlation-Request-Id") != nullptr;
}

std::span<const Answer> answers() noexcept { return kAnswers; }

bool means(Meaning meaning, int status, std::string_view code) noexcept {
  return std::ranges::any_of(kAnswers, [&](const Answer& row) {
    return row.meaning == meaning && (row.status == 0 || row.status == status) &&
           (row.code == "*" || row.code == code);
  });
}

}  // namespace berth::registry::quirks
