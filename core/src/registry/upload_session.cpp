// SPDX-License-Identifier: Apache-2.0
#include "registry/upload_session.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"
#include "berth/registry/quirks.hpp"

namespace berth::registry {
namespace {

using std::chrono::milliseconds;

// A registry that has the last byte may read the whole blob again before it answers, from a slow
// disk: a minute, and another for so many bytes.
constexpr std::uint64_t kReadAgainInAMinute = std::uint64_t{512} * 1024 * 1024;

milliseconds patience_for(std::uint64_t size) {
  return std::chrono::minutes(1 + size / kReadAgainInAMinute);
}
// To be rid of a session is worth a moment, and no more.
constexpr std::chrono::seconds kCancelTime{3};
constexpr int kRestarts = 2;
constexpr std::uint64_t kLargestChunk = std::uint64_t{512} * 1024 * 1024;

bool is_success(int status) {
  return status == 200 || status == 201 || status == 202 || status == 204;
}

/// "0-123" of a Range header: how many bytes the registry has. nullopt without a usable one.
std::optional<std::uint64_t> held_bytes(const http::Response& response) {
  const std::string* range = response.headers.find("Range");
  if (range == nullptr) return std::nullopt;
  std::string_view text = text::trim(*range);
  if (text.starts_with("bytes=")) text.remove_prefix(6);
  if (!text.starts_with("0-")) return std::nullopt;
  const auto last = text::parse_unsigned(text.substr(2));
  // "0-0" is said for no byte and for one: none is taken, and one byte is sent again by a new
  // session where that was wrong.
  return last ? std::optional<std::uint64_t>(*last == 0 ? 0 : *last + 1) : std::nullopt;
}

bool is_server_failure(int status) {
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505);
}

}  // namespace

UploadSession::UploadSession(Endpoints& endpoints, std::string repository, std::string object,
                             UploadBytes& bytes, const UploadOptions& options,
                             const Context& context)
    : endpoints_(endpoints),
      repository_(std::move(repository)),
      object_(std::move(object)),
      bytes_(bytes),
      options_(options),
      context_(context),
      chunk_size_(std::clamp<std::uint64_t>(options.chunk_size, 1, kLargestChunk)) {}

Call UploadSession::call(const char* method, std::string operation) const {
  Call call{.method = method,
            .path = {},
            .headers = {},
            .scopes = auth::Scopes::push(repository_),
            .repository = repository_,
            .is_body = true,
            .operation = fmt::format("{} {}", std::move(operation), object_)};
  return call;
}

// --- Sessions and where they are.

Result<void> UploadSession::open() {
  Call post = call("POST", "upload of");
  post.path = repository_ + "/blobs/uploads/";
  post.is_body = false;
  post.repeatable = true;  // a session too many does no harm
  const Endpoint& registry = endpoints_.registry();
  http::Response response = TRY(endpoints_.send(registry, post, context_));
  if (!is_success(response.status)) return endpoints_.refusal(registry, post, response, context_);
  return take_location(response);
}

Result<bool> UploadSession::mount() {
  Call post = call("POST", "mount of");
  post.path = fmt::format("{}/blobs/uploads/?mount={}&from={}", repository_,
                          text::percent_encode(options_.digest->text()),
                          text::percent_encode(options_.mount_from, "/"));
  post.is_body = false;
  post.repeatable = true;
  post.scopes.add(auth::Scopes::pull(options_.mount_from));
  const Endpoint& registry = endpoints_.registry();
  auto response = endpoints_.send(registry, post, context_);
  if (!response) {
    // Whoever may not read there, or whose token server does not give a token for both, may still
    // push here.
    TRY(context_.check());
    if (response.error().is_retryable()) return std::move(response).error();
    log::debug(fmt::format("{} from {}: {}", post.operation, options_.mount_from,
                           response.error().describe()));
    return false;
  }
  if (response->status == 201 || response->status == 200) return true;
  if (response->status == 202) TRY(take_location(*response));
  log::debug(fmt::format("{} from {}: not mounted, the registry answered {}", post.operation,
                         options_.mount_from, response->status));
  http::drain(*response, context_);
  return false;
}

