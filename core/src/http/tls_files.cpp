// SPDX-License-Identifier: Apache-2.0
#include "http/tls_files.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "berth/base/fd.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {

using Text = std::shared_ptr<const std::string>;

namespace {

bool is_pem(std::string_view bytes) { return bytes.find("-----BEGIN ") != std::string_view::npos; }

// RFC 7292 section 4: a sequence that begins with the version 3. A certificate in DER begins with
// another sequence.
bool is_pkcs12(std::string_view bytes) {
  if (bytes.size() < 2 || bytes[0] != '\x30') return false;
  const auto length = static_cast<unsigned char>(bytes[1]);
  const std::size_t more = length < 0x80 ? 0 : length - 0x80U;
  return bytes.substr(std::min(bytes.size(), 2 + more)).starts_with("\x02\x01\x03");
}

Error unreadable(const char* what, const std::string& path, Error cause) {
  // Not "not found": that would be the registry's word for what was asked of it.
  return Error(Errc::invalid_argument, fmt::format("cannot read the {} {}", what, path))
      .because(std::move(cause));
}

/// It would be passed over in silence, and the registry would say that it wants a certificate.
Result<void> check_nothing_is_for_a_key(const ConnectionOptions& options) {
  const std::string& key = options.client_key_file;
  const std::string& password = options.client_key_password_file;
  if (key.empty() && password.empty()) return {};
  return Error(Errc::invalid_argument,
               key.empty()
                   ? fmt::format("the key's password {} has no client certificate and key "
                                 "that it is for: name them, too",
                                 password)
                   : fmt::format("the client key {} needs its certificate: name that, too", key));
}

}  // namespace

TlsFiles::TlsFiles(SystemTrust system)
    : system_(std::move(system)) {}

Result<Text> TlsFiles::read(const std::string& path, const char* what, std::size_t limit) {
  struct stat status{};
  const int why = ::stat(path.c_str(), &status) == 0 ? 0 : errno;
  const MutexLock lock(mutex_);
  Entry& entry = files_[path];
  // A pipe gives its bytes once, and a secret may be taken away when it was read.
  const bool once = why != 0 || !S_ISREG(status.st_mode);
  if (once && entry.bytes != nullptr) return entry.bytes;
  if (why != 0) return unreadable(what, path, Error::from_errno(why, path));
  const bool same = entry.size == status.st_size && entry.changed.tv_sec == status.st_mtim.tv_sec &&
                    entry.changed.tv_nsec == status.st_mtim.tv_nsec;
  if (same) return entry.bytes;
  Result<std::string> bytes = read_file(path, limit);
  if (!bytes) return unreadable(what, path, std::move(bytes).error());
  // Keys and passwords, too: wiped when nobody needs them any more.
  const auto wiped = std::make_shared<const Secret>(*std::move(bytes));
  entry.bytes = Text(wiped, &wiped->reveal());
  entry.size = status.st_size;
  entry.changed = status.st_mtim;
  return entry.bytes;
}

Result<Text> TlsFiles::read_pem(const std::string& path, const char* what, const char* converter) {
  Text bytes = TRY(read(path, what, limits::kTlsFile));
  if (is_pem(*bytes)) return bytes;
  return Error(Errc::invalid_argument,
               fmt::format("the {} {} is not a PEM file: convert it (openssl {} -inform der)", what,
                           path, converter));
}

Result<Secret> TlsFiles::password_of(const ConnectionOptions& options) {
  const std::string& path = options.client_key_password_file;
  if (!options.client_key_password.empty() || path.empty()) return options.client_key_password;
  const Text text = TRY(read(path, "password of the client key", limits::kPasswordFile));
  return Secret(text->substr(0, text->find_first_of("\r\n")));
}

// curl takes one source of trust in memory, so "besides the system's" means one joined text.
Result<Text> TlsFiles::joined(const ConnectionOptions& options, bool whole) {
  std::vector<std::string> files = options.more_ca_files;
  files.insert(files.begin(), options.ca_file);
  std::vector<Text> parts;
  if (whole && !system_.bundle.empty()) {
    // A machine without the usual bundle (a small container) still trusts what it was told to.
    if (auto bundle = read_pem(system_.bundle, "system's CA bundle")) parts.push_back(*bundle);
  }
  for (const std::string& file : files) parts.push_back(TRY(read_pem(file, "CA file")));
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
  if (options.client_cert_file.empty()) {
    TRY(check_nothing_is_for_a_key(options));
    return blobs;
  }
  blobs.client_key_password = TRY(password_of(options));
  blobs.client_cert = TRY(read(options.client_cert_file, "client certificate", limits::kTlsFile));
  if (is_pkcs12(*blobs.client_cert)) {
    if (options.client_key_file.empty()) return blobs;
    return Error(Errc::invalid_argument,
                 fmt::format("the client key {} is one too many: the PKCS#12 file {} has its own",
                             options.client_key_file, options.client_cert_file));
  }
  blobs.client_cert = TRY(read_pem(options.client_cert_file, "client certificate"));
  blobs.client_key = options.client_key_file.empty()
                         ? blobs.client_cert
                         : TRY(read_pem(options.client_key_file, "client key", "pkey"));
  return blobs;
}

}  // namespace berth::http
