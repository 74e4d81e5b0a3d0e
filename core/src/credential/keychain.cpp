// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/keychain.hpp"

#include <unistd.h>

#include <functional>
#include <set>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/config.hpp"
#include "berth/credential/helper.hpp"
#include "berth/credential/router.hpp"
#include "berth/credential/store.hpp"

#include "credential/auth_files.hpp"
#include "credential/helper_answers.hpp"
#include "credential/registry_key.hpp"

namespace berth::credential {
namespace {

using std::filesystem::path;

constexpr std::string_view kDockerAuthConfig = "DOCKER_AUTH_CONFIG";

/// docker and podman read one another's files, by rules of their own.
enum class Rules : unsigned char { docker, podman };

struct FileSource {
  path file;
  Rules rules = Rules::docker;
  AuthFileForm form = AuthFileForm::config;
  std::string named_by{};  ///< who asked for this very file: then it must exist
};

path docker_config_file(const KeychainOptions& options) {
  if (options.docker_config_dir) return *options.docker_config_dir / "config.json";
  if (const auto folder = options.environment("DOCKER_CONFIG"))
    return path(*folder) / "config.json";
  const auto home = home_directory(options.environment);
  return home ? *home / ".docker" / "config.json" : path();
}

/// containers/image, getAuthFilePaths.
std::vector<FileSource> podman_files(const KeychainOptions& options) {
  std::vector<FileSource> files;
  const auto runtime = options.environment("XDG_RUNTIME_DIR");
  const path folder =
      runtime ? path(*runtime) : path("/run/containers") / std::to_string(::getuid());
  files.push_back({.file = runtime ? folder / "containers" / "auth.json" : folder / "auth.json",
                   .rules = Rules::podman});
  if (const auto config = xdg_config_home(options.environment)) {
    files.push_back({.file = *config / "containers" / "auth.json", .rules = Rules::podman});
  }
  if (const auto home = home_directory(options.environment)) {
    files.push_back(
        {.file = *home / ".dockercfg", .rules = Rules::podman, .form = AuthFileForm::dockercfg});
  }
  return files;
}

std::vector<FileSource> file_sources(const KeychainOptions& options) {
  std::vector<FileSource> sources;
  const auto variable = options.environment("REGISTRY_AUTH_FILE");
  if (options.auth_file) {
    sources.push_back(
        {.file = *options.auth_file, .rules = Rules::podman, .named_by = "the authfile option"});
  } else if (variable) {
    sources.push_back(
        {.file = *variable, .rules = Rules::podman, .named_by = "REGISTRY_AUTH_FILE"});
  }
  if (path docker = docker_config_file(options); !docker.empty()) {
    sources.push_back({.file = std::move(docker)});
  }
  if (!options.auth_file && !variable) {
    for (FileSource& file : podman_files(options)) sources.push_back(std::move(file));
  }
  return sources;
}

const AuthEntry* find_key(const AuthFile& file, std::string_view wanted) {
  for (const AuthEntry& entry : file.auths) {
    const std::size_t slash = entry.key.find('/');
    if (has_scheme(entry.key)) continue;
    const std::string host = canonical_host(std::string_view(entry.key).substr(0, slash));
    if (slash == std::string::npos ? host == wanted : host + entry.key.substr(slash) == wanted) {
      return &entry;
    }
  }
  return nullptr;
}

/// Keys by decreasing closeness: path, host, URLs of the host. docker alone takes any key of the
/// host at last, as it once wrote "host/path" at login and still strips it.
std::vector<const AuthEntry*> matching_entries(const AuthFile& file, Rules rules,
                                               std::string_view registry,
                                               std::string_view repository) {
  std::vector<const AuthEntry*> matches;
  for (const std::string& key : scoped_keys(registry, repository)) {
    if (const AuthEntry* entry = find_key(file, key)) matches.push_back(entry);
  }
  const std::string host = canonical_host(registry);
  for (const bool whole_host : {true, false}) {
    if (!whole_host && rules == Rules::podman) break;
    for (const AuthEntry& entry : file.auths) {
      if (is_host_key(entry.key) == whole_host &&
          canonical_host(hostname_of_key(entry.key)) == host) {
        matches.push_back(&entry);
      }
    }
  }
  return matches;
}

const std::string* host_helper(const AuthFile& file, std::string_view registry) {
  const std::string host = canonical_host(registry);
  for (const auto& [key, name] : file.cred_helpers) {
    if (is_host_key(key) && canonical_host(hostname_of_key(key)) == host) return &name;
  }
  return nullptr;
}

/// What is broken on this machine is not the registry's word, nor the content's: whoever asks is
/// not let in, no other credential is tried, and nobody may take it for a refusal that lasts. What
/// says nothing of a credential keeps its code.
Error not_let_in(Error error) {
  switch (error.code()) {
    case Errc::unauthenticated:
    case Errc::denied:
    case Errc::timeout:
    case Errc::cancelled:
    case Errc::would_block:
    case Errc::internal:
      return error;
    default:
      break;
  }
  Error refused = Error(Errc::unauthenticated, error.message()).with_sys_errno(error.sys_errno());
  return error.cause() == nullptr ? std::move(refused) : std::move(refused).because(*error.cause());
}

}  // namespace

struct Keychain::Impl {
  explicit Impl(KeychainOptions given)
      : options(std::move(given)),
        helpers(*options.clock, options.helper_timeout, options.helper_answer_lifetime) {}

