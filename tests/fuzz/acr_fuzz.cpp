// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "berth/acr/purge.hpp"
#include "berth/acr/timestamp.hpp"

#include "acr/filter.hpp"
#include "acr/parse.hpp"
#include "fuzz/fuzz.hpp"

using berth::acr::Timestamp;
using berth::fuzz::require;

namespace {

void check_time(std::string_view text) {
  const auto time = Timestamp::parse(text);
  if (!time) return;
  const auto again = Timestamp::parse(time->text());
  require(again && *again == *time);
}

void check_filter(std::string_view text) {
  const auto filter = berth::acr::split_filter(text);
  if (!filter) return;
  require(filter->repository + ":" + filter->tag == text);
  const auto regex = berth::acr::Regex::compile(filter->tag);
  if (regex) (void)regex->matches("v1.2.3-aaaaaaaaaaaaaaaa");
}

template <class T>
void check_single(const berth::Result<T>& properties) {
  if (!properties) return;
  check_time(properties->created_on.text());
  check_time(properties->last_updated_on.text());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = berth::fuzz::as_text(data, size);
  check_time(text);
  check_filter(text);
  const auto ago = berth::acr::parse_ago(text);
  require(!ago || ago->count() >= 0);
  check_single(berth::acr::parse_repository(text));
  check_single(berth::acr::parse_tag(text));
  check_single(berth::acr::parse_manifest(text));
  (void)berth::acr::parse_deleted_repository(text);
  (void)berth::acr::parse_names(text);
  (void)berth::acr::parse_tags(text);
  (void)berth::acr::parse_manifests(text);
  (void)berth::acr::parse_deleted_manifests(text);
  (void)berth::acr::parse_deleted_tags(text);
  return 0;
}