Result<void> UploadSession::take_location(const http::Response& response) {
  if (const std::string* least = response.headers.find("OCI-Chunk-Min-Length")) {
    const auto size = text::parse_unsigned(*least);
    if (size) chunk_size_ = std::clamp<std::uint64_t>(*size, chunk_size_, kLargestChunk);
  }
  const std::string* header = response.headers.find("Location");
  if (header == nullptr) {
    if (location_) return {};  // the same one is still good
    return Error(Errc::corrupt,
                 fmt::format("upload of {}: {} opened a session and does not say where", object_,
                             response.url.origin().text()));
  }
  const http::Url target = TRY(response.url.resolve(*header));
  const http::Url& base = endpoints_.registry().base;
  // Behind a proxy that ends TLS a registry may name itself with http, or without the port: the
  // same host is the same registry.
  location_ =
      target.origin().host == base.origin().host ? base.with_path(target.path_and_query()) : target;
  return {};
}

Result<http::Response> UploadSession::send(const Call& call, const http::Url& url) {
  const Endpoint& registry = endpoints_.registry();
  if (url.origin() == registry.base.origin()) {
    return endpoints_.send_to(registry, call, url, context_);
  }
  return endpoints_.send_away(registry, call, url, context_);
}

void UploadSession::cancel() noexcept {
  if (!location_) return;
  const Context moment = Context().with_timeout(kCancelTime);
  const http::Url url = *std::exchange(location_, std::nullopt);
  if (url.origin() != endpoints_.registry().base.origin()) return;
  Call call = this->call("DELETE", "cancelling the upload of");
  // Azure wants that right for it. Asked for here and now, or its refusal would be remembered, and
  // every later push ask for more than it needs.
  if (quirks::knows_delete_action(url.origin().host)) {
    call.scopes.add(auth::Scopes::remove(repository_));
  }
  auto response = endpoints_.send_to(endpoints_.registry(), call, url, moment);
  log::debug(fmt::format("{}: {}", call.operation,
                         response ? std::to_string(response->status) : response.error().message()));
}

// --- Failures.

UploadSession::Failure UploadSession::judge(Error error) const {
  const bool again = error.is_retryable() && error.code() != Errc::cancelled;
  return {std::move(error), again ? Broken::may_go_on : Broken::for_good};
}

UploadSession::Failure UploadSession::refused(const Call& call, http::Response& response) {
  Error error = endpoints_.refusal(endpoints_.registry(), call, response, context_);
  Broken how = Broken::for_good;
  if (is_server_failure(response.status) || response.status == 416) how = Broken::may_go_on;
  // ACR answers so to a session that went on without us.
  if (response.status == 404) how = Broken::may_go_on;
  return {std::move(error), how};
}

// --- Sending.

bool UploadSession::puts_directly() const {
  if (!options_.digest || !bytes_.size()) return false;
  return options_.way == UploadWay::automatic || options_.way == UploadWay::single_put;
}

bool UploadSession::at_end() const { return bytes_.end() && offset_ == *bytes_.end(); }

http::Url UploadSession::with_digest() const {
  const std::string digest = options_.digest ? options_.digest->text() : bytes_.digest().text();
  std::string path = location_->path_and_query();
  path += path.find('?') == std::string::npos ? '?' : '&';
  return location_->with_path(path + "digest=" + text::percent_encode(digest));
}

UploadSession::Step UploadSession::patch(std::uint64_t first, std::optional<std::uint64_t> length,
                                         std::shared_ptr<http::BodySource> body) {
  Call call = this->call("PATCH", "upload of");
  call.headers.add("Content-Type", "application/octet-stream");
  // No "bytes ": distribution-spec writes its Content-Range so.
  if (length) {
    call.headers.add("Content-Range", fmt::format("{}-{}", first, first + *length - 1));
  }
  call.source = std::move(body);
  call.patience = patience_for(bytes_.size().value_or(bytes_.position()));
  auto response = send(call, *location_);
  if (!response) return std::unexpected(judge(std::move(response).error()));
  if (!is_success(response->status)) return std::unexpected(refused(call, *response));
  const Step accepted = accept_patch(*response);
  http::drain(*response, context_);
  return accepted;
}

