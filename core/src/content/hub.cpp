// SPDX-License-Identifier: Apache-2.0
#include "berth/content/hub.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>

#include <fmt/core.h>

#include "berth/auth/azure_registry.hpp"
#include "berth/auth/connection.hpp"
#include "berth/auth/identity_chain.hpp"
#include "berth/auth/session.hpp"
#include "berth/base/limit.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

#include "content/acr_watch.hpp"
#include "content/lazy_source.hpp"
#include "content/scheme.hpp"
#include "credential/config_entry.hpp"

namespace berth::content {
namespace {

constexpr std::string_view kLayoutPrefix = "oci:";

/// A source and the session that its client borrows.
struct Connected {
  Connected(http::Client& http, credential::Keychain& keychain, auth::TokenStore& tokens,
            auth::SessionOptions options)
      : session(http, keychain, tokens, std::move(options)) {}

  auth::Session session;
  std::shared_ptr<Source> source;
};

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

Result<void> check_registry(const std::string& registry) {
  if (oci::is_registry(registry)) return {};
  return Error(Errc::invalid_argument,
               fmt::format("'{}' is not the name of a registry: a host, or host:port",
                           text::escape_for_terminal(registry)));
}

}  // namespace

struct Hub::Impl {
  Impl(HubOptions given, credential::Config read_config, std::unique_ptr<cache::Cache> opened)
      : options(std::move(given)),
        config(std::move(read_config)),
        own_transport(options.transport != nullptr
                          ? nullptr
                          : http::make_curl_transport({.user_agent = options.user_agent})),
        transport(options.transport != nullptr ? *options.transport : *own_transport),
        watch(transport),
        http(watch, {.retry = options.retry}),
        keychain(options.keychain),
        tokens(std::make_shared<auth::TokenStore>(auth::token_folder(options.environment))),
        cache(std::move(opened)),
        store(*cache, options.store) {}

  Result<std::shared_ptr<Source>> make_source(const std::string& registry);
  /// The scheme that somebody chose for a registry; "" for loopback hosts that must be tried.
  std::string chosen_scheme(const std::string& registry) const;
  Result<auth::SessionOptions> session_options(const std::string& registry,
                                               const std::string& scheme, bool named_for_http);
  Result<std::shared_ptr<Source>> connect(const std::string& registry, const std::string& scheme,
                                          bool named_for_http);
  std::shared_ptr<const http::ConnectionOptions> connection(const std::string& registry) const;
  Result<std::shared_ptr<Management>> management(const std::string& registry, const http::Url& base,
                                                 bool named_for_http);
  void add_identity(const std::string& registry, auth::SessionOptions& session);
  std::shared_ptr<auth::TokenCredential> identity(const std::string& authority_host);

