// SPDX-License-Identifier: Apache-2.0
#include "http/curl_library.hpp"

#include <dlfcn.h>

#include <string>

#include <fmt/format.h>

#include "berth/base/try.hpp"

namespace berth::http {
namespace {

constexpr const char* kFileName = "libcurl.so.4";  // OpenSSL's flavour in Debian
constexpr unsigned kOldest = 0x075800;             // 7.88, that of Debian 12

Error unusable(std::string_view why) {
  return Error(Errc::unsupported,
               fmt::format("berth needs libcurl 7.88 or newer to reach a registry, but {}; install "
                           "it (Debian: apt install libcurl4)",
                           why));
}

// One place for the cast that dlsym(3) makes everybody write.
template <class Function>
Result<void> bind(void* library, const char* name, Function& out) {
  void* symbol = ::dlsym(library, name);
  if (symbol == nullptr) return unusable(fmt::format("{} lacks {}", kFileName, name));
  out = reinterpret_cast<Function>(symbol);
  return {};
}

Result<CurlLibrary> load() {
  // Never closed: curl and OpenSSL below it register things that outlive any one use.
  void* library = ::dlopen(kFileName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    return unusable(why != nullptr ? why : "it cannot be loaded");
  }
  CurlLibrary curl;
  TRY(bind(library, "curl_global_init", curl.global_init));
  TRY(bind(library, "curl_version_info", curl.version_info));
  TRY(bind(library, "curl_easy_init", curl.easy_init));
  TRY(bind(library, "curl_easy_cleanup", curl.easy_cleanup));
  TRY(bind(library, "curl_easy_setopt", curl.easy_setopt));
  TRY(bind(library, "curl_easy_getinfo", curl.easy_getinfo));
  TRY(bind(library, "curl_easy_pause", curl.easy_pause));
  TRY(bind(library, "curl_easy_strerror", curl.easy_strerror));
  TRY(bind(library, "curl_slist_append", curl.slist_append));
  TRY(bind(library, "curl_slist_free_all", curl.slist_free_all));
  TRY(bind(library, "curl_multi_init", curl.multi_init));
  TRY(bind(library, "curl_multi_cleanup", curl.multi_cleanup));
  TRY(bind(library, "curl_multi_setopt", curl.multi_setopt));
  TRY(bind(library, "curl_multi_add_handle", curl.multi_add_handle));
  TRY(bind(library, "curl_multi_remove_handle", curl.multi_remove_handle));
  TRY(bind(library, "curl_multi_perform", curl.multi_perform));
  TRY(bind(library, "curl_multi_poll", curl.multi_poll));
  TRY(bind(library, "curl_multi_wakeup", curl.multi_wakeup));
  TRY(bind(library, "curl_multi_info_read", curl.multi_info_read));
  const curl_version_info_data* info = curl.version_info(CURLVERSION_NOW);
  if (info->version_num < kOldest) return unusable(fmt::format("{} is here", info->version));
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return unusable("it does not start");
  return curl;
}

}  // namespace

Result<const CurlLibrary*> curl_library() {
  static const Result<CurlLibrary>& library = *new Result<CurlLibrary>(load());
  if (!library) return library.error();
  return &*library;
}

}  // namespace berth::http
