// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "berth/base/text.hpp"
#include "berth/credential/keychain.hpp"

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth::credential {

/// A user's home, runtime folder and PATH below a temporary folder.
class Home {
 public:
  Home() {
    std::filesystem::create_directories(folder / "home");
    std::filesystem::create_directories(folder / "run");
    std::filesystem::create_directories(folder / "bin");
    variables = {{"HOME", (folder / "home").string()},
                 {"XDG_RUNTIME_DIR", (folder / "run").string()},
                 {"PATH", (folder / "bin").string() + ":/usr/bin:/bin"}};
  }

  Environment environment() const {
    return [copy = variables](const std::string& name) -> std::optional<std::string> {
      const auto found = copy.find(name);
      return found == copy.end() ? std::nullopt : std::optional(found->second);
    };
  }

  /// A helper: a shell script that finds the server URL in $url.
  void helper(const std::string& name, const std::string& body) const {
    const auto path =
        folder.write("bin/docker-credential-" + name, "#!/bin/sh\nurl=$(cat)\n" + body + "\n");
    ::chmod(path.c_str(), 0755);
  }
  std::filesystem::path docker(const std::string& json) const {
    return secret_file("home/.docker/config.json", json);
  }
  std::filesystem::path runtime_auth(const std::string& json) const {
    return secret_file("run/containers/auth.json", json);
  }
  std::filesystem::path config_auth(const std::string& json) const {
    return secret_file("home/.config/containers/auth.json", json);
  }
  std::filesystem::path secret_file(const std::string& name, const std::string& content) const {
    const auto path = folder.write(name, content);
    ::chmod(path.c_str(), 0600);
    return path;
  }
  std::string read(const std::string& name) const {
    std::ifstream stream(folder / name);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  test::TempDir folder;
  std::map<std::string, std::string> variables;
};

/// {"auths": {"key": {"auth": "..."}}}
inline std::string auths(const std::string& key, const std::string& user_and_password) {
  return R"({"auths":{")" + key + R"(":{"auth":")" + text::to_base64(as_bytes(user_and_password)) +
         "\"}}}";
}

class KeychainTest : public ::testing::Test {
 protected:
  Keychain keychain() const { return Keychain(options()); }
  KeychainOptions options() const {
    KeychainOptions options;
    options.environment = home.environment();
    return options;
  }
  Result<Lookup> find(const std::string& registry, const std::string& repository = "") const {
    return keychain().find(registry, repository, Context());
  }
  /// "user:password", "" for nothing.
  std::string user_of(const std::string& registry, const std::string& repository = "") const {
    const Result<Lookup> found = find(registry, repository);
    EXPECT_THAT(found, test::IsOk());
    if (!found || found->credential.is_anonymous()) return "";
    return found->credential.username + ":" + found->credential.password.reveal();
  }

  Home home;
};

}  // namespace berth::credential
