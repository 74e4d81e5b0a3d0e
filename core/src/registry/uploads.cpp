// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"
#include "registry/upload_session.hpp"

namespace berth::registry {
namespace {

Result<void> check(const UploadOptions& options, const BlobSource& source) {
  if (options.digest && !options.digest->is_verifiable()) {
    return Error(Errc::unsupported,
                 fmt::format("upload of {}: berth cannot compute {}", options.digest->text(),
                             options.digest->algorithm_name()));
  }
  if (options.way == UploadWay::single_put && (!options.digest || !source.size())) {
    return Error(Errc::invalid_argument,
                 "an upload in a single PUT needs the digest and the size beforehand");
  }
  if (options.way == UploadWay::chunks && options.chunk_size == 0) {
    return Error(Errc::invalid_argument, "an upload in chunks of no bytes");
  }
  if (!options.mount_from.empty() && !oci::is_repository(options.mount_from)) {
    return Error(Errc::invalid_argument,
                 fmt::format("'{}', to mount from, is no repository name",
                             text::escape_for_terminal(options.mount_from)));
  }
  return {};
}

/// Reads it once for the digest alone.
Result<Digest> digest_beforehand(BlobSource& source, const Context& context) {
  UploadBytes bytes(source, TRY(Hasher::create(Algorithm::sha256)), nullptr);
  for (;;) {
    const ByteView part = TRY(bytes.next(std::numeric_limits<std::uint64_t>::max(), context));
    if (part.empty()) break;
  }
  TRY(source.seek(0));
  return bytes.digest();
}

}  // namespace

Result<Uploaded> Client::Impl::push(const std::string& repository, BlobSource& source,
                                    const UploadOptions& given, const Context& context) {
  UploadOptions options = given;
  const bool whole_put = options.way == UploadWay::automatic &&
                         quirks::wants_single_put(endpoints.registry().base.origin().host);
  const bool look = options.hash_first && source.size().value_or(0) > options.look_first_above;
  if (!options.digest && source.size() && (whole_put || look)) {
    options.digest = TRY(digest_beforehand(source, context));
  }
  const bool may_mount = options.digest && !options.mount_from.empty();
  if (options.digest && source.size() && (may_mount || *source.size() > options.look_first_above)) {
    const auto head = head_blob(endpoints.registry(), repository, *options.digest, context);
    if (head && head->size == *source.size()) {
      return Uploaded{*options.digest, head->size, Uploaded::How::was_there};
    }
    // Whoever may not read may still write; but who does not answer will not take it either.
    if (!head && head.error().is_retryable()) return Error(head.error());
    TRY(context.check());
  }
  const Algorithm algorithm = options.digest ? options.digest->algorithm() : Algorithm::sha256;
  UploadBytes bytes(source, TRY(Hasher::create(algorithm)), options.progress);
  const std::string name_of_it =
      options.digest ? object(repository, options.digest->text()) : name() + "/" + repository;
  UploadSession session(endpoints, repository, name_of_it, bytes, options, context);
  if (may_mount && TRY(session.mount())) {
    return Uploaded{*options.digest, size_of_mounted(repository, source, options, context),
                    Uploaded::How::mounted};
  }
  return session.run();
}

std::uint64_t Client::Impl::size_of_mounted(const std::string& repository, const BlobSource& source,
                                            const UploadOptions& options, const Context& context) {
  if (const auto size = source.size()) return *size;
  // The blob is there, whether or not whoever may write may also look.
  const auto head = head_blob(endpoints.registry(), repository, *options.digest, context);
  return head ? head->size : 0;
}

Result<Uploaded> Client::push_blob(const std::string& repository, BlobSource& source,
                                   const UploadOptions& options, const Context& context) {
  TRY(check_repository(repository));
  TRY(check(options, source));
  return impl_->push(repository, source, options, context);
}

Result<bool> Client::mount_blob(const std::string& repository, const Digest& digest,
                                const std::string& from, const Context& context) {
  TRY(check_repository(repository));
  TRY(check_repository(from));
  const UploadOptions options{.digest = digest, .mount_from = from};
  const auto nothing = blob_of_bytes({});
  UploadBytes bytes(*nothing, TRY(Hasher::create(Algorithm::sha256)), nullptr);
  UploadSession session(impl_->endpoints, repository, impl_->object(repository, digest.text()),
                        bytes, options, context);
  const bool mounted = TRY(session.mount());
  if (!mounted) session.cancel();
  return mounted;
}

}  // namespace berth::registry
