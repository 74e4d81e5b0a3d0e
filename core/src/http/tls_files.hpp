// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "berth/base/result.hpp"
#include "berth/base/secret.hpp"
#include "berth/base/sync.hpp"
#include "berth/http/message.hpp"

namespace berth::http {

/// What curl trusts by default: "" for what it has not.
struct SystemTrust {
  std::string bundle;  ///< all CA certificates in one PEM file
  /// The same, one in a file that is named by its hash (c_rehash): of these only those are read
  /// that a server's chain leads to. Reading the bundle takes 20 ms, and for a connection with CA
  /// files of its own curl does not keep what it read.
  std::string folder;
};

/// What one connection needs; nullptr for what it does not.
struct TlsBlobs {
  std::shared_ptr<const std::string> ca;  ///< the registry's own, and the system's bundle
  std::string ca_folder;                  ///< the system's; "" where it has none
  bool bundle = true;                     ///< the system's bundle, too, where `ca` does not hold it
  std::shared_ptr<const std::string> client_cert;
  std::shared_ptr<const std::string> client_key;  ///< nullptr: in a PKCS#12 file with `client_cert`
  Secret client_key_password;
};

/// Reads CA and client certificate files in the thread that asks, so that the loop thread does not,
/// and says which file is wrong before any connection is made. A file that changed is read again;
/// one that is gone, or was a pipe, stays as it was read. Thread safe.
class TlsFiles {
 public:
  explicit TlsFiles(SystemTrust system);

  bool has_folder() const noexcept { return !system_.folder.empty(); }
  /// `whole`: with the system's bundle beside its folder, which need not hold what somebody
  /// appended to the bundle.
  Result<TlsBlobs> load(const ConnectionOptions& options, bool whole);

 private:
  struct Entry {
    timespec changed{};
    long long size = -1;
    std::shared_ptr<const std::string> bytes;
  };
  Result<std::shared_ptr<const std::string>> read(const std::string& path, const char* what,
                                                  std::size_t limit);
  /// `converter`: the openssl(1) command that makes PEM of it.
  Result<std::shared_ptr<const std::string>> read_pem(const std::string& path, const char* what,
                                                      const char* converter = "x509");
  Result<Secret> password_of(const ConnectionOptions& options);
  Result<std::shared_ptr<const std::string>> joined(const ConnectionOptions& options, bool whole);

  const SystemTrust system_;
  Mutex mutex_;
  std::map<std::string, Entry> files_ BERTH_GUARDED_BY(mutex_);
  /// By files: what was joined, and from which bytes.
  struct Joined {
    std::vector<std::shared_ptr<const std::string>> parts;
    std::shared_ptr<const std::string> all;
  };
  std::map<std::vector<std::string>, Joined> joined_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::http
