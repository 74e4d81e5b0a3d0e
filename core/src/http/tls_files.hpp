// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "berth/base/result.hpp"
#include "berth/base/sync.hpp"
#include "berth/http/message.hpp"

namespace berth::http {

/// The PEM bytes that one connection needs; nullptr for those it does not.
struct TlsBlobs {
  std::shared_ptr<const std::string> ca;  ///< the system's and the registry's own
  std::shared_ptr<const std::string> client_cert;
  std::shared_ptr<const std::string> client_key;
};

/// Reads CA and client certificate files in the thread that asks, so that the loop thread does not,
/// and says which file is wrong before any connection is made. A file that changed is read again.
/// Thread safe.
class TlsFiles {
 public:
  /// `system_bundle`: what curl trusts by default; "" when it has no bundle.
  explicit TlsFiles(std::string system_bundle);

  Result<TlsBlobs> load(const ConnectionOptions& options);

 private:
  struct Entry {
    timespec changed{};
    long long size = -1;
    std::shared_ptr<const std::string> bytes;
  };
  Result<std::shared_ptr<const std::string>> read(const std::string& path, const char* what);
  Result<std::shared_ptr<const std::string>> with_system_bundle(const ConnectionOptions& options);

  const std::string system_bundle_;
  Mutex mutex_;
  std::map<std::string, Entry> files_ BERTH_GUARDED_BY(mutex_);
  /// By CA files: what was joined, and from which bytes.
  struct Joined {
    std::vector<std::shared_ptr<const std::string>> parts;
    std::shared_ptr<const std::string> all;
  };
  std::map<std::vector<std::string>, Joined> joined_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::http
