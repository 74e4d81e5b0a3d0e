// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/oci/media_type.hpp"
#include "berth/oci/reference.hpp"
#include "berth/registry/quirks.hpp"

#include "registry/client_impl.hpp"

namespace berth::registry {
namespace {

/// Pushes are answered by 201; containerd's users met 200, 202 and 204.
bool is_success(int status) {
  return status == 200 || status == 201 || status == 202 || status == 204;
}

/// "unsupported" with what to do, where the registry does not do such things at all.
Error not_offered(Error refusal, std::string_view operation, std::string_view remedy) {
  Error error(Errc::unsupported, fmt::format("{}: {}", operation, remedy));
  if (const HttpInfo* info = refusal.http()) error = std::move(error).with_http(*info);
  return std::move(error).because(std::move(refusal));
}

/// The same error, or not_offered() where it means that.
Error explained(Error refusal, quirks::Meaning meaning, std::string_view operation,
                std::string_view remedy) {
  const HttpInfo* info = refusal.http();
  // What a lock forbids is offered.
  const bool meant = info != nullptr && refusal.code() != Errc::denied &&
                     quirks::means(meaning, info->status, info->registry_code);
  return meant ? not_offered(std::move(refusal), operation, remedy) : refusal;
}

constexpr std::string_view kDeletesNothing =
    "the registry does not delete; whoever runs it can allow it (distribution: "
    "storage.delete.enabled), or has another way";

}  // namespace

Result<http::Response> Client::Impl::put_text(const Target& asked, const std::string& text,
                                              const std::string& media_type,
                                              const Context& context) {
  Call call{
      .method = "PUT",
      .path = asked.repository + "/manifests/" + asked.reference,
      .headers = {},
      .scopes = auth::Scopes::push(asked.repository),
      .repository = asked.repository,
      .body = text,
      // The same text under the same name: twice is as good as once.
      .repeatable = true,
      .operation = fmt::format("push of manifest {}", object(asked.repository, asked.reference))};
  call.headers.add("Content-Type", media_type);
  const Endpoint& registry = endpoints.registry();
  auto response = TRY(endpoints.send(registry, call, context));
  if (is_success(response.status)) return response;
  return endpoints.refusal(registry, call, response, context);
}

Result<Pushed> Client::put_manifest(const std::string& repository, const std::string& reference,
                                    const std::string& text, const std::string& media_type,
                                    const Context& context) {
  if (text.size() > oci::kManifestLimit) {
    return Error(Errc::too_large, fmt::format("a manifest of {} bytes: registries take at most {}",
                                              text.size(), oci::kManifestLimit));
  }
  const std::string type = media_type.empty() ? media_type_of(text) : media_type;
  if (!oci::is_media_type(type)) {
    return Error(Errc::invalid_argument,
                 fmt::format("a manifest for {}/{} without a media type: it names none itself, "
                             "give one",
                             name(), repository));
  }
  const Digest own = digest_of(as_bytes(text));
  const auto asked = TRY(impl_->target(repository, reference.empty() ? own.text() : reference));
  if (asked.digest) {
    if (auto right = verify(as_bytes(text), *asked.digest); !right) {
      return std::move(right).error().with_context(
          fmt::format("push of manifest {}", impl_->object(asked.repository, asked.reference)));
    }
  }
  auto response = TRY(impl_->put_text(asked, text, type, context));
  Pushed pushed{asked.digest.value_or(own), std::nullopt};
  const auto stated = stated_digest(response);
  if (stated && stated->algorithm() == pushed.digest.algorithm() && *stated != pushed.digest) {
    return Error(Errc::digest_mismatch,
                 fmt::format("push of manifest {}: the text has the digest {}, and the registry "
                             "says that it stored {}",
                             impl_->object(repository, asked.reference), pushed.digest.text(),
                             stated->text()));
  }
  // Types that berth does not read have no subject that it knows of.
  const auto document = oci::parse_manifest(text, type, pushed.digest);
  if (document && document->subject()) pushed.subject = document->subject()->digest;
  const bool kept = response.headers.find("OCI-Subject") != nullptr;
  http::drain(response, context);
  if (pushed.subject && !kept) TRY(impl_->add_referrer(repository, *document, context));
  return pushed;
}

Result<Digest> Client::tag(const std::string& repository, const std::string& reference,
                           const std::string& new_tag, const Context& context) {
  if (!oci::is_tag(new_tag)) {
    return Error(Errc::invalid_argument,
                 fmt::format("'{}' is no tag: letters, digits, '_', '.' and '-', at most 128, not "
                             "beginning with '.' or '-'",
                             text::escape_for_terminal(new_tag)));
  }
  const auto raw = TRY(get_raw_manifest(repository, reference, context));
  auto response =
      TRY(impl_->put_text({repository, new_tag, std::nullopt}, raw.raw, raw.media_type, context));
  http::drain(response, context);
  return raw.digest;
}

Result<void> Client::Impl::remove(const std::string& repository, const std::string& path,
                                  const std::string& operation, const Context& context) {
  const Endpoint& registry = endpoints.registry();
  const Call call{.method = "DELETE",
                  .path = path,
                  .headers = {},
                  .scopes = quirks::knows_delete_action(registry.base.origin().host)
                                ? auth::Scopes::remove(repository)
                                : auth::Scopes::push(repository),
                  .repository = repository,
                  .operation = operation};
  auto response = TRY(endpoints.send(registry, call, context));
  if (!is_success(response.status)) {
    return endpoints.refusal(registry, call, response, context);
  }
  http::drain(response, context);
  return {};
}

Result<void> Client::delete_tag(const std::string& repository, const std::string& tag,
                                const Context& context) {
  const auto asked = TRY(impl_->target(repository, tag));
  if (asked.digest) {
    return Error(Errc::invalid_argument, fmt::format("{} is a digest and no tag", tag));
  }
  const std::string operation = fmt::format("untagging of {}", impl_->object(repository, tag));
  auto done = impl_->remove(repository, repository + "/manifests/" + tag, operation, context);
  if (done) return {};
  return explained(std::move(done).error(), quirks::Meaning::cannot_untag, operation,
                   "the registry cannot remove a tag alone; to delete the manifest with all its "
                   "tags, name it by its digest");
}

Result<void> Client::delete_manifest(const std::string& repository, const Digest& digest,
                                     const Context& context, bool keep_referrers) {
  const auto asked = TRY(impl_->target(repository, digest.text()));
  std::optional<oci::ManifestDocument> referrer;
  if (keep_referrers) {
    auto raw = TRY(impl_->fetch_manifest(impl_->endpoints.registry(), asked, context));
    auto document = oci::parse_manifest(std::move(raw.raw), raw.media_type, digest);
    if (document && document->subject()) referrer = *std::move(document);
  }
  const std::string operation =
      fmt::format("deletion of manifest {}", impl_->object(repository, digest.text()));
  auto done =
      impl_->remove(repository, repository + "/manifests/" + digest.text(), operation, context);
  if (!done) {
    return explained(std::move(done).error(), quirks::Meaning::cannot_delete, operation,
                     kDeletesNothing);
  }
  if (!referrer) return {};
  const auto listed =
      TRY(impl_->referrers_by_api(repository, referrer->subject()->digest, {}, context));
  if (listed) return {};
  return impl_->drop_referrer(repository, *referrer, context);
}

Result<void> Client::delete_blob(const std::string& repository, const Digest& digest,
                                 const Context& context) {
  TRY(check_repository(repository));
  const std::string operation =
      fmt::format("deletion of blob {}", impl_->object(repository, digest.text()));
  auto done = impl_->remove(repository, repository + "/blobs/" + digest.text(), operation, context);
  if (done) return {};
  return explained(std::move(done).error(), quirks::Meaning::cannot_delete, operation,
                   kDeletesNothing);
}

}  // namespace berth::registry
