// SPDX-License-Identifier: Apache-2.0
#include "berth/registry/client.hpp"

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/media_type.hpp"
#include "berth/oci/reference.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {

Client::Client(std::string name, std::vector<Endpoint> endpoints)
    : impl_(std::make_unique<Impl>(std::move(name), std::move(endpoints))) {}

Client::~Client() = default;

const std::string& Client::name() const noexcept { return impl_->name(); }

std::uint64_t Client::requests() const noexcept { return impl_->endpoints.requests(); }

Result<void> Client::ping(const Context& context) {
  const Call call{.path = "",
                  .headers = {},
                  .scopes = {},
                  .repository = {},
                  .operation = fmt::format("ping of {}", name())};
  const Endpoint& registry = impl_->endpoints.registry();
  auto response = TRY(impl_->endpoints.send(registry, call, context));
  const auto* type = response.headers.find("Content-Type");
  // A web server that is no registry answers any path with a page.
  const bool page = type != nullptr && oci::without_parameters(*type) == "text/html";
  if (response.status == 200 && !page) return {};
  if (page || response.status == 404) {
    return Error(Errc::unsupported,
                 fmt::format("{}: {} answers, but not as a registry: it does not speak "
                             "distribution-spec at /v2/; check the name and port",
                             call.operation, registry.base.origin().text()));
  }
  return impl_->endpoints.refusal(registry, call, response, context);
}

std::string Client::Impl::object(const std::string& repository,
                                 const std::string& reference) const {
  const bool digest = reference.find(':') != std::string::npos;
  return fmt::format("{}/{}{}{}", name(), repository, digest ? "@" : ":", reference);
}

Result<void> check_repository(const std::string& repository) {
  if (oci::is_repository(repository)) return {};
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is no repository name: lower-case letters and digits, parted by "
                           "'.', '_', '__' or '-', in components parted by '/'",
                           text::escape_for_terminal(repository)));
}

}  // namespace berth::registry