  const HubOptions options;
  const credential::Config config;
  // Declared in the order in which they borrow from one another.
  const std::unique_ptr<http::Transport> own_transport;
  http::Transport& transport;
  std::atomic<std::uint64_t> probes = 0;
  AcrWatch watch;
  http::Client http;
  credential::Keychain keychain;
  const std::shared_ptr<auth::TokenStore> tokens;
  const std::unique_ptr<cache::Cache> cache;
  Mutex mutex;
  std::map<std::string, std::shared_ptr<Source>> sources BERTH_GUARDED_BY(mutex);
  std::vector<acr::ContainerRegistryClient> azure BERTH_GUARDED_BY(mutex);  ///< of the sources
  /// By authority; what one learned serves every registry of its cloud.
  std::map<std::string, std::shared_ptr<auth::TokenCredential>> identities BERTH_GUARDED_BY(mutex);
  Store store;
};

// What the command line says is for the hosts that it names, and stronger than the file.
std::shared_ptr<const http::ConnectionOptions> Hub::Impl::connection(
    const std::string& registry) const {
  http::ConnectionOptions connection =
      auth::connection_options(credential::registry_config(config, registry, options.environment));
  if (contains(options.connection_hosts, registry)) {
    const http::ConnectionOptions& named = options.connection;
    if (!named.ca_file.empty()) {
      connection.ca_file = named.ca_file;
      connection.more_ca_files = named.more_ca_files;
    }
    if (!named.client_cert_file.empty()) connection.client_cert_file = named.client_cert_file;
    if (!named.client_cert_file.empty() || !named.client_key_file.empty()) {
      connection.client_key_file = named.client_key_file;
    }
    if (!named.client_key_password.empty() || !named.client_key_password_file.empty()) {
      connection.client_key_password = named.client_key_password;
      connection.client_key_password_file = named.client_key_password_file;
    }
    connection.insecure_skip_verify |= named.insecure_skip_verify;
  }
  return std::make_shared<const http::ConnectionOptions>(std::move(connection));
}

/// Entra ID stands last in the search for a credential, and only where a registry is Azure's.
void Hub::Impl::add_identity(const std::string& registry, auth::SessionOptions& session) {
  const auth::AzureRegistry rule = auth::azure_registry(registry, config, options.environment);
  if (!rule.is_azure) return;
  session.is_acr = true;
  session.anonymous_first = true;
  session.token_credential = identity(rule.authority_host);
  session.audience = rule.audience;
}

std::shared_ptr<auth::TokenCredential> Hub::Impl::identity(const std::string& authority_host) {
  MutexLock lock(mutex);
  std::shared_ptr<auth::TokenCredential>& made = identities[authority_host];
  if (made != nullptr) return made;
  auth::DefaultCredentialOptions how;
  how.identity.environment = options.environment;
  how.identity.retry = options.retry;
  // It outlives every session, as this hub's own transport does.
  how.identity.transport = std::shared_ptr<http::Transport>(&transport, [](http::Transport*) {});
  how.identity.authority_host = authority_host;
  made = std::make_shared<auth::DefaultAzureCredential>(std::move(how));
  return made;
}

Result<auth::SessionOptions> Hub::Impl::session_options(const std::string& registry,
                                                        const std::string& scheme,
                                                        bool named_for_http) {
  const std::string_view host = registry::quirks::api_host(registry);
  auth::SessionOptions session{
      .registry = TRY(http::Url::parse(fmt::format("{}://{}/", scheme, host))),
      .name = registry,
      .connection = connection(registry),
      .plain_http_allowed = named_for_http};
  add_identity(registry, session);
  return session;
}

Result<std::shared_ptr<Source>> Hub::Impl::connect(const std::string& registry,
                                                   const std::string& scheme, bool named_for_http) {
  auth::SessionOptions session = TRY(session_options(registry, scheme, named_for_http));
  const http::Url base = session.registry;
  auto connected = std::make_shared<Connected>(http, keychain, *tokens, std::move(session));
  registry::Endpoint endpoint{.base = base, .session = &connected->session};
  auto managed = TRY(management(registry, base, named_for_http));
  connected->source = make_registry_source(
      std::make_unique<registry::Client>(registry, std::vector{std::move(endpoint)}),
      std::move(managed));
  Source* source = connected->source.get();
  return std::shared_ptr<Source>(std::move(connected), source);
}

// The same connections, credentials and tokens as the registry's other requests. What is said in
// the configuration comes first, then the host's name, then what its answers show.
Result<std::shared_ptr<Management>> Hub::Impl::management(const std::string& registry,
                                                          const http::Url& base,
                                                          bool named_for_http) {
  const std::optional<bool> named = credential::config_entry(config, registry).acr;
  if (named == false) return std::shared_ptr<Management>();
  acr::ContainerRegistryClientOptions client;
  client.transport = {std::shared_ptr<void>(), &transport};  // borrowed: the hub outlives it
  client.keychain = {std::shared_ptr<void>(), &keychain};
  client.tokens = tokens;
  client.connection = *connection(registry);
  auth::SessionOptions session;
  add_identity(registry, session);
  client.token_credential = session.token_credential;
  client.audience = session.audience;
  client.allow_insecure_connection = named_for_http;
  client.retry = {.max_retries = options.retry.attempts - 1,
                  .retry_delay = options.retry.first_delay,
                  .max_retry_delay = options.retry.max_delay};
  auto made = TRY(acr::ContainerRegistryClient::create(base.origin().text(), std::move(client)));
  {
    const MutexLock lock(mutex);
    azure.push_back(made);
  }
  const bool known = named == true || registry::quirks::is_azure(registry);
  return make_acr_management(std::move(made), known ? nullptr : watch.seen(base.origin().text()));
}

std::string Hub::Impl::chosen_scheme(const std::string& registry) const {
  const credential::RegistryConfig said = credential::config_entry(config, registry);
  if (contains(options.plain_http, registry) || said.plain_http == true) return "http";
  const http::ConnectionOptions none{};
  const bool named_for_tls =
      said.plain_http == false || auth::connection_options(said) != none ||
      (contains(options.connection_hosts, registry) && options.connection != none);
  return named_for_tls || !is_loopback(registry) ? "https" : "";
}

Result<std::shared_ptr<Source>> Hub::Impl::make_source(const std::string& registry) {
  if (registry.starts_with(kLayoutPrefix)) {
    return open_layout(registry.substr(kLayoutPrefix.size()));
  }
  TRY(check_registry(registry));
  const std::string scheme = chosen_scheme(registry);
  if (!scheme.empty()) return connect(registry, scheme, scheme == "http");
  return make_lazy_source(
      registry, [this, registry](const Context& context) -> Result<std::shared_ptr<Source>> {
        const std::string found =
            TRY(probe_scheme(transport, registry, connection(registry), probes, context));
        return connect(registry, found, false);
      });
}

Result<auth::SessionOptions> Hub::session_options(const std::string& registry,
                                                  const Context& context) {
  TRY(check_registry(registry));
  std::string scheme = impl_->chosen_scheme(registry);
  const bool named_for_http = scheme == "http";
  if (scheme.empty()) {
    scheme = TRY(probe_scheme(impl_->transport, registry, impl_->connection(registry),
                              impl_->probes, context));
  }
  return impl_->session_options(registry, scheme, named_for_http);
}

Result<std::unique_ptr<Hub>> Hub::open(HubOptions options) {
  credential::Config config = TRY(credential::load_config(options.environment));
  if (options.cache.folder.empty()) {
    options.cache.folder = TRY(cache::default_folder(options.environment, options.daemon));
  }
  if (options.cache.limit == 0 && !config.cache_limit.empty()) {
    options.cache.limit = TRY(text::parse_limit(config.cache_limit));
  }
  options.keychain.environment = options.environment;
  auto cache = TRY(cache::Cache::open(options.cache));
  auto impl = std::make_unique<Impl>(std::move(options), std::move(config), std::move(cache));
  return std::unique_ptr<Hub>(new Hub(std::move(impl)));
}

Hub::Hub(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}

Hub::~Hub() = default;

Result<std::shared_ptr<Source>> Hub::source(const std::string& registry) {
  {
    MutexLock lock(impl_->mutex);
    const auto known = impl_->sources.find(registry);
    if (known != impl_->sources.end()) return known->second;
  }
  auto made = TRY(impl_->make_source(registry));
  MutexLock lock(impl_->mutex);
  // Two threads may have made one: all shall use the same.
  return impl_->sources.try_emplace(registry, std::move(made)).first->second;
}

std::vector<std::string> Hub::known_registries() {
  std::set<std::string> names(impl_->options.plain_http.begin(), impl_->options.plain_http.end());
  names.insert(impl_->options.connection_hosts.begin(), impl_->options.connection_hosts.end());
  for (const auto& entry : impl_->config.registries) names.insert(entry.first);
  for (std::string& name : impl_->keychain.known_registries()) names.insert(std::move(name));
  std::erase_if(names, [](const std::string& name) { return !oci::is_registry(name); });
  return {names.begin(), names.end()};
}

Store& Hub::store() noexcept { return impl_->store; }
cache::Cache& Hub::cache() noexcept { return *impl_->cache; }
credential::Keychain& Hub::keychain() noexcept { return impl_->keychain; }
http::Client& Hub::http() noexcept { return impl_->http; }
const credential::Config& Hub::config() const noexcept { return impl_->config; }

http::Counters Hub::requests() const {
  http::Counters counters = impl_->http.counters();
  counters.requests += impl_->probes;
  const MutexLock lock(impl_->mutex);
  for (const auto& client : impl_->azure) counters.requests += client.requests();
  return counters;
}

}  // namespace berth::content
