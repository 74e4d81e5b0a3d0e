// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/registry/upload.hpp"

#include "registry/endpoints.hpp"
#include "registry/upload_body.hpp"

namespace berth::registry {

/// One blob on its way to one repository (distribution-spec 1.1, end-4 to end-6, end-11 and
/// end-13). Used by one thread, once.
class UploadSession {
 public:
  /// All must outlive it.
  UploadSession(Endpoints& endpoints, std::string repository, std::string object,
                UploadBytes& bytes, const UploadOptions& options, const Context& context);

  /// Opens a session and sends everything. What it opened and did not complete it cancels.
  Result<Uploaded> run();
  /// Mounts the blob from options.mount_from; false when the registry did not. Where it opened a
  /// session instead, run() uses that.
  Result<bool> mount();
  /// Gives back a session that nobody will complete. Best effort: the registry forgets it by
  /// itself, some day.
  void cancel() noexcept;

 private:
  /// What is known of an attempt that failed.
  enum class Broken : unsigned char {
    for_good,   ///< the registry refused, or the bytes cannot be had
    may_go_on,  ///< connection or server failed, or both sides differ about the offset
    lost,       ///< the registry does not know the session any more
  };
  struct Failure {
    Error error;
    Broken how = Broken::for_good;
  };
  using Step = std::expected<void, Failure>;

  Call call(const char* method, std::string operation) const;
  Result<void> open();
  Result<void> take_location(const http::Response& response);
  Result<http::Response> send(const Call& call, const http::Url& url);
  Failure judge(Error error) const;
  Failure refused(const Call& call, http::Response& response);

  std::expected<Uploaded, Failure> transfer();
  Step send_rest();
  Step send_chunk();
  Step patch(std::uint64_t first, std::optional<std::uint64_t> length,
             std::shared_ptr<http::BodySource> body);
  Step accept_patch(const http::Response& response);
  std::expected<Uploaded, Failure> put(bool with_bytes);
  /// That the data is what it was promised to be, once all of it was read.
  Step check_promise() const;
  std::expected<Uploaded, Failure> check_end(const http::Response& response) const;

  Result<std::optional<Uploaded>> go_on(Failure& failure);
  Result<std::optional<Uploaded>> resync();
  Result<bool> begin_again(const Error& why);
  Result<std::optional<Uploaded>> look_whether_it_is_there();

  bool puts_directly() const;
  bool at_end() const;
  http::Url with_digest() const;

  Endpoints& endpoints_;
  const std::string repository_;
  const std::string object_;  ///< "R/a@sha256:...", "R/a"
  UploadBytes& bytes_;
  const UploadOptions& options_;
  const Context& context_;

  std::optional<http::Url> location_;  ///< the newest one; nullopt: no session is open
  std::uint64_t offset_ = 0;           ///< what the registry has, as far as it said
  std::uint64_t chunk_size_;
  std::vector<std::byte> chunk_;  ///< of a stream, whose chunks' lengths nobody knows beforehand
  int breaks_ = 0;                ///< in a row, without progress between them
  std::uint64_t offset_at_break_ = 0;
  int restarts_ = 0;
};

}  // namespace berth::registry