  KeychainOptions options;
  AuthFiles files;
  HelperAnswers helpers;
  Mutex mutex;
  std::set<path> unreadable BERTH_GUARDED_BY(mutex);  ///< said once in the log
  std::unique_ptr<Router> opened_router BERTH_GUARDED_BY(mutex);

  Result<Lookup> find(const std::string& registry, const std::string& repository,
                      const Context& context);
  Result<std::shared_ptr<const AuthFile>> load(const FileSource& source, std::vector<Tried>* tried);
  void note_unreadable(const path& file, const Error& error);
  /// Made when first needed: it reads berth's configuration.
  Result<Router*> router();
  void add_routed_hosts(std::set<std::string>& hosts);
};

namespace {

/// One search: what is looked for, and what was tried so far.
struct Search {
  const KeychainOptions& options;
  HelperAnswers& helpers;
  const std::function<Result<Router*>()> router;
  const std::string& registry;
  const std::string& repository;
  const Context& context;
  std::vector<Tried> tried;

  using Found = Result<std::optional<Credential>>;

  Found in_helper(const std::string& name, const std::string& url, std::string_view where);
  Found in_auths(const AuthFile& file, Rules rules, const std::string& source,
                 const std::string& shown);
  Found in_docker(const AuthFile& file, const std::string& source, const std::string& shown);
  Found in_podman(const AuthFile& file, const std::string& source, const std::string& shown);
  Found in_routes();
  bool routes_were_asked = false;
};

Search::Found Search::in_helper(const std::string& name, const std::string& url,
                                std::string_view where) {
  Tried step{.source = fmt::format("helper {} ({})", text::escape_for_terminal(name), where),
             .outcome = ""};
  if (name == "berth") {
    // Never executed: this process is berth, and the helper would ask berth again.
    step.outcome = "berth's own routes";
    tried.push_back(std::move(step));
    return in_routes();
  }
  const auto ask = [&](const Context& limited) {
    return ask_helper(name, url, options.environment, limited);
  };
  Found answer = helpers.ask(name, url, ask, context);
  if (!answer) return Error(std::move(answer).error()).with_context(std::string(where));
  step.outcome = *answer ? "found" : fmt::format("none for {}", url);
  tried.push_back(std::move(step));
  return answer;
}

/// Once in a search, however many files name the helper berth. Kept as helpers' answers are: a
/// route may lead to one.
Search::Found Search::in_routes() {
  if (routes_were_asked) return std::optional<Credential>();
  routes_were_asked = true;
  const std::string name = repository.empty() ? registry : registry + "/" + repository;
  const ServerKey key = TRY(parse_server_key(name));
  Router* routes = TRY(router());
  std::vector<Tried> steps;
  const auto ask = [&](const Context& limited) { return routes->get(key, limited, &steps); };
  Found answer = helpers.ask(HelperAnswers::kRoutes, key.text(), ask, context);
  if (!answer) return answer;
  if (steps.empty()) {
    steps.push_back({.source = "berth's routes", .outcome = *answer ? "found" : "none"});
  }
  for (Tried& step : steps) tried.push_back(std::move(step));
  return answer;
}

Search::Found Search::in_auths(const AuthFile& file, Rules rules, const std::string& source,
                               const std::string& shown) {
  bool marker = false;
  for (const AuthEntry* entry : matching_entries(file, rules, registry, repository)) {
    auto credential = TRY(to_credential(*entry, shown));
    if (credential) {
      tried.push_back({.source = source, .outcome = "found"});
      return credential;
    }
    marker = true;
  }
  tried.push_back(
      {.source = source,
       .outcome = fmt::format("{} entry for {}", marker ? "an empty" : "no", registry)});
  return std::optional<Credential>();
}

Search::Found Search::in_docker(const AuthFile& file, const std::string& source,
                                const std::string& shown) {
  const std::string url = docker_server_url(registry);
  if (const std::string* name = host_helper(file, registry)) {
    auto found = TRY(in_helper(*name, url, fmt::format("credHelpers of {}", shown)));
    if (found) return found;
  }
  if (!file.creds_store.empty()) {
    auto found = TRY(in_helper(file.creds_store, url, fmt::format("credsStore of {}", shown)));
    if (found) return found;
  }
  return in_auths(file, Rules::docker, source, shown);
}

/// podman goes on to the next file when a host's helper has none, and knows no credsStore.
Search::Found Search::in_podman(const AuthFile& file, const std::string& source,
                                const std::string& shown) {
  if (const std::string* name = host_helper(file, registry)) {
    return in_helper(*name, canonical_host(registry), fmt::format("credHelpers of {}", shown));
  }
  return in_auths(file, Rules::podman, source, shown);
}

}  // namespace

Result<Router*> Keychain::Impl::router() {
  const MutexLock lock(mutex);
  if (opened_router == nullptr) {
    Config config = TRY(load_config(options.environment));
    opened_router = std::make_unique<Router>(RouterOptions{.environment = options.environment,
                                                           .config = std::move(config.credential),
                                                           .fetch_token = {},
                                                           .clock = options.clock});
  }
  return opened_router.get();
}

/// Of berth's own file and of routes that name one host. A key ring is not opened for a listing.
void Keychain::Impl::add_routed_hosts(std::set<std::string>& hosts) {
  const auto config = load_config(options.environment);
  if (!config) return;
  for (const Route& route : config->credential.routes) {
    const auto key = parse_server_key(route.pattern);
    if (key && route.pattern.find('*') == std::string::npos) hosts.insert(key->host);
  }
  const auto file = store_file(config->credential, options.environment);
  if (!file) return;
  const auto listed = make_file_store(*file, options.environment)->list(Context());
  if (!listed) return;
  for (const auto& [name, user] : *listed) {
    if (const auto key = parse_server_key(name)) hosts.insert(key->host);
  }
}

void Keychain::Impl::note_unreadable(const path& file, const Error& error) {
  {
    const MutexLock lock(mutex);
    if (!unreadable.insert(file).second) return;
  }
  log::warning(fmt::format("credentials: {}", error.describe()));
}

/// nullptr when there is no such file. One that nobody named and that may not be read is passed too
/// (a service with somebody's HOME), but said; a later 401 names it.
Result<std::shared_ptr<const AuthFile>> Keychain::Impl::load(const FileSource& source,
                                                             std::vector<Tried>* tried) {
  auto file = files.load(source.file, source.form);
  if (file) return file;
  const Errc code = file.error().code();
  if (code != Errc::not_found && code != Errc::denied) return file;
  if (!source.named_by.empty()) {
    const std::string about = "credentials named by " + source.named_by;
    if (code == Errc::denied) return Error(std::move(file).error()).with_context(about);
    // Not "not found": that would be the registry's word for what was asked of it.
    return Error(Errc::invalid_argument, fmt::format("{}: {}", about, file.error().message()));
  }
  if (code == Errc::denied) note_unreadable(source.file, file.error());
  if (tried != nullptr) {
    tried->push_back({.source = source.file.native(),
                      .outcome = code == Errc::denied ? "may not be read" : "no such file"});
  }
  return std::shared_ptr<const AuthFile>();
}

Keychain::Keychain(KeychainOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
Keychain::~Keychain() = default;

Result<Lookup> Keychain::find(const std::string& registry, const std::string& repository,
                              const Context& context) {
  auto found = impl_->find(registry, repository, context);
  if (!found) return not_let_in(std::move(found).error()).local();
  return found;
}

Result<Lookup> Keychain::Impl::find(const std::string& registry, const std::string& repository,
                                    const Context& context) {
  Search search{options, helpers, [this] { return router(); }, registry, repository, context, {}};
  const auto done = [&](Credential credential) {
    return Lookup{.credential = std::move(credential), .tried = std::move(search.tried)};
  };
  if (options.explicit_credential &&
      (options.explicit_registry.empty() ||
       canonical_host(options.explicit_registry) == canonical_host(registry))) {
    Credential credential = *options.explicit_credential;
    if (credential.source.empty()) credential.source = "command line";
    search.tried.push_back({.source = credential.source,
                            .outcome = credential.is_anonymous() ? "anonymous" : "found"});
    return done(std::move(credential));
  }
  const std::string variable(kDockerAuthConfig);
  if (const auto text = options.environment(variable)) {
    const AuthFile file = TRY(parse_auth_file(*text, AuthFileForm::config, variable));
    auto found = TRY(search.in_docker(file, variable, variable));
    if (found) return done(*std::move(found));
  }
  for (const FileSource& source : file_sources(options)) {
    const auto file = TRY(load(source, &search.tried));
    if (file == nullptr) continue;
    const std::string name = source.file.native();
    const std::string shown = short_name(source.file, options.environment);
    auto found = TRY(source.rules == Rules::docker ? search.in_docker(*file, name, shown)
                                                   : search.in_podman(*file, name, shown));
    if (found) return done(*std::move(found));
  }
  auto found = TRY(search.in_routes());
  if (found) return done(*std::move(found));
  return done(Credential{});
}

void Keychain::forget_helper_answers(const std::string& registry) {
  impl_->helpers.forget(docker_server_url(registry));
  impl_->helpers.forget(canonical_host(registry));
}

std::vector<std::string> Keychain::known_registries() {
  std::set<std::string> hosts;
  const auto add = [&](const AuthFile& file) {
    for (const AuthEntry& entry : file.auths) {
      hosts.insert(canonical_host(hostname_of_key(entry.key)));
    }
    for (const auto& [key, name] : file.cred_helpers) {
      hosts.insert(canonical_host(hostname_of_key(key)));
    }
  };
  const std::string variable(kDockerAuthConfig);
  if (const auto text = impl_->options.environment(variable)) {
    if (const auto file = parse_auth_file(*text, AuthFileForm::config, variable)) add(*file);
  }
  for (const FileSource& source : file_sources(impl_->options)) {
    const auto file = impl_->load(source, nullptr);
    if (file && *file != nullptr) add(**file);
  }
  impl_->add_routed_hosts(hosts);
  hosts.erase("");
  return {hosts.begin(), hosts.end()};
}

}  // namespace berth::credential