UploadSession::Step UploadSession::accept_patch(const http::Response& response) {
  if (auto taken = take_location(response); !taken) {
    return std::unexpected(Failure{std::move(taken).error(), Broken::for_good});
  }
  const std::uint64_t sent = bytes_.position();
  std::uint64_t held = held_bytes(response).value_or(sent);
  if (held == 0 && sent == 1) held = 1;
  if (held > sent) {
    return std::unexpected(
        Failure{Error(Errc::corrupt, fmt::format("upload of {}: the registry says that it has {} "
                                                 "bytes, and {} were sent",
                                                 object_, held, sent)),
                Broken::lost});
  }
  // It may take less than it was given; but not nothing, time and again.
  const bool stands_still = held <= offset_ && sent > offset_;
  offset_ = held;
  if (!stands_still) return {};
  return std::unexpected(Failure{
      Error(Errc::unavailable, fmt::format("upload of {}: the registry accepted {} bytes and "
                                           "kept none of them",
                                           object_, sent - held)),
      Broken::may_go_on});
}

UploadSession::Step UploadSession::send_rest() {
  const auto size = bytes_.size();
  const auto length = size ? std::optional(*size - offset_) : std::nullopt;
  return patch(offset_, length, std::make_shared<UploadBody>(bytes_, offset_, length));
}

UploadSession::Step UploadSession::send_chunk() {
  if (const auto size = bytes_.size()) {
    const std::uint64_t length = std::min(chunk_size_, *size - offset_);
    return patch(offset_, length, std::make_shared<UploadBody>(bytes_, offset_, length));
  }
  // A chunk says its length before its first byte, and a stream does not know it.
  if (auto ready = bytes_.seek(offset_); !ready) {
    return std::unexpected(judge(std::move(ready).error()));
  }
  chunk_.clear();
  while (chunk_.size() < chunk_size_) {
    const auto part = bytes_.next(chunk_size_ - chunk_.size(), context_);
    if (!part) return std::unexpected(judge(part.error()));
    if (part->empty()) break;
    chunk_.insert(chunk_.end(), part->begin(), part->end());
  }
  if (chunk_.empty()) return {};
  return patch(offset_, chunk_.size(), http::make_bytes_source(chunk_));
}

std::expected<Uploaded, UploadSession::Failure> UploadSession::put(bool with_bytes) {
  Call call = this->call("PUT", "upload of");
  call.headers.add("Content-Type", "application/octet-stream");
  call.patience = patience_for(bytes_.size().value_or(bytes_.position()));
  if (with_bytes) {
    const std::uint64_t length = *bytes_.size() - offset_;
    if (offset_ != 0) {
      call.headers.add("Content-Range", fmt::format("{}-{}", offset_, offset_ + length - 1));
    }
    call.source = std::make_shared<UploadBody>(bytes_, offset_, length);
  }
  auto response = send(call, with_digest());
  if (!response) return std::unexpected(judge(std::move(response).error()));
  if (response->status == 202 && with_bytes) {
    // Those that take the bytes and want to be told the end by another request.
    if (auto step = accept_patch(*response); !step) return std::unexpected(step.error());
    http::drain(*response, context_);
    return put(false);
  }
  if (auto right = check_promise(); !right) return std::unexpected(right.error());
  if (!is_success(response->status)) {
    Failure failure = refused(call, *response);
    if (const auto* info = failure.error.http(); info && info->registry_code == "DIGEST_INVALID") {
      Error other(
          Errc::digest_mismatch,
          fmt::format("upload of {}: the registry received other bytes than were sent", object_));
      other = std::move(other).with_http(*info);
      failure = {std::move(other).because(std::move(failure.error)), Broken::lost};
    }
    return std::unexpected(std::move(failure));
  }
  auto done = check_end(*response);
  http::drain(*response, context_);
  if (done) location_.reset();
  return done;
}

UploadSession::Step UploadSession::check_promise() const {
  if (!options_.digest || !bytes_.all_hashed()) return {};
  const Digest ours = bytes_.digest();
  if (ours == *options_.digest) return {};
  return std::unexpected(Failure{
      Error(Errc::digest_mismatch, fmt::format("upload of {}: the data that was given has the "
                                               "digest {}; nothing of it was stored",
                                               object_, ours.text())),
      Broken::for_good});
}

