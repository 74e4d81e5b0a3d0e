// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/config.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <fmt/format.h>
#include <toml++/toml.h>

#include "berth/base/context.hpp"
#include "berth/base/fd.hpp"
#include "berth/base/limit.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/helper.hpp"
#include "berth/oci/reference.hpp"

#include "credential/certs.hpp"
#include "credential/config_entry.hpp"

namespace berth::credential {
namespace {

using std::filesystem::path;

constexpr std::size_t kFileLimit = 1024 * 1024;
constexpr std::chrono::seconds kPipeTime{5};

/// Where in which file, for every message.
struct Reader {
  const path& file;
  const Environment& environment;

  Error error(const toml::source_region& where, std::string_view what) const {
    return {Errc::invalid_argument,
            fmt::format("{}, line {}: {}", file.native(), where.begin.line, what)};
  }
  Error unknown(const toml::key& key, std::string_view table, std::string_view known) const {
    return error(key.source(), fmt::format("unknown key \"{}\" in {}; known are {}",
                                           text::escape_for_terminal(key.str()), table, known));
  }
  Result<const toml::table*> table(const toml::node& node, std::string_view name) const {
    if (const toml::table* found = node.as_table()) return found;
    return error(node.source(), fmt::format("{} must be a table", name));
  }
  Result<bool> boolean(const toml::node& node, std::string_view name) const {
    if (const auto* value = node.as_boolean()) return value->get();
    return error(node.source(), fmt::format("{} must be true or false", name));
  }
  Result<std::string> string(const toml::node& node, std::string_view name) const {
    if (const auto* value = node.as_string()) return value->get();
    return error(node.source(), fmt::format("{} must be a string", name));
  }
  /// "~/" is the home; what is relative is beside the file.
  Result<std::string> file_name(const toml::node& node, std::string_view name) const {
    const std::string value = TRY(string(node, name));
    if (value.empty()) return error(node.source(), fmt::format("{} is empty", name));
    if (value.starts_with("~/")) {
      if (const auto home = home_directory(environment)) return (*home / value.substr(2)).native();
    }
    return (file.parent_path() / value).lexically_normal().native();
  }
};

Result<RegistryConfig> read_registry(const Reader& reader, const toml::table& table) {
  RegistryConfig config;
  for (const auto& [key, node] : table) {
    if (key == "plain_http") {
      config.plain_http = TRY(reader.boolean(node, key.str()));
    } else if (key == "insecure_skip_verify") {
      config.insecure_skip_verify = TRY(reader.boolean(node, key.str()));
    } else if (key == "http2") {
      config.http2 = TRY(reader.boolean(node, key.str()));
    } else if (key == "acr") {
      config.acr = TRY(reader.boolean(node, key.str()));
    } else if (key == "ca_file") {
      config.ca_file = TRY(reader.file_name(node, key.str()));
    } else if (key == "client_cert_file") {
      config.client_cert_file = TRY(reader.file_name(node, key.str()));
    } else if (key == "client_key_file") {
      config.client_key_file = TRY(reader.file_name(node, key.str()));
    } else if (key == "client_key_password_file") {
      config.client_key_password_file = TRY(reader.file_name(node, key.str()));
    } else if (key == "audience") {
      config.audience = TRY(reader.string(node, key.str()));
    } else {
      return reader.unknown(key, "a registry's table",
                            "plain_http, insecure_skip_verify, http2, ca_file, client_cert_file, "
                            "client_key_file, client_key_password_file, acr, audience");
    }
  }
  return config;
}

Result<void> read_registries(const Reader& reader, const toml::node& node, Config& config) {
  const toml::table* registries = TRY(reader.table(node, "registry"));
  for (const auto& [name, entry] : *registries) {
    if (!oci::is_registry(name.str())) {
      return reader.error(name.source(),
                          fmt::format("\"{}\" is not a registry: write host or host:port",
                                      text::escape_for_terminal(name.str())));
    }
    const toml::table* table = TRY(reader.table(entry, "a registry's entry"));
    // Hosts are looked for in lower case, whatever a person writes.
    const auto [place, is_new] = config.registries.try_emplace(text::to_lower(name.str()));
    if (!is_new) return reader.error(name.source(), "this registry is named twice");
    place->second = TRY(read_registry(reader, *table));
  }
  return {};
}

Result<void> read_cache(const Reader& reader, const toml::node& node, Config& config) {
  const toml::table* cache = TRY(reader.table(node, "cache"));
  for (const auto& [key, value] : *cache) {
    if (key != "limit") return reader.unknown(key, "[cache]", "limit");
    config.cache_limit = TRY(reader.string(value, "limit"));
    if (const auto limit = text::parse_limit(config.cache_limit); !limit) {
      return reader.error(value.source(), "limit: " + limit.error().message());
    }
  }
  return {};
}

Result<void> read_routes(const Reader& reader, const toml::node& node, CredentialConfig& config) {
  const toml::table* routes = TRY(reader.table(node, "credential.routes"));
  for (const auto& [pattern, use] : *routes) {
    const std::string word = TRY(reader.string(use, "a route"));
    Result<Route> route = parse_route(pattern.str(), word);
    if (!route) return reader.error(pattern.source(), route.error().message());
    config.routes.push_back(*std::move(route));
  }
  return {};
}

Result<std::chrono::seconds> read_timeout(const Reader& reader, const toml::node& node) {
  const auto* value = node.as_integer();
  if (value == nullptr || value->get() < 1 || value->get() > 600) {
    return reader.error(node.source(), "helper_timeout must be a number of seconds, 1 to 600");
  }
  return std::chrono::seconds(value->get());
}

Result<void> read_credential(const Reader& reader, const toml::node& node,
                             CredentialConfig& config) {
  const toml::table* table = TRY(reader.table(node, "credential"));
  for (const auto& [key, value] : *table) {
    if (key == "store") {
      config.store = TRY(reader.string(value, "store"));
      if (!is_helper_name(config.store) || config.store == "berth") {
        return reader.error(value.source(),
                            "store must be \"file\", \"secretservice\", \"pass\" or the name of "
                            "another helper than berth");
      }
    } else if (key == "file") {
      config.file = TRY(reader.file_name(value, "file"));
    } else if (key == "helper_timeout") {
      config.helper_timeout = TRY(read_timeout(reader, value));
    } else if (key == "routes") {
      TRY(read_routes(reader, value, config));
    } else {
      return reader.unknown(key, "[credential]", "store, file, helper_timeout, routes");
    }
  }
  return {};
}

Result<Config> read_config(const path& file, std::string_view text,
                           const Environment& environment) {
  const Reader reader{.file = file, .environment = environment};
  const toml::parse_result parsed = toml::parse(text, file.native());
  if (!parsed) return reader.error(parsed.error().source(), parsed.error().description());
  Config config;
  config.file = file;
  for (const auto& [key, node] : parsed.table()) {
    if (key == "registry") {
      TRY(read_registries(reader, node, config));
    } else if (key == "cache") {
      TRY(read_cache(reader, node, config));
    } else if (key == "credential") {
      TRY(read_credential(reader, node, config.credential));
    } else {
      return reader.unknown(key, "the file", "registry, cache, credential");
    }
  }
  for (const auto& [host, registry] : config.registries) {
    if (registry.acr == true) config.credential.acr_hosts.push_back(host);
    if (registry.acr == false) config.credential.not_acr_hosts.push_back(host);
  }
  return config;
}

/// A shell's <(...) is a pipe, and so is what nobody will ever write to: it is given a while.
Result<std::string> read_pipe(const path& file) {
  const Context limited = Context().with_timeout(kPipeTime);
  const Fd fd = TRY(open_at(AT_FDCWD, file, O_RDONLY | O_NONBLOCK));
  std::string text;
  std::array<char, 4096> buffer;
  while (text.size() <= kFileLimit) {
    TRY(wait_readable(fd.get(), limited));
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
      return Error::from_errno(errno, file.native());
    }
  }
  return Error(Errc::too_large, fmt::format("{} gave more than 1 MiB", file.native()));
}

Result<std::string> read_named(const path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0 || !S_ISFIFO(status.st_mode)) {
    return read_file(file, kFileLimit);
  }
  auto text = read_pipe(file);
  if (text || text.error().code() != Errc::timeout) return text;
  return Error(Errc::timeout, fmt::format("{} is a pipe that nobody writes to", file.native()));
}

}  // namespace

