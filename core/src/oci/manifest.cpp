// SPDX-License-Identifier: Apache-2.0
#include "berth/oci/manifest.hpp"

#include <algorithm>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/digest/hasher.hpp"
#include "berth/oci/media_type.hpp"

#include "oci/descriptor.hpp"

namespace berth::oci {
namespace {

using json::Value;

Error schema1() {
  return Error(
      Errc::unsupported,
      "it is a Docker schema 1 manifest, a format that was given up in 2017 and that berth "
      "does not read; push the image again with a current tool");
}

/// A type that is none of ours, so that the sentence names it.
Result<void> check_known(std::string_view type) {
  if (is_schema1(type)) return schema1();
  if (is_manifest(type) || is_index(type)) return {};
  return Error(Errc::unsupported,
               "manifests of the type '" + text::escape_for_terminal(type.substr(0, 255)) +
                   "' are not supported; OCI and Docker schema 2 manifests and indexes are");
}

bool has(const Value& object, std::string_view key) { return object.find(key).has_value(); }

/// Is the member there at all, be it null?
bool mentions(const Value& root, std::string_view key) {
  const auto members = root.as_object();
  return members && std::ranges::any_of(*members, [&](const auto& m) { return m.first == key; });
}

Result<void> check_schema_version(const Value& root) {
  const std::optional<Value> version = root.find("schemaVersion");
  if (!version) return {};  // Go's decoders take it for granted, so some documents lack it
  const Result<std::int64_t> number = version->as_int();
  if (number && *number == 1) return schema1();
  if (number && *number == 2) return {};
  return Error(Errc::corrupt, "schemaVersion: 2 was expected");
}

/// The type that the document and the transport agree on; "" when neither says.
Result<std::string> stated_type(const Value& root, const std::string& transport) {
  const std::string inside = text::to_lower(TRY(root.string_or_empty("mediaType")));
  // The confusion of CVE-2021-41190: what one program was shown as an index, another takes for a
  // manifest.
  if (!inside.empty() && !transport.empty() && inside != transport) {
    return Error(Errc::corrupt, "it says that it is '" +
                                    text::escape_for_terminal(inside.substr(0, 255)) +
                                    "', but the registry sent it as '" +
                                    text::escape_for_terminal(transport) + "'");
  }
  return inside.empty() ? transport : inside;
}

/// The type, decided: by what is stated, else by the members that the document has.
Result<std::string> decide_type(const Value& root, const std::string& transport) {
  TRY(check_schema_version(root));
  std::string type = TRY(stated_type(root, transport));
  const bool like_manifest = has(root, "config") || has(root, "layers");
  const bool like_index = mentions(root, "manifests");
  if (like_manifest && has(root, "manifests")) {
    return Error(Errc::corrupt,
                 "it has the members of both a manifest and an index (CVE-2021-41190)");
  }
  if (type.empty()) {
    if (has(root, "fsLayers")) return schema1();
    if (!like_manifest && !like_index) {
      return Error(Errc::corrupt, "it has neither 'config' and 'layers' nor 'manifests'");
    }
    type = like_manifest ? media::kImageManifest : media::kImageIndex;
  }
  TRY(check_known(type));
  if (is_index(type) ? like_manifest || !like_index : has(root, "manifests") || !like_manifest) {
    return Error(Errc::corrupt, "it does not have the members of its type, '" + type + "'");
  }
  return type;
}

Result<std::optional<Descriptor>> read_subject(const Value& root) {
  const std::optional<Value> member = root.find("subject");
  if (!member) return std::optional<Descriptor>();
  Result<Descriptor> subject = read_descriptor(*member);
  if (!subject) return std::move(subject).error().with_context("subject");
  return std::optional(*std::move(subject));
}

Result<Manifest> read_manifest(const Value& root) {
  const std::optional<Value> member = root.find("config");
  if (!member) return Error(Errc::corrupt, "config is missing");
  Result<Descriptor> config = read_descriptor(*member);
  if (!config) return std::move(config).error().with_context("config");
  // Go writes null for an empty list, and reads null and nothing alike: so do all peers.
  std::vector<Descriptor> layers = TRY(read_descriptors(root, "layers"));
  std::optional<Descriptor> subject = TRY(read_subject(root));
  std::string artifact_type = TRY(root.string_or_empty("artifactType"));
  Annotations annotations = TRY(read_annotations(root));
  return Manifest{*std::move(config), std::move(layers), std::move(subject),
                  std::move(artifact_type), std::move(annotations)};
}

/// `manifests` may be null, as above, but must be there: without it nothing tells an index.
Result<Index> read_index(const Value& root) {
  Index index;
  index.manifests = TRY(read_descriptors(root, "manifests"));
  index.subject = TRY(read_subject(root));
  index.artifact_type = TRY(root.string_or_empty("artifactType"));
  index.annotations = TRY(read_annotations(root));
  return index;
}

Result<ManifestDocument> read_document(std::string raw, std::string_view content_type,
                                       const Digest& digest) {
  std::string transport = without_parameters(content_type);
  if (is_generic(transport)) transport.clear();
  if (!transport.empty()) TRY(check_known(transport));
  const json::Document document =
      TRY(json::Document::parse(raw, {.bytes = kManifestLimit, .depth = json::Limits{}.depth}));
  const Value root = document.root();
  if (root.type() != json::Type::object) {
    return Error(Errc::corrupt, "the JSON text is not an object");
  }
  std::string type = TRY(decide_type(root, transport));
  if (is_index(type)) {
    Index index = TRY(read_index(root));
    return ManifestDocument{std::move(raw), std::move(type), digest, std::move(index)};
  }
  Manifest manifest = TRY(read_manifest(root));
  return ManifestDocument{std::move(raw), std::move(type), digest, std::move(manifest)};
}

}  // namespace

const std::string* find_annotation(const Annotations& annotations, std::string_view key) {
  const auto at = std::ranges::find(annotations, key, &Annotations::value_type::first);
  return at == annotations.end() ? nullptr : &at->second;
}

const Annotations& ManifestDocument::annotations() const noexcept {
  const Index* const i = index();
  return i != nullptr ? i->annotations : std::get<Manifest>(content).annotations;
}

const std::optional<Descriptor>& ManifestDocument::subject() const noexcept {
  const Index* const i = index();
  return i != nullptr ? i->subject : std::get<Manifest>(content).subject;
}

std::string ManifestDocument::artifact_type() const {
  if (const Index* const i = index()) return i->artifact_type;
  const auto& m = std::get<Manifest>(content);
  return m.artifact_type.empty() ? m.config.media_type : m.artifact_type;
}

Descriptor ManifestDocument::descriptor() const {
  const Index* const i = index();
  return {
      .media_type = media_type,
      .digest = digest,
      .size = raw.size(),
      .artifact_type = i != nullptr ? i->artifact_type : std::get<Manifest>(content).artifact_type,
      .annotations = {},
      .platform = std::nullopt,
      .urls = {}};
}

Result<ManifestDocument> parse_manifest(std::string raw, std::string_view content_type,
                                        const std::optional<Digest>& digest) {
  if (raw.size() > kManifestLimit) {
    return Error(Errc::too_large, "a manifest of " + std::to_string(raw.size()) +
                                      " bytes; berth reads at most " +
                                      std::to_string(kManifestLimit));
  }
  if (digest) {
    Result<void> verified = verify(as_bytes(raw), *digest);
    if (!verified) return std::move(verified).error().with_context("the manifest");
  }
  const Digest actual = digest ? *digest : digest_of(as_bytes(raw));
  Result<ManifestDocument> document = read_document(std::move(raw), content_type, actual);
  if (document) return document;
  return std::move(document).error().with_context("cannot read the manifest " + actual.text());
}

}  // namespace berth::oci
