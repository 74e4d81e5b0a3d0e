// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/acr/client.hpp"

#include "support/fake_clock.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/registry_rig.hpp"

namespace berth::test {

/// A client of a fake Azure container registry over the real transport, with a clock that only
/// moves when told. library/hello-world holds two images (tags v1 and latest, demo) and an index.
class AcrTest : public ::testing::Test {
 protected:
  AcrTest() {
    one_ = fake_.add_image(kName, "v1", {"one"});
    fake_.tag(kName, "latest", one_.digest);
    two_ = fake_.add_image(kName, "demo", {"two"}, "linux", "arm");
    index_ = fake_.add_index(kName, "multi", {one_.digest, two_.digest});
  }

  acr::ContainerRegistryClientOptions options() {
    acr::ContainerRegistryClientOptions options;
    options.clock = &clock_;
    return options;
  }
  acr::ContainerRegistryClient client(acr::ContainerRegistryClientOptions with) {
    return acr::ContainerRegistryClient::create(fake_.origin(), std::move(with)).value();
  }
  acr::ContainerRegistryClient client() { return client(options()); }
  acr::ContainerRepository repository() { return client().repository(kName).value(); }
  acr::RegistryArtifact artifact(const std::string& tag_or_digest) {
    return client().artifact(kName, tag_or_digest).value();
  }
  void change(std::function<void(RegistryBehaviour&)> how) { fake_.change(how); }

  /// "GET /acr/v1/...": what came in since the last time.
  std::vector<std::string> requests() {
    std::vector<std::string> lines;
    for (const HttpRequest& request : fake_.server().log()) {
      lines.push_back(request.method + " " + request.target);
    }
    fake_.server().clear_log();
    return lines;
  }
  static std::string encoded(const std::string& digest) { return "sha256%3A" + digest.substr(7); }
  static Digest digest(const std::string& text) { return Digest::parse(text).value(); }

  static constexpr const char* kName = "library/hello-world";
  static constexpr const char* kPath = "/acr/v1/library%2Fhello-world";
  static constexpr const char* kVersion = "?api-version=2021-07-01";
  FakeClock clock_;
  FakeRegistry fake_{{.acr = true}};
  FakeImage one_;
  FakeImage two_;
  std::string index_;
  Context context_ = Context().with_timeout(std::chrono::seconds(20));
};

}  // namespace berth::test
