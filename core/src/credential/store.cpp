// SPDX-License-Identifier: Apache-2.0
#include "berth/credential/store.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/process.hpp"
#include "berth/base/try.hpp"
#include "berth/credential/helper.hpp"
#include "berth/credential/protocol.hpp"

namespace berth::credential {
namespace {

using std::filesystem::path;

constexpr const char* kFile = "file";
constexpr const char* kSecretService = "secretservice";
constexpr const char* kPass = "pass";

class HelperStore : public Store {
 public:
  HelperStore(std::string helper, Environment environment)
      : helper_(std::move(helper)),
        environment_(std::move(environment)) {}

  Result<std::optional<Credential>> get(const ServerKey& key, const Context& context) override {
    return ask_helper(helper_, key.server_url(), environment_, context);
  }
  Result<void> put(const ServerKey& key, const Credential& credential,
                   const Context& context) override {
    return store_in_helper(helper_, key.server_url(), credential, environment_, context);
  }
  /// Asked first: docker-credential-pass fails for what it does not have, in words of its own.
  Result<void> erase(const ServerKey& key, const Context& context) override {
    if (!TRY(get(key, context))) return {};
    return erase_in_helper(helper_, key.server_url(), environment_, context);
  }
  Result<std::map<std::string, std::string>> list(const Context& context) override {
    const auto entries = TRY(list_helper(helper_, environment_, context));
    std::map<std::string, std::string> result;
    for (const auto& [url, user] : entries) {
      // Names that are no registry's are another program's.
      if (const auto key = parse_server_key(url)) result[key->text()] = user;
    }
    return result;
  }
  std::string name() const override {
    return fmt::format("{} (docker-credential-{})", helper_, helper_);
  }

 private:
  std::string helper_;
  Environment environment_;
};

/// What libsecret says where there is nobody to ask: no session bus, or one without key ring.
bool is_unreachable(const Error& error) {
  constexpr std::array<std::string_view, 4> kWords = {
      "Could not connect: ", "Cannot autolaunch D-Bus", "Cannot spawn a message bus",
      "was not provided by any .service files"};
  return std::ranges::any_of(kWords, [&](std::string_view words) {
    return error.message().find(words) != std::string::npos;
  });
}

/// A key ring that nobody named: it looked as if it were there. Machines without a screen have a
/// bus and no key ring, and must pull from public registries all the same.
class DetectedRing : public HelperStore {
 public:
  using HelperStore::HelperStore;
  Result<std::optional<Credential>> get(const ServerKey& key, const Context& context) override {
    return or_nothing<std::optional<Credential>>([&] { return HelperStore::get(key, context); });
  }
  Result<std::map<std::string, std::string>> list(const Context& context) override {
    return or_nothing<std::map<std::string, std::string>>(
        [&] { return HelperStore::list(context); });
  }

 private:
  template <class T>
  Result<T> or_nothing(const std::function<Result<T>()>& ask) {
    if (is_gone_) return T();
    Result<T> found = ask();
    if (found || !is_unreachable(found.error())) return found;
    is_gone_ = true;
    log::warning(
        fmt::format("the key ring is passed over: {}; write store = \"file\" under [credential] in "
                    "berth's configuration where there is none",
                    found.error().message()));
    return T();
  }

  std::atomic<bool> is_gone_ = false;
};

bool is_installed(const Environment& environment, const std::string& helper) {
  const std::string folders = environment("PATH").value_or(std::string(kDefaultPath));
  return find_program("docker-credential-" + helper, folders).has_value();
}

bool is_there(const path& file) { return ::access(file.c_str(), F_OK) == 0; }

bool has_session_bus(const Environment& environment) {
  if (environment("DBUS_SESSION_BUS_ADDRESS")) return true;
  const auto runtime = environment("XDG_RUNTIME_DIR");
  return runtime && is_there(path(*runtime) / "bus");
}

bool has_pass(const Environment& environment) {
  const auto named = environment("PASSWORD_STORE_DIR");
  const auto home = home_directory(environment);
  const path folder = named ? path(*named) : home ? *home / ".password-store" : path();
  return !folder.empty() && is_there(folder / ".gpg-id");
}

/// The key ring of this session, "" for none.
std::string find_key_ring(const Environment& environment) {
  if (has_session_bus(environment) && is_installed(environment, kSecretService)) {
    return kSecretService;
  }
  if (has_pass(environment) && is_installed(environment, kPass)) return kPass;
  return {};
}

Result<std::unique_ptr<Store>> open_named(const std::string& name, const CredentialConfig& config,
                                          const Environment& environment) {
  if (name != kFile) return make_helper_store(name, environment);
  return make_file_store(TRY(store_file(config, environment)), environment);
}

}  // namespace

std::unique_ptr<Store> make_helper_store(std::string helper, Environment environment) {
  return std::make_unique<HelperStore>(std::move(helper), std::move(environment));
}

Result<path> store_file(const CredentialConfig& config, const Environment& environment) {
  if (!config.file.empty()) return config.file;
  if (const auto data = environment("XDG_DATA_HOME"); data && data->starts_with('/')) {
    return path(*data) / "berth" / "credentials.json";
  }
  if (const auto home = home_directory(environment)) {
    return *home / ".local/share/berth/credentials.json";
  }
  return Error(Errc::invalid_argument,
               "HOME is not set to an absolute path, so berth's credentials cannot be found: set "
               "HOME, or `file` under [credential] in the file that BERTH_CONFIG names");
}

Result<std::vector<std::unique_ptr<Store>>> stores_to_read(const CredentialConfig& config,
                                                           const Environment& environment) {
  std::vector<std::unique_ptr<Store>> stores;
  if (!config.store.empty()) {
    stores.push_back(TRY(open_named(config.store, config, environment)));
    return stores;
  }
  // Without a HOME there is no file of its own to look for: daemons have none.
  if (const auto file = store_file(config, environment); file && is_there(*file)) {
    stores.push_back(make_file_store(*file, environment));
  }
  if (const std::string ring = find_key_ring(environment); !ring.empty()) {
    stores.push_back(std::make_unique<DetectedRing>(ring, environment));
  }
  return stores;
}

Result<std::unique_ptr<Store>> store_to_write(const CredentialConfig& config,
                                              const std::string& wanted,
                                              const Environment& environment) {
  const std::string& named = wanted.empty() ? config.store : wanted;
  if (!named.empty()) return open_named(named, config, environment);
  if (const std::string ring = find_key_ring(environment); !ring.empty()) {
    return make_helper_store(ring, environment);
  }
  const path file = TRY(store_file(config, environment));
  if (is_there(file)) return make_file_store(file, environment);
  return Error(Errc::invalid_argument,
               "there is no key ring to keep a secret in (no session bus with "
               "docker-credential-secretservice, no initialised pass with docker-credential-pass): "
               "write store = \"file\" under [credential] in berth's configuration to keep it in a "
               "file that only you can read, or log in with `berth login --store file`");
}

}  // namespace berth::credential
