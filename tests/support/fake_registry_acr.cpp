// SPDX-License-Identifier: Apache-2.0
// What Azure Container Registry adds to distribution-spec, as recorded from the service: its API of
// metadata, lists with links, its challenges, and where it does as no other registry does.
#include "support/fake_registry_acr.hpp"

#include <algorithm>

namespace berth::test {
namespace {

using Json = nlohmann::ordered_json;

std::string encode(const std::string& text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string_view("-_.~").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

HttpReply not_found_text() {
  return {.status = 404,
          .headers = {{"Content-Type", "application/octet-stream"}},
          .body = "Not found"};
}

HttpReply page_not_found() {
  return {.status = 404,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = "404 page not found\n"};
}

}  // namespace

/// One page of a list: `names` in the list's order, which `last` is one of; `item` makes the text
/// of one of those that the page shows. (All of a long list for each of its pages would take
/// seconds, and of a page as a tree of JSON most of the time that a client waits.)
HttpReply FakeRegistry::Impl::acr_page(const HttpRequest& request,
                                       const nlohmann::ordered_json& head, const char* key,
                                       const std::vector<std::string>& names, const AcrItem& item) {
  const std::string n = request.query("n");
  const std::size_t limit =
      n.empty() ? (behaviour.page_size == 0 ? 100 : behaviour.page_size) : std::stoull(n);
  std::size_t from = 0;
  if (const std::string last = request.query("last"); !last.empty()) {
    while (from < names.size() && names[from] != last) ++from;
    // What it named is gone: a list by name goes on behind where it stood.
    if (from == names.size()) {
      from = 0;
      while (from < names.size() && names[from] < last) ++from;
    } else {
      ++from;
    }
  }
  const std::size_t begin = from;
  std::string page;
  for (; from < names.size() && from - begin < limit; ++from) {
    page += (page.empty() ? "" : ",") + item(from);
  }
  HttpReply reply = json_reply(200, head);
  reply.set_header("Content-Type", "application/json; charset=utf-8");
  reply.body.pop_back();
  reply.body += (head.empty() ? "\"" : ",\"") + std::string(key) +
                "\":" + (page.empty() ? "null" : "[" + page + "]") + "}";
  if (from < names.size() && !page.empty()) {
    const std::string target = url_decode(request.target.substr(0, request.target.find('?')));
    reply.set_header("Link", "<" + target + "?last=" + encode(names[from - 1]) +
                                 "&n=" + std::to_string(limit) +
                                 "&orderby=" + request.query("orderby") + ">; rel=\"next\"");
  }
  return reply;
}

/// By time, and then as they stand.
void FakeRegistry::Impl::acr_put_in_order(std::vector<std::string>& names,
                                          const std::string& repository, const std::string& order) {
  if (order.empty()) return;
  std::vector<std::pair<std::int64_t, std::size_t>> places;
  for (const std::string& name : names) {
    places.emplace_back(acr_record(repository, name).updated, places.size());
  }
  std::ranges::sort(places);
  if (order == "timedesc") std::ranges::reverse(places);
  std::vector<std::string> sorted;
  for (const auto& [at, index] : places) sorted.push_back(names[index]);
  names = std::move(sorted);
}

namespace {

/// "library/a/_tags/v1" as a repository, a collection and an item of it.
struct AcrPlace {
  std::string repository;
  std::string collection;
  std::string item;
};

AcrPlace place_in(const std::string& rest) {
  for (const char* collection : {"_tags", "_manifests"}) {
    const std::size_t at = rest.find(std::string("/") + collection);
    if (at == std::string::npos) continue;
    const std::size_t end = at + 1 + std::string_view(collection).size();
    if (end < rest.size() && rest[end] != '/') continue;
    return {rest.substr(0, at), collection, end < rest.size() ? rest.substr(end + 1) : ""};
  }
  return {rest, {}, {}};
}

bool is_name(const std::string& repository) {
  return !repository.empty() && std::ranges::all_of(repository, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-").find(c) != std::string_view::npos;
  });
}

}  // namespace

HttpReply FakeRegistry::Impl::serve_as_acr(const HttpRequest& asked) {
  HttpRequest request = asked;
  const std::size_t query = asked.target.find('?');
  const std::string path = url_decode(asked.target.substr(0, query));
  HttpReply reply = [&] {
    if (path.starts_with("/oauth2/")) return serve_oauth2(request, path);
    if (auto refusal = refuse_as_acr(request, path)) return *std::move(refusal);
    if (path.starts_with("/acr/v1/")) return serve_acr_api(request, path.substr(8));
    if (path != "/v2" && !path.starts_with("/v2/")) return not_found_text();
    if (path == "/v2/") {
      return json_reply(200, Json::object());
    }
    if (query == std::string::npos) {
      request.target = path;
    } else {
      request.target = path + asked.target.substr(query);
    }
    return serve_v2_of_acr(request);
  }();
  reply.headers.insert(
      reply.headers.begin(),
      {{"Server", "openresty"},
       {"Docker-Distribution-Api-Version", "registry/2.0"},
       {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
       {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
       {"X-Content-Type-Options", "nosniff"},
       {"Access-Control-Expose-Headers",
        "Docker-Content-Digest, WWW-Authenticate, Link, X-Ms-Correlation-Request-Id"},
       {"X-Ms-Correlation-Request-Id", "correlation-" + std::to_string(++acr_answers)},
       {"X-Ms-Request-Id", "request-" + std::to_string(acr_answers)}});
  if (const std::string id = request.header("x-ms-client-request-id"); !id.empty()) {
    reply.set_header("X-Ms-Client-Request-Id", id);
  }
  if (request.method == "DELETE") {
    reply.set_header("X-Ms-Ratelimit-Remaining-Calls-Per-Second", "8.000000");
  }
  if (reply.body.size() > 2048 && !reply.shared_body) {
    reply.framing = HttpReply::Framing::chunked;
  }
  return reply;
}

std::vector<std::string> FakeRegistry::Impl::acr_scopes(const HttpRequest& request,
                                                        const std::string& path) {
  if (path == "/v2/" || path == "/v2") return {};
  if (path == "/acr/v1/_catalog" || path == "/v2/_catalog") return {"registry:catalog:*"};
  if (path == "/acr/v1/_deleted/_catalog") return {"registry:deleted_catalog:*"};
  const auto all = [](const std::string& repository, std::vector<std::string> actions) {
    for (std::string& action : actions) action = "repository:" + repository + ":" + action;
    return actions;
  };
  if (path.starts_with("/acr/v1/_deleted/")) {
    const AcrPlace place = place_in(path.substr(17));
    if (request.method == "POST") return all(place.repository, {"deleted_read", "deleted_restore"});
    return all(place.repository, {"deleted_read"});
  }
  if (path.starts_with("/acr/v1/")) {
    const AcrPlace place = place_in(path.substr(8));
    return all(place.repository, {request.method == "DELETE"  ? "delete"
                                  : request.method == "PATCH" ? "metadata_write"
                                                              : "metadata_read"});
  }
  const auto target = parse_target(path);
  if (!target) return {};
  if (request.method == "DELETE") return all(target->repository, {"delete"});
  if (request.method == "GET" || request.method == "HEAD") {
    if (target->kind != "uploads") return all(target->repository, {"pull"});
  }
  // The order is random on the service; a coin that falls the same way in every run, here.
  const bool heads = (++acr_coin & 1) != 0;
  auto scopes = all(target->repository, heads ? std::vector<std::string>{"push", "pull"}
                                              : std::vector<std::string>{"pull", "push"});
  const std::string from = request.query("from");
  if (!from.empty()) scopes.push_back("repository:" + from + ":pull");
  return scopes;
}

std::optional<HttpReply> FakeRegistry::Impl::refuse_as_acr(const HttpRequest& request,
                                                           const std::string& path) {
  if (behaviour.auth == RegistryBehaviour::Auth::none || is_user(request)) return std::nullopt;
  if (std::exchange(behaviour.refuse_cached_tokens, false)) given_tokens.clear();
  const std::vector<std::string> scopes = acr_scopes(request, path);
  const std::string authorization = request.header("Authorization");
  const bool has_token = authorization.starts_with("Bearer ");
  const std::string token = has_token ? authorization.substr(7) : std::string();
  if (has_token && token_grants(token, scopes)) return std::nullopt;
  // Whose token was asked for the repository to mount from, and not given it, uploads in its place.
  const bool mounts = scopes.size() > 1 && !request.query("from").empty();
  if (mounts && token_grants(token, {scopes.begin(), scopes.end() - 1}) &&
      given_tokens[token].asked.contains(scopes.back())) {
    return std::nullopt;
  }
  Json detail = Json::array();
  std::string text;
  std::string before;
  for (const std::string& scope : scopes) {
    const std::size_t first = scope.find(':');
    const std::size_t last = scope.rfind(':');
    const std::string resource = scope.substr(0, last);
    text += resource == before ? "," + scope.substr(last + 1) : (text.empty() ? "" : " ") + scope;
    before = resource;
    detail.push_back({{"Type", scope.substr(0, first)},
                      {"Name", scope.substr(first + 1, last - first - 1)},
                      {"Action", scope.substr(last + 1)}});
  }
  HttpReply refusal =
      json_reply(401, {{"errors", Json::array({{{"code", "UNAUTHORIZED"},
                                                {"message",
                                                 "authentication required, visit "
                                                 "https://aka.ms/acr/authorization for more "
                                                 "information."},
                                                {"detail", detail}}})}});
  std::string challenge = "Bearer realm=\"" +
                          (behaviour.realm.empty() ? acr_realm() : behaviour.realm) +
                          "\",service=\"" + registry->host() + "\"";
  if (!text.empty()) challenge += ",scope=\"" + text + "\"";
  if (has_token) {
    challenge += given_tokens.contains(token) && token_grants(token, {})
                     ? ",error=\"insufficient_scope\""
                     : ",error=\"invalid_token\"";
  }
  refusal.set_header("WWW-Authenticate", challenge);
  return refusal;
}

std::string FakeRegistry::Impl::acr_realm() const { return registry->origin() + "/oauth2/token"; }

HttpReply FakeRegistry::Impl::serve_acr_api(const HttpRequest& request, const std::string& rest) {
  if (rest == "_catalog" && request.method == "GET") {
    std::vector<std::string> names;
    for (const auto& [name, unused] : repositories) {
      if (!acr_hides(name, {})) names.push_back(name);
    }
    return acr_page(request, Json::object(), "repositories", names,
                    [&](std::size_t at) { return Json(names[at]).dump(); });
  }
  if (rest.starts_with("_deleted/")) return serve_deleted(request, rest.substr(9));
  const AcrPlace place = place_in(rest);
  if (!is_name(place.repository)) return page_not_found();
  const auto found = repositories.find(place.repository);
  if (found == repositories.end()) return acr_error::name_unknown(place.repository);
  const Repository& held = found->second;
  const Json head{{"registry", registry->host()}, {"imageName", place.repository}};
  if (place.collection.empty()) return acr_object(request, place.repository, {});
  if (!place.item.empty()) {
    const bool tag = place.collection == "_tags";
    if (tag && !held.tags.contains(place.item))
      return acr_error::tag_unknown(place.repository, place.item);
    if (!tag && !held.manifests.contains(place.item)) {
      return acr_error::manifest_unknown(place.repository, place.item);
    }
    return acr_object(request, place.repository, place.item);
  }
  if (request.method != "GET") return error_reply(405, "UNSUPPORTED");
  std::vector<std::string> names;
  const bool tags = place.collection == "_tags";
  if (tags) {
    const std::string digest = request.query("digest");
    for (const auto& [tag, target] : held.tags) {
      if (digest.empty() || target == digest) names.push_back(tag);
    }
  } else {
    for (const auto& [digest, unused] : held.manifests) names.push_back(digest);
  }
  std::erase_if(names, [&](const std::string& name) { return acr_hides(place.repository, name); });
  acr_put_in_order(names, place.repository, request.query("orderby"));
  return acr_page(request, head, tags ? "tags" : "manifests", names, [&](std::size_t at) {
    return tags ? acr_tag(place.repository, names[at])
                : acr_manifest(place.repository, names[at], false).dump();
  });
}

/// One repository (`reference` is ""), tag or manifest that is there.
HttpReply FakeRegistry::Impl::acr_object(const HttpRequest& request, const std::string& repository,
                                         const std::string& reference) {
  AcrRecord& record = acr_record(repository, reference);
  if (request.method == "DELETE") return acr_remove(repository, reference);
  if (request.method == "PATCH") {
    const Json changes = Json::parse(request.body, nullptr, false);
    if (!changes.is_object()) return error_reply(400, "BAD_REQUEST", "invalid request body");
    record.can_delete = changes.value("deleteEnabled", record.can_delete);
    record.can_write = changes.value("writeEnabled", record.can_write);
    record.can_list = changes.value("listEnabled", record.can_list);
    record.can_read = changes.value("readEnabled", record.can_read);
  } else if (request.method != "GET") {
    return error_reply(405, "UNSUPPORTED");
  }
  if (reference.empty()) return json_reply(200, acr_repository(repository));
  Json answer{{"registry", registry->host()}, {"imageName", repository}};
  if (reference.find(':') == std::string::npos) {
    answer["tag"] = Json::parse(acr_tag(repository, reference));
  } else {
    answer["manifest"] = acr_manifest(repository, reference, true);
  }
  return json_reply(200, answer);
}

HttpReply FakeRegistry::Impl::serve_deleted(const HttpRequest& request, const std::string& rest) {
  if (rest == "_catalog") {
    std::vector<std::string> names;
    for (const auto& [name, unused] : acr_deleted) names.push_back(name);
    return acr_page(request, Json::object(), "repositories", names,
                    [&](std::size_t at) { return Json(names[at]).dump(); });
  }
  const AcrPlace place = place_in(rest);
  AcrDeleted& gone = acr_deleted[place.repository];
  if (request.method == "POST") return acr_restore(request, place.repository, place.item);
  Json items = Json::array();
  std::vector<std::string> names;
  const bool tags = place.collection == "_tags";
  if (tags) {
    for (const auto& tag : gone.tags) {
      names.push_back(tag.name);
      items.push_back({{"tag", tag.name}, {"digest", tag.digest}, {"deletedAt", tag.at}});
    }
  } else {
    for (const auto& [digest, deleted] : gone.manifests) {
      names.push_back(digest);
      items.push_back({{"digest", digest}, {"deletedAt", deleted.at}});
      if (!deleted.tags.empty()) items.back()["tags"] = deleted.tags;
    }
  }
  return acr_page(request, Json::object(), tags ? "tags" : "manifests", names,
                  [&](std::size_t at) { return items[at].dump(); });
}

/// The distribution protocol where the service does not do as others.
HttpReply FakeRegistry::Impl::serve_v2_of_acr(const HttpRequest& request) {
  const auto target = parse_target(request.path());
  if (target && !is_name(target->repository)) return page_not_found();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool is_content = target && (target->kind == "manifests" || target->kind == "blobs");
  if (reads && is_content && acr_withholds(target->repository, target->reference)) {
    return acr_error::locked();
  }
  if (target && target->kind == "manifests") {
    const bool by_digest = target->reference.find(':') != std::string::npos;
    if (request.method == "DELETE" && !by_digest) {
      return error_reply(405, "UNSUPPORTED", "A manifest can only be deleted by digest.");
    }
    const auto held = repositories.find(target->repository);
    if (request.method == "DELETE") {
      if (held == repositories.end()) return acr_error::name_unknown(target->repository);
      if (!held->second.manifests.contains(target->reference)) {
        return acr_error::manifest_unknown(target->repository, target->reference);
      }
      return acr_remove(target->repository, target->reference);
    }
    if (request.method == "PUT" && acr_records.contains(target->repository)) {
      const bool known =
          acr_records.contains(acr_key(target->repository, target->reference)) || by_digest;
      if (!acr_record(target->repository, {}).can_write ||
          (known && !acr_record(target->repository, target->reference).can_write)) {
        return acr_error::locked();
      }
    }
    if (reads && !by_digest && held != repositories.end() &&
        !held->second.tags.contains(target->reference)) {
      return json_reply(
          404, {{"errors", Json::array({{{"code", "MANIFEST_UNKNOWN"},
                                         {"message", "manifest tagged by \"" + target->reference +
                                                         "\" is not found"},
                                         {"detail", {{"Tag", target->reference}}}}})}});
    }
  }
  if (target && target->kind == "uploads") return serve_upload_of_acr(request, *target);
  HttpReply reply = serve_distribution(request);
  if (reply.status == 307) {
    reply.set_header("Content-Type", "text/html; charset=utf-8");
    reply.body = "<a href=\"" + reply.header("Location") + "\">Temporary Redirect</a>.\n\n";
  }
  return reply;
}

bool FakeRegistry::Impl::acr_may_mount(const HttpRequest& request) {
  if (behaviour.auth == RegistryBehaviour::Auth::none || is_user(request)) return true;
  const std::string authorization = request.header("Authorization");
  return authorization.starts_with("Bearer ") &&
         token_grants(authorization.substr(7), {"repository:" + request.query("from") + ":pull"});
}

/// A Location holds the offset at which it is good, and is another one after each answer.
HttpReply FakeRegistry::Impl::serve_upload_of_acr(const HttpRequest& asked, const Target& target) {
  HttpRequest request = asked;
  if (target.reference.empty() && !acr_may_mount(asked)) request.target = asked.path();
  const auto upload = uploads.find(target.reference);
  if (!target.reference.empty()) {
    if (upload == uploads.end()) {
      return error_reply(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    }
    const std::string state = request.query("_state");
    if (!state.starts_with("o" + std::to_string(upload->second.size()) + "n")) {
      return error_reply(404, "BLOB_UPLOAD_INVALID", "blob upload invalid");
    }
  }
  HttpReply reply = serve_distribution(request);
  const std::string location = reply.header("Location");
  const std::size_t at = location.find("/blobs/uploads/");
  if (at == std::string::npos) return reply;
  const std::string base = location.substr(0, location.find('?'));
  const std::string id = base.substr(at + 15);
  reply.set_header("Location", base + "?_nouploadcache=false&_state=o" +
                                   std::to_string(uploads[id].size()) + "n" +
                                   std::to_string(++numbers) + "%3D");
  reply.set_header("Docker-Upload-Uuid", id);
  return reply;
}

}  // namespace berth::test
