// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "berth/http/message.hpp"

/// Where registries differ from distribution-spec 1.1, as data: the one place that knows registries
/// by name, or reads another meaning out of an answer than the specification gives it. Constants;
/// safe from any thread.
namespace berth::registry::quirks {

/// What is known beforehand about a registry, by its host.
struct Host {
  std::string_view name;      ///< as people write it, with the port where it is not the default
  std::string_view api_host;  ///< who answers for it; "" for itself
  bool has_catalogue;         ///< is it worth asking for _catalog?
  std::string_view reason;
};
std::span<const Host> hosts() noexcept;
/// nullptr for a registry without quirks that must be known beforehand.
const Host* find_host(std::string_view registry) noexcept;
/// The host that requests for this registry go to: itself, but for those of the table. Nothing is
/// added to repository names: `library/` and `docker.io` are the user's to write.
std::string_view api_host(std::string_view registry) noexcept;

/// Is this, by its name, an Azure container registry? Those behind names of their own are not told
/// so.
bool is_azure(std::string_view registry) noexcept;
/// Does an answer of it bear the mark that only Azure's gateway puts on?
bool is_azure_answer(const http::Headers& headers) noexcept;

/// What an answer means beside, or instead of, what its status says.
enum class Meaning : std::uint8_t {
  head_not_offered,      ///< ask by GET, from now on
  storage_refuses_head,  ///< where a blob was redirected to: ask for one byte by GET
  no_catalogue,          ///< there is none, for anybody
  page_size_refused,     ///< ask again without n=
  no_referrers_api,      ///< use the tag fallback, from now on
  referrers_unanswered,  ///< use the tag fallback, this time
  cannot_untag,          ///< no tag is removed alone
  cannot_delete,         ///< nothing is deleted here
};

struct Answer {
  Meaning meaning;
  int status;             ///< 0 for any
  std::string_view code;  ///< errors[0].code; "*" for any, "" for none
  std::string_view reason;
};
std::span<const Answer> answers() noexcept;
/// Does this registry lose what follows the first PATCH of an upload? By its host.
bool wants_single_put(std::string_view host) noexcept;
/// Does its token server know the action "delete"? Quay refuses the whole scope, and deletes by
/// "push".
bool knows_delete_action(std::string_view host) noexcept;
bool means(Meaning meaning, int status, std::string_view code) noexcept;

/// Asked for with n=. ECR and distribution refuse more than 1000; others cut it down silently.
inline constexpr int kPageSize = 1000;

}  // namespace berth::registry::quirks
