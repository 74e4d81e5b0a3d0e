// SPDX-License-Identifier: Apache-2.0
// berth's client library, told what to do by lines of JSON on standard input and answering with
// lines of JSON: {"value"} or {"error"}. probe.mjs is the official SDK to the same words: what is
// said here bears the SDK's names.
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <string>

#include "berth/auth/tool_credentials.hpp"

#include "e2e/sdk/acr_probe_json.hpp"

namespace berth::probe {
namespace {

/// A token that somebody else got.
class GivenToken final : public auth::TokenCredential {
 public:
  explicit GivenToken(std::string token)
      : token_(std::move(token)) {}
  Result<auth::AccessToken> get_token(const auth::TokenRequest&, const Context&) override {
    return auth::AccessToken{.token = Secret(token_),
                             .expires_on = Clock::SystemTime::clock::now() + std::chrono::hours(1),
                             .refresh_on = {}};
  }
  std::string name() const override { return "GivenToken"; }
  std::string identity_key() const override { return "given"; }

 private:
  std::string token_;
};

acr::ContainerRegistryClientOptions options_of(const Json& command) {
  acr::ContainerRegistryClientOptions options;
  const std::string credential = command.value("credential", "");
  if (credential == "az") {
    options.token_credential = std::make_shared<auth::AzureCliCredential>();
  } else if (!credential.empty()) {
    options.token_credential = std::make_shared<GivenToken>(credential);
  }
  options.connection.ca_file = command.value("ca", "");
  const Json retry = command.value("options", Json::object()).value("retryOptions", Json::object());
  options.retry.max_retries = retry.value("maxRetries", options.retry.max_retries);
  return options;
}

/// One client for each registry and credential, unless a command asks for a fresh one.
Result<acr::ContainerRegistryClient> client_of(const Json& command) {
  static std::map<std::string, acr::ContainerRegistryClient> clients;
  const std::string endpoint = command.at("endpoint");
  const std::string key = endpoint + " " + command.value("credential", "");
  if (command.value("fresh", false)) clients.erase(key);
  if (!clients.contains(key)) {
    auto made = acr::ContainerRegistryClient::create(endpoint, options_of(command));
    if (!made) return made.error();
    clients.emplace(key, *std::move(made));
  }
  return clients.at(key);
}

Result<acr::ContainerRepository> repository_of(const Json& command) {
  auto client = client_of(command);
  if (!client) return client.error();
  return client->repository(command.at("repository"));
}

Result<acr::RegistryArtifact> artifact_of(const Json& command) {
  auto client = client_of(command);
  if (!client) return client.error();
  return client->artifact(command.at("repository"), command.at("reference"));
}

Result<acr::ContainerRegistryContentClient> content_of(const Json& command) {
  auto client = client_of(command);
  if (!client) return client.error();
  return client->content(command.at("repository"));
}

using Operation = Result<Json> (*)(const Json&);
const Context kContext;

/// `call` with what `find` gives, as JSON.
template <class Find, class Call>
Result<Json> with(Find find, const Json& command, Call call) {
  auto found = find(command);
  if (!found) return found.error();
  auto result = call(*found);
  if (!result) return std::move(result).error();
  if constexpr (std::is_void_v<typename decltype(result)::value_type>) {
    return Json();
  } else {
    return to_json(*result);
  }
}

acr::DeleteOptions as_the_sdk_deletes() {
  acr::DeleteOptions options;
  options.ignore_not_found = true;
  return options;
}

acr::ListOptions page_options(const Json& command) {
  acr::ListOptions options;
  options.page_size = command.value("pageSize", 0);
  options.continuation_token = command.value("continuationToken", "");
  return options;
}

template <class Options, class Order>
Options ordered(const Json& command) {
  Options options;
  options.page_size = command.value("pageSize", 0);
  options.continuation_token = command.value("continuationToken", "");
  const std::string order = command.value("order", "");
  if (order == "LastUpdatedOnDescending") options.order = Order::last_updated_on_descending;
  if (order == "LastUpdatedOnAscending") options.order = Order::last_updated_on_ascending;
  return options;
}

template <class Find, class Call>
Result<Json> listed(Find find, const Json& command, Call call) {
  auto found = find(command);
  if (!found) return found.error();
  auto list = call(*found);
  if (!command.value("count", false)) {
    return list_to_json(std::move(list), command.value("byPage", false));
  }
  auto all = list.all();
  if (!all) return all.error();
  return Json{{"count", all->size()}};
}

Digest digest_in(const Json& command) {
  return Digest::parse(command.at("digest").get<std::string>()).value();
}

// NOLINTBEGIN(readability-identifier-length): c is the command of each line of the table.
const std::map<std::string, Operation> kRegistryOperations = {
    {"endpoint",
     [](const Json& c) {
       return with(client_of, c,
                   [](auto& client) { return Result<std::string>(client.endpoint()); });
     }},
    {"listRepositoryNames",
     [](const Json& c) {
       return listed(client_of, c, [&](auto& client) {
         return client.list_repository_names(kContext, page_options(c));
       });
     }},
    {"deleteRepository",
     [](const Json& c) {
       return with(client_of, c, [&](auto& client) {
         return client.delete_repository(c.at("repository"), kContext, as_the_sdk_deletes());
       });
     }},
    {"repositoryName",
     [](const Json& c) {
       return with(repository_of, c, [](auto& repository) {
         return Result<Json>(Json{repository.registry_endpoint(), repository.name()});
       });
     }},
    {"repository.delete",
     [](const Json& c) {
       return with(repository_of, c, [](auto& repository) {
         return repository.remove(kContext, as_the_sdk_deletes());
       });
     }},
    {"repository.getProperties",
     [](const Json& c) {
       return with(repository_of, c,
                   [](auto& repository) { return repository.get_properties(kContext); });
     }},
    {"repository.updateProperties",
     [](const Json& c) {
       return with(repository_of, c, [&](auto& repository) {
         return repository.update_properties(changes_in(c), kContext);
       });
     }},
    {"repository.listManifestProperties",
     [](const Json& c) {
       return listed(repository_of, c, [&](auto& repository) {
         return repository.list_manifest_properties(
             kContext, ordered<acr::ListManifestsOptions, acr::ArtifactManifestOrder>(c));
       });
     }},
    {"artifactName",
     [](const Json& c) {
       return with(artifact_of, c, [](auto& artifact) {
         return Result<Json>(Json{artifact.registry_endpoint(), artifact.repository_name()});
       });
     }},
    {"fullyQualifiedReference",
     [](const Json& c) {
       return with(artifact_of, c, [](auto& artifact) {
         return Result<std::string>(artifact.fully_qualified_reference());
       });
     }},
    {"artifact.delete",
     [](const Json& c) {
       return with(artifact_of, c,
                   [](auto& artifact) { return artifact.remove(kContext, as_the_sdk_deletes()); });
     }},
    {"artifact.deleteTag",
     [](const Json& c) {
       return with(artifact_of, c, [&](auto& artifact) {
         return artifact.delete_tag(c.at("tag"), kContext, as_the_sdk_deletes());
       });
     }},
    {"artifact.getManifestProperties",
     [](const Json& c) {
       return with(artifact_of, c,
                   [](auto& artifact) { return artifact.get_manifest_properties(kContext); });
     }},
    {"artifact.updateManifestProperties",
     [](const Json& c) {
       return with(artifact_of, c, [&](auto& artifact) {
         return artifact.update_manifest_properties(changes_in(c), kContext);
       });
     }},
    {"artifact.getTagProperties",
     [](const Json& c) {
       return with(artifact_of, c, [&](auto& artifact) {
         return artifact.get_tag_properties(c.at("tag"), kContext);
       });
     }},
    {"artifact.updateTagProperties",
     [](const Json& c) {
       return with(artifact_of, c, [&](auto& artifact) {
         return artifact.update_tag_properties(c.at("tag"), changes_in(c), kContext);
       });
     }},
    // The SDK's lists the repository's, whatever the artifact.
    {"artifact.listTagProperties",
     [](const Json& c) {
       return listed(repository_of, c, [&](auto& repository) {
         return repository.list_tag_properties(
             kContext, ordered<acr::ListTagsOptions, acr::ArtifactTagOrder>(c));
       });
     }},
};

const std::map<std::string, Operation> kContentOperations = {
    {"contentName",
     [](const Json& c) {
       return with(content_of, c, [](auto& content) {
         return Result<Json>(Json{content.endpoint(), content.repository_name()});
       });
     }},
    {"uploadBlob",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) {
         if (c.contains("file")) {
           return content.upload_blob_from(c.at("file").get<std::string>(), kContext);
         }
         return content.upload_blob(as_bytes(c.at("text").get_ref<const std::string&>()), kContext);
       });
     }},
    {"downloadBlob",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) -> Result<Json> {
         auto done =
             content.download_blob_to(digest_in(c), c.at("file").get<std::string>(), kContext);
         if (!done) return done.error();
         return Json{{"digest", c.at("digest")}};
       });
     }},
    {"setManifest",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) {
         acr::SetManifestOptions options;
         options.tag = c.value("tag", "");
         options.media_type = c.value("mediaType", "");
         const std::string object = c.value("object", "");
         if (object.empty()) {
           return content.set_manifest(c.at("text").get<std::string>(), kContext, options);
         }
         const auto read = oci::parse_manifest(object, "", std::nullopt);
         return content.set_manifest(*read->manifest(), kContext, options);
       });
     }},
    {"getManifest",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) {
         return content.get_manifest(c.at("reference"), kContext);
       });
     }},
    {"deleteBlob",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) {
         return content.delete_blob(digest_in(c), kContext, as_the_sdk_deletes());
       });
     }},
    {"deleteManifest",
     [](const Json& c) {
       return with(content_of, c, [&](auto& content) {
         return content.delete_manifest(digest_in(c), kContext, as_the_sdk_deletes());
       });
     }},
};
// NOLINTEND(readability-identifier-length)

Json answer(const Json& command) {
  const std::string op = command.at("op");
  const auto& table = kRegistryOperations.contains(op) ? kRegistryOperations : kContentOperations;
  const auto start = std::chrono::steady_clock::now();
  const Result<Json> result = table.at(op)(command);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  Json out = result ? Json{{"value", *result}} : error_to_json(result.error());
  out["seconds"] = seconds.count();
  return out;
}

}  // namespace
}  // namespace berth::probe

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << berth::probe::answer(berth::probe::Json::parse(line)).dump() << std::endl;
  }
  return 0;
}
