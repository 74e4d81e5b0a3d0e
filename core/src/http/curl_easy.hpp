// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "berth/base/result.hpp"
#include "berth/http/message.hpp"
#include "berth/http/pinned_transport.hpp"

#include "http/curl_library.hpp"
#include "http/curl_transfer.hpp"
#include "http/tls_files.hpp"

namespace berth::http {

struct EasySettings {
  std::string user_agent;
  std::string proxy;  ///< "" for none
  TlsBlobs tls;
  std::chrono::milliseconds connect_timeout{0};
  CertificateCheck check{};  ///< in the place of the CAs and the host's name
};

/// A curl easy handle with every option set, and all that curl only points at. Made by the thread
/// that sends; from then on the loop thread's.
class EasyHandle {
 public:
  /// Errc::invalid_argument for a method or header that would break the framing of the request.
  static Result<std::unique_ptr<EasyHandle>> make(const CurlLibrary& curl, const Request& request,
                                                  EasySettings settings,
                                                  std::shared_ptr<Transfer> transfer);
  ~EasyHandle();
  EasyHandle(const EasyHandle&) = delete;
  EasyHandle& operator=(const EasyHandle&) = delete;

  CURL* get() const noexcept { return easy_; }
  const std::shared_ptr<Transfer>& transfer() const noexcept { return transfer_; }
  /// curl's own words on what went wrong.
  std::string detail(CURLcode code) const;
  /// Is the server that shook hands the one that is meant? On the loop thread.
  bool accepts_certificate() const;

 private:
  EasyHandle(const CurlLibrary& curl, EasySettings settings, std::shared_ptr<Transfer> transfer);
  template <class Value>
  void set(CURLoption option, Value value);
  void set_blob(CURLoption option, const std::shared_ptr<const std::string>& bytes);
  void set_general();
  void set_target(const Request& request);
  void set_method(const Request& request);
  void set_source(const BodySource& source);
  void set_tls(const ConnectionOptions& options);
  void set_callbacks();
  Result<void> set_headers(const Request& request);
  void add_header(const std::string& line);

  const CurlLibrary& curl_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> words_{};
  const EasySettings settings_;
  std::string body_;
  CURLcode failed_ = CURLE_OK;  // the first option that curl did not take
  std::shared_ptr<Transfer> transfer_;
};

}  // namespace berth::http
