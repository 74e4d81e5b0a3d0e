// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "berth/acr/client.hpp"
#include "berth/acr/content_client.hpp"
#include "berth/base/error.hpp"

/// What berth gives, in the SDK's names. What is empty in berth is undefined there: left out.
namespace berth::probe {

using Json = nlohmann::ordered_json;

Json to_json(const std::string& text);
Json to_json(const Json& json);
Json to_json(const acr::ContainerRepositoryProperties& properties);
Json to_json(const acr::ArtifactTagProperties& properties);
Json to_json(const acr::ArtifactManifestProperties& properties);
/// An element of a list: there the SDK lets `signed` through, which it drops of a single tag.
template <class T>
Json item_to_json(const T& item) {
  return to_json(item);
}
template <>
Json item_to_json(const acr::ArtifactTagProperties& properties);
Json to_json(const acr::DeletedRepository& deleted);  ///< null: the SDK drops it
Json to_json(const acr::UploadBlobResult& result);
Json to_json(const acr::SetManifestResult& result);
Json to_json(const acr::GetManifestResult& result);

acr::ChangeableProperties changes_in(const Json& command);
Json error_to_json(const Error& error);

template <class T>
Result<Json> list_to_json(acr::Paged<T> list, bool by_page) {
  Json all = Json::array();
  if (!by_page) {
    for (auto& item : list) {
      if (!item) return item.error();
      all.push_back(item_to_json(*item));
    }
    return Json{{"items", all}};
  }
  for (auto& page : list.by_page()) {
    if (!page) return page.error();
    Json items = Json::array();
    for (const T& item : page->items) items.push_back(item_to_json(item));
    Json out{{"items", items}};
    if (!page->continuation_token.empty()) out["continuationToken"] = page->continuation_token;
    all.push_back(std::move(out));
  }
  return Json{{"pages", all}};
}

}  // namespace berth::probe
