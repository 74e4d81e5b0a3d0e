// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "berth/auth/session.hpp"
#include "berth/oci/manifest.hpp"
#include "berth/registry/upload.hpp"

namespace berth::registry {

/// One place that answers for a registry. Reads go to the endpoints in order: mirrors first, the
/// registry itself last; a blob and a manifest by digest may come from any that can pull, a tag
/// only from one that may resolve, lists and referrers only from the registry itself. A mirror that
/// fails in whatever way is passed, and rests for 30 s when it did not answer at all.
struct Endpoint {
  http::Url base;  ///< ends in "/": requests go to base + "v2/..."
  bool can_pull = true;
  bool can_resolve = true;
  auth::Session* session = nullptr;  ///< must outlive the client; a mirror has its own
};

/// One page of a list.
struct Page {
  std::vector<std::string> names;
  std::string next;  ///< give it to the next call; "" at the end
};

/// What HEAD of a manifest says.
struct ManifestHead {
  Digest digest;
  std::uint64_t size = 0;
  std::string media_type;
  std::string etag;
};

struct BlobHead {
  std::uint64_t size = 0;
  bool accepts_ranges = false;
};

/// A blob, or a range of it, as it arrives. Not verified: the reader hashes. The client must
/// outlive it.
struct BlobStream {
  std::unique_ptr<http::Body> body;  ///< resumes by Range when the connection breaks
  std::uint64_t offset = 0;          ///< of its first byte in the blob
  std::uint64_t length = 0;          ///< bytes that will come
  std::uint64_t total = 0;           ///< the whole blob's size
};

/// What a manifest's text says that it is, or looks like; "" when it is nothing that berth knows.
std::string media_type_of(const std::string& manifest);

/// What a manifest became that was pushed.
struct Pushed {
  Digest digest;
  std::optional<Digest> subject;  ///< what it refers to
};

/// Distribution-spec 1.1 for one registry. Blocking, thread safe. Every error
/// names the operation and the object, and carries what the registry said.
class Client {
 public:
  Client(std::string name, std::vector<Endpoint> endpoints);
  ~Client();

  const std::string& name() const noexcept;

  /// end-1. unsupported when the host does not speak the protocol.
  Result<void> ping(const Context& context);
  /// _catalog (Docker API). unsupported where the registry has none or denies it to everyone;
  /// denied or unauthenticated where credentials would help. Names that break the grammar are
  /// dropped and logged.
  Result<Page> list_repositories(const std::string& from, const Context& context);
  /// end-8, one page; Page::next follows its Link, on the registry's origin only (untrusted else;
  /// corrupt when the links go in a circle). Null lists are empty, names that break the grammar are
  /// dropped and logged, `from` is "" or what a page of the same list gave.
  Result<Page> list_tags(const std::string& repository, const std::string& from,
                         const Context& context);
  /// end-3 HEAD; falls back to GET where the answer lacks a digest or a length. `reference`: a tag
  /// or digest.
  Result<ManifestHead> head_manifest(const std::string& repository, const std::string& reference,
                                     const Context& context);
  /// end-3 GET. By digest: verified. By tag: the digest is computed and must equal
  /// Docker-Content-Digest.
  Result<oci::ManifestDocument> get_manifest(const std::string& repository,
                                             const std::string& reference, const Context& context);
  /// The raw manifest by digest, verified, also of types that berth does not parse (schema 1).
  struct RawManifest {
    std::string raw;
    std::string media_type;
    Digest digest;
  };
  Result<RawManifest> get_raw_manifest(const std::string& repository, const std::string& reference,
                                       const Context& context);
  /// end-2 HEAD.
  Result<BlobHead> head_blob(const std::string& repository, const Digest& digest,
                             const Context& context);
  /// end-2 GET from `offset`, `length` bytes (or to the end). unsupported when a range was asked
  /// for and the server sent the whole body and `offset` > 0. A server that ignores ranges and
  /// offset 0 is fine.
  Result<BlobStream> get_blob(const std::string& repository, const Digest& digest,
                              std::uint64_t offset, std::optional<std::uint64_t> length,
                              const Context& context);
  /// end-12, or the tag fallback ("Unavailable Referrers API") where the registry has none; that it
  /// has none is remembered for five minutes. `artifact_type`: only those of this type, whether or
  /// not the registry filters. An unknown subject has none; an unknown repository is not_found.
  Result<std::vector<oci::Descriptor>> referrers(const std::string& repository,
                                                 const Digest& digest, const Context& context,
                                                 const std::string& artifact_type = {});

  // --- Changes. They go to the registry itself, never to a mirror.

  /// end-4 to end-6, end-11. In one stream where nothing speaks against it; taken up where the
  /// registry says that it stopped (end-13) when the connection or the registry fails; cancelled
  /// when it cannot be completed. Bytes are hashed as they are read, once. digest_mismatch when
  /// they are not what options.digest promises, or the registry stored others; unsupported when
  /// a stream would have to go back further than it can; unavailable after as many breaks,
  /// without progress between them, as the session's client has attempts.
  Result<Uploaded> push_blob(const std::string& repository, BlobSource& source,
                             const UploadOptions& options, const Context& context);
  /// end-11: false when the registry did not mount it; nothing is left open then.
  Result<bool> mount_blob(const std::string& repository, const Digest& digest,
                          const std::string& from, const Context& context);
  /// end-7. `reference`: a tag, a digest (digest_mismatch unless the text has it), or "" for the
  /// text's own digest. `media_type`: "" for what the text says. The text goes out as it is. Where
  /// it has a subject and the registry has no referrers API, the subject's index under the fallback
  /// tag is brought up to date ("Pushing Manifests with Subject"); of several writers in one
  /// process none is lost.
  Result<Pushed> put_manifest(const std::string& repository, const std::string& reference,
                              const std::string& text, const std::string& media_type,
                              const Context& context);
  /// Gives what `reference` names another tag, without a pull. Gives its digest.
  Result<Digest> tag(const std::string& repository, const std::string& reference,
                     const std::string& new_tag, const Context& context);
  /// end-9 by tag: the tag alone, the manifest stays. unsupported where the registry cannot: never
  /// a deletion by digest in its place. not_found when there is no such tag.
  Result<void> delete_tag(const std::string& repository, const std::string& tag,
                          const Context& context);
  /// end-9 by digest: the manifest, and with it all its tags. `keep_referrers`: look first whether
  /// it refers to another, and mend that one's fallback tag where the registry has no referrers
  /// API (costs a GET).
  Result<void> delete_manifest(const std::string& repository, const Digest& digest,
                               const Context& context, bool keep_referrers = true);
  /// end-10.
  Result<void> delete_blob(const std::string& repository, const Digest& digest,
                           const Context& context);

  std::uint64_t requests() const noexcept;  ///< sent so far, for stats and tests

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace berth::registry