std::expected<Uploaded, UploadSession::Failure> UploadSession::check_end(
    const http::Response& response) const {
  const Digest ours = bytes_.digest();
  if (const std::string* said = response.headers.find("Docker-Content-Digest")) {
    const auto theirs = Digest::parse(text::trim(*said));
    if (theirs && theirs->algorithm() == ours.algorithm() && *theirs != ours) {
      return std::unexpected(
          Failure{Error(Errc::digest_mismatch,
                        fmt::format("upload of {}: {} bytes with the digest {} were sent, and the "
                                    "registry says that it stored {}",
                                    object_, *bytes_.end(), ours.text(), theirs->text())),
                  Broken::for_good});
    }
  }
  return Uploaded{.digest = ours, .size = *bytes_.end(), .how = Uploaded::How::sent};
}

std::expected<Uploaded, UploadSession::Failure> UploadSession::transfer() {
  if (puts_directly() && !at_end()) return put(true);
  while (!at_end()) {
    const Step step = options_.way == UploadWay::chunks ? send_chunk() : send_rest();
    if (!step) return std::unexpected(step.error());
  }
  if (auto right = check_promise(); !right) return std::unexpected(right.error());
  return put(false);
}

// --- Going on after a failure.

Result<std::optional<Uploaded>> UploadSession::look_whether_it_is_there() {
  // Every byte was sent once: perhaps only the answer was lost.
  if (!bytes_.all_hashed()) return std::optional<Uploaded>();
  Call head = call("HEAD", "blob of");
  const Digest digest = bytes_.digest();
  head.path = repository_ + "/blobs/" + digest.text();
  auto response = TRY(endpoints_.send(endpoints_.registry(), head, context_));
  if (response.status != 200) return std::optional<Uploaded>();
  return std::optional(Uploaded{.digest = digest, .size = *bytes_.end()});
}

Result<std::optional<Uploaded>> UploadSession::resync() {
  const Call get = call("GET", "state of the upload of");
  auto response = TRY(send(get, *location_));
  if (is_success(response.status)) {
    TRY(take_location(response));
    const auto held = held_bytes(response);
    http::drain(response, context_);
    // 0-0 may be one byte or none: only a new session knows.
    if (held && (*held > 0 || bytes_.position() == 0)) {
      offset_ = *held;
      return std::optional<Uploaded>();
    }
  } else if (is_server_failure(response.status)) {
    return endpoints_.refusal(endpoints_.registry(), get, response, context_);
  }
  http::drain(response, context_);
  if (auto there = TRY(look_whether_it_is_there())) return there;
  cancel();
  TRY(open());
  offset_ = 0;
  return std::optional<Uploaded>();
}

Result<std::optional<Uploaded>> UploadSession::go_on(Failure& failure) {
  const http::Client& client = endpoints_.registry().session->client();
  const http::RetryPolicy& policy = client.retry();
  if (offset_ >= offset_at_break_ + http::limits::kProgressBytes) breaks_ = 0;
  offset_at_break_ = offset_;
  for (;;) {
    if (++breaks_ >= policy.attempts) return std::move(failure.error);
    log::debug(fmt::format("upload of {}: broken at {}, taken up again: {}", object_, offset_,
                           failure.error.describe()));
    const auto* info = failure.error.http();
    TRY(client.clock().sleep(
        policy.delay(breaks_ + 1, info ? info->retry_after : std::nullopt, 0.5), context_));
    auto state = resync();
    if (state || !state.error().is_retryable()) return state;
    failure.error = std::move(state).error();
  }
}

Result<bool> UploadSession::begin_again(const Error& why) {
  if (restarts_++ >= kRestarts) return false;
  log::warning(fmt::format("upload of {}: begun again: {}", object_, why.describe()));
  cancel();
  offset_ = 0;
  TRY(open());
  return true;
}

Result<Uploaded> UploadSession::run() {
  const auto give_up = [this](Error error) -> Result<Uploaded> {
    cancel();
    return error;
  };
  if (!location_) TRY(open());
  for (;;) {
    auto done = transfer();
    if (done) return *std::move(done);
    Failure failure = std::move(done).error();
    if (failure.how == Broken::for_good || !context_.check()) {
      return give_up(std::move(failure.error));
    }
    if (failure.how == Broken::lost) {
      auto again = begin_again(failure.error);
      if (!again) return give_up(std::move(again).error());
      if (!*again) return give_up(std::move(failure.error));
      continue;
    }
    auto state = go_on(failure);
    if (!state) return give_up(std::move(state).error());
    if (*state) {
      location_.reset();
      return **std::move(state);
    }
  }
}

}  // namespace berth::registry