Result<Config> load_config(const Environment& environment) {
  if (const auto named = environment("BERTH_CONFIG")) {
    const path file(*named);
    Result<std::string> text = read_named(file);
    if (!text) {
      // Not "not found": that would be the registry's word for what was asked of it.
      const Errc code = text.error().code();
      return Error(code == Errc::not_found ? Errc::invalid_argument : code,
                   fmt::format("BERTH_CONFIG: {}", text.error().message()));
    }
    return read_config(file, *text, environment);
  }
  std::vector<path> candidates;
  if (const auto folder = xdg_config_home(environment)) {
    candidates.push_back(*folder / "berth" / "config.toml");
  }
  candidates.emplace_back("/etc/berth/config.toml");
  for (const path& file : candidates) {
    Result<std::string> text = read_file(file, kFileLimit);
    if (text) return read_config(file, *text, environment);
    if (text.error().code() != Errc::not_found) return Error(std::move(text).error());
  }
  return Config{};
}

RegistryConfig config_entry(const Config& config, const std::string& registry) {
  const auto entry = config.registries.find(text::to_lower(registry));
  return entry == config.registries.end() ? RegistryConfig() : entry->second;
}

RegistryConfig registry_config(const Config& config, const std::string& registry,
                               const Environment& environment) {
  RegistryConfig result = config_entry(config, registry);
  // The name becomes a folder's: nothing but a registry may.
  if (oci::is_registry(registry)) add_certs(certs_folders(environment), registry, result);
  return result;
}

}  // namespace berth::credential
