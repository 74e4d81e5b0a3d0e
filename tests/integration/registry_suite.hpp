// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/registry_rig.hpp"
#include "support/test_client.hpp"

namespace berth::test {

/// A registry that the suite talks to: the fake, or a real one.
class SuiteServer {
 public:
  virtual ~SuiteServer() = default;
  virtual std::string origin() const = 0;
  virtual std::string ca_file() const { return {}; }
  virtual bool wants_credentials() const { return false; }
  /// May read and write these repositories.
  virtual TestClient client(const std::vector<std::string>& repositories) const = 0;

  std::string host() const { return origin().substr(origin().find("//") + 2); }
};

struct SuiteCase {
  std::string name;  ///< "FakeBearer", "RealToken"
  std::function<std::unique_ptr<SuiteServer>()> make;
};

/// The registries of the suite: the fake in four shapes (FakePlain, FakeTls, FakeBasic, FakeBearer)
/// and docker-registry in the same four (RealPlain, RealTls, RealHtpasswd, RealToken), and with
/// relative Locations (RealTlsRelative); or some.
std::vector<SuiteCase> suite_cases(const std::vector<std::string>& names = {});

inline std::unique_ptr<RegistryRig> make_rig(const SuiteServer& server) {
  RegistryRigOptions options;
  if (server.wants_credentials()) options.credential = alice();
  options.ca_file = server.ca_file();
  return std::make_unique<RegistryRig>(std::vector{server.origin()}, std::move(options));
}

}  // namespace berth::test
