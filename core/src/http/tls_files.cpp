// SPDX-License-Identifier: Apache-2.0
#include "http/tls_files.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {

using Text = std::shared_ptr<const std::string>;

TlsFiles::TlsFiles(SystemTrust system)
    : system_(std::move(system)) {}

Result<Text> TlsFiles::read(const std::string& path, const char* what) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    // Not "not found": that would be the registry's word for what was asked of it.
    return Error(Errc::invalid_argument, fmt::format("cannot read the {} {}", what, path))
        .because(Error::from_errno(errno, path));
  }
  const MutexLock lock(mutex_);
  Entry& entry = files_[path];
  const bool same = entry.size == status.st_size && entry.changed.tv_sec == status.st_mtim.tv_sec &&
                    entry.changed.tv_nsec == status.st_mtim.tv_nsec;
  if (same) return entry.bytes;
  Result<std::string> bytes = read_file(path, limits::kTlsFile);
  if (!bytes) {
    return Error(Errc::invalid_argument, fmt::format("cannot read the {} {}", what, path))
        .because(std::move(bytes).error());
  }
  if (bytes->find("-----BEGIN ") == std::string::npos) {
    return Error(Errc::invalid_argument,
                 fmt::format("the {} {} is not a PEM file: convert it (openssl x509 -outform pem)",
                             what, path));
  }
  entry.bytes = std::make_shared<const std::string>(*std::move(bytes));
  entry.size = status.st_size;
  entry.changed = status.st_mtim;
  return entry.bytes;
}

// curl takes one source of trust in memory, so "besides the system's" means one joined text.
Result<Text> TlsFiles::joined(const ConnectionOptions& options, bool whole) {
  std::vector<std::string> files = options.more_ca_files;
  files.insert(files.begin(), options.ca_file);
  std::vector<Text> parts;
  if (whole && !system_.bundle.empty()) {
    // A machine without the usual bundle (a small container) still trusts what it was told to.
    if (auto bundle = read(system_.bundle, "system's CA bundle")) parts.push_back(*bundle);
  }
  for (const std::string& file : files) parts.push_back(TRY(read(file, "CA file")));
  if (parts.size() == 1) return parts.front();
  const MutexLock lock(mutex_);
  Joined& joined = joined_[files];
  if (joined.all == nullptr || joined.parts != parts) {
    std::string all;
    for (const Text& part : parts) all.append(*part).append("\n");
    joined = {std::move(parts), std::make_shared<const std::string>(std::move(all))};
  }
  return joined.all;
}

Result<TlsBlobs> TlsFiles::load(const ConnectionOptions& options, bool whole) {
  TlsBlobs blobs;
  blobs.ca_folder = system_.folder;
  blobs.bundle = whole || !has_folder();
  if (!options.ca_file.empty()) blobs.ca = TRY(joined(options, blobs.bundle));
  if (options.client_cert_file.empty()) return blobs;
  blobs.client_cert = TRY(read(options.client_cert_file, "client certificate"));
  blobs.client_key = options.client_key_file.empty()
                         ? blobs.client_cert
                         : TRY(read(options.client_key_file, "client key"));
  return blobs;
}

}  // namespace berth::http
