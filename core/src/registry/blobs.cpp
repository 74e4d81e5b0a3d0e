// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

std::string range_header(std::uint64_t offset, std::optional<std::uint64_t> length) {
  if (!length || *length > std::numeric_limits<std::uint64_t>::max() - offset) {
    return fmt::format("bytes={}-", offset);
  }
  return fmt::format("bytes={}-{}", offset, offset + *length - 1);
}

std::optional<http::ContentRange> content_range(const http::Response& response) {
  const std::string* value = response.headers.find("Content-Range");
  return value != nullptr ? http::parse_content_range(*value) : std::nullopt;
}

/// The size that a 416 tells: "bytes */123" (RFC 9110 section 14.4).
std::optional<std::uint64_t> size_from_416(const http::Response& response) {
  const std::string* value = response.headers.find("Content-Range");
  constexpr std::string_view kPrefix = "bytes */";
  if (value == nullptr || !value->starts_with(kPrefix)) return std::nullopt;
  const auto size = text::parse_unsigned(std::string_view(*value).substr(kPrefix.size()));
  return size ? std::optional<std::uint64_t>(*size) : std::nullopt;
}

/// The whole blob's size as the start of a body tells it; nullopt when it does not. Errors where
/// the body is not what was asked for.
Result<std::optional<std::uint64_t>> total_of(const http::Response& response, const Call& call,
                                              std::uint64_t offset) {
  const std::string server = response.url.origin().text();
  if (response.status == 200) {
    if (offset == 0) return response.content_length();
    return Error(Errc::unsupported,
                 fmt::format("{}: {} ignores Range and would send it from the start",
                             call.operation, server));
  }
  const auto range = content_range(response);
  if (range && range->first == offset) return range->total;
  return Error(Errc::corrupt, fmt::format("{}: bytes from {} were asked for, and {} sent others",
                                          call.operation, offset, server));
}

/// Servers refuse a range that begins at the end; for a reader that is the end and no error.
Result<BlobStream> nothing_left(const Call& call, std::uint64_t offset, std::uint64_t total) {
  if (offset == total) return BlobStream{http::make_string_body({}), offset, 0, total};
  return Error(Errc::invalid_argument,
               fmt::format("{}: offset {} lies beyond its end: the registry says that it has {} "
                           "bytes",
                           call.operation, offset, total));
}

bool accepts_ranges(const http::Response& response) {
  const std::string* value = response.headers.find("Accept-Ranges");
  return value != nullptr && text::equals_ignoring_case(text::trim(*value), "bytes");
}

}  // namespace

Call Client::Impl::blob_call(const char* method, const std::string& repository,
                             const Digest& digest) const {
  Call call{.method = method,
            .path = repository + "/blobs/" + digest.text(),
            .headers = {},
            .scopes = auth::Scopes::pull(repository),
            .repository = repository,
            .is_body = std::string_view(method) == "GET",
            .operation = fmt::format("blob of {}", object(repository, digest.text()))};
  // A proxy that recompresses changes every offset: ranges and digests are of the bytes as stored.
  call.headers.add("Accept-Encoding", "identity");
  return call;
}

Result<BlobHead> Client::Impl::head_blob(const Endpoint& endpoint, const std::string& repository,
                                         const Digest& digest, const Context& context) {
  const Call call = blob_call("HEAD", repository, digest);
  auto response = TRY(endpoints.send(endpoint, call, context));
  const auto size = response.content_length();
  if (response.status == 200 && size) return BlobHead{*size, accepts_ranges(response)};
  const bool from_storage = response.url.origin() != endpoint.base.origin();
  const auto refused =
      from_storage ? quirks::Meaning::storage_refuses_head : quirks::Meaning::head_not_offered;
  if (response.status == 200 || quirks::means(refused, response.status, "")) {
    return probe_blob(endpoint, repository, digest, context);
  }
  return endpoints.refusal(endpoint, call, response, context);
}

Result<BlobHead> Client::Impl::probe_blob(const Endpoint& endpoint, const std::string& repository,
                                          const Digest& digest, const Context& context) {
  Call call = blob_call("GET", repository, digest);
  call.headers.add("Range", "bytes=0-0");
  auto response = TRY(endpoints.send(endpoint, call, context));
  if (response.status == 206) {
    const auto range = content_range(response);
    if (range && range->total) return BlobHead{*range->total, true};
  } else if (response.status == 200) {
    if (const auto size = response.content_length()) return BlobHead{*size, false};
  } else if (response.status == 416) {
    // An empty blob has no byte 0.
    if (const auto size = size_from_416(response)) return BlobHead{*size, true};
  } else {
    return endpoints.refusal(endpoint, call, response, context);
  }
  return Error(Errc::unsupported,
               fmt::format("{}: {} does not say how large it is, neither to HEAD nor to GET",
                           call.operation, endpoint.base.origin().text()));
}

Result<BlobStream> Client::Impl::open_blob(const Endpoint& endpoint, const std::string& repository,
                                           const Digest& digest, std::uint64_t offset,
                                           std::optional<std::uint64_t> length,
                                           const Context& context) {
  const Call plain = blob_call("GET", repository, digest);
  Call call = plain;
  if (offset != 0 || length) call.headers.add("Range", range_header(offset, length));
  auto response = TRY(endpoints.send(endpoint, call, context));
  if (response.status == 416 && size_from_416(response)) {
    return nothing_left(call, offset, *size_from_416(response));
  }
  if (response.status != 200 && response.status != 206) {
    return endpoints.refusal(endpoint, call, response, context);
  }
  auto total = TRY(total_of(response, call, offset));
  if (!total) {
    const auto head = TRY(head_blob(endpoint, repository, digest, context));
    total = head.size;
    // What reads the body tells by it whether more comes than was asked for.
    if (response.status == 200) response.headers.set("Content-Length", std::to_string(*total));
  }
  if (*total < offset) {
    return Error(Errc::corrupt, fmt::format("{}: {} sent bytes from {} of only {}", call.operation,
                                            response.url.origin().text(), offset, *total));
  }
  const std::uint64_t rest = *total - offset;
  const std::uint64_t promised = std::min(length.value_or(rest), rest);
  const auto resend = [this, &endpoint, plain](const std::string& range, const Context& limit) {
    Call again = plain;
    again.headers.add("Range", range);
    return endpoints.send(endpoint, again, limit);
  };
  const http::Client& client = endpoint.session->client();
  return BlobStream{http::make_resuming_body(std::move(response), offset, promised, resend,
                                             client.retry(), client.clock()),
                    offset, promised, *total};
}

Result<BlobHead> Client::head_blob(const std::string& repository, const Digest& digest,
                                   const Context& context) {
  TRY(check_repository(repository));
  return impl_->endpoints.first_of<BlobHead>(
      Endpoints::For::pull, context, [&](const Endpoint& endpoint) {
        return impl_->head_blob(endpoint, repository, digest, context);
      });
}

Result<BlobStream> Client::get_blob(const std::string& repository, const Digest& digest,
                                    std::uint64_t offset, std::optional<std::uint64_t> length,
                                    const Context& context) {
  TRY(check_repository(repository));
  if (length && *length == 0) {
    return Error(Errc::invalid_argument, fmt::format("blob of {}: a range of no bytes",
                                                     impl_->object(repository, digest.text())));
  }
  return impl_->endpoints.first_of<BlobStream>(
      Endpoints::For::pull, context, [&](const Endpoint& endpoint) {
        return impl_->open_blob(endpoint, repository, digest, offset, length, context);
      });
}

}  // namespace berth::registry
