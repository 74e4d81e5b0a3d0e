// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/fake_clock.hpp"
#include "support/fake_registry.hpp"
#include "support/matchers.hpp"
#include "support/registry_rig.hpp"

namespace berth::test {

/// A client of a fake registry over the real transport, with a clock that only moves when told: a
/// retry's wait costs no time.
class RegistryTest : public ::testing::Test {
 protected:
  registry::Client& client() { return *rig_; }

  Result<std::string> read(Result<registry::BlobStream> stream) {
    if (!stream) return std::move(stream).error();
    return http::read_all(*stream->body, 1 << 26, context_);
  }
  Digest digest(const std::string& text) { return Digest::parse(text).value(); }

  FakeClock clock_;
  FakeRegistry fake_;
  RegistryRig rig_{{fake_.origin()}, {.credential = alice(), .clock = &clock_}};
  Context context_ = Context().with_timeout(std::chrono::seconds(20));
};

}  // namespace berth::test
