// SPDX-License-Identifier: Apache-2.0
#include "content/acr_watch.hpp"

#include <algorithm>

#include "berth/auth/challenge.hpp"
#include "berth/base/try.hpp"
#include "berth/registry/quirks.hpp"

namespace berth::content {

bool is_acr_challenge(const http::Response& response) {
  if (response.status != 401) return false;
  if (!registry::quirks::is_azure_answer(response.headers)) return false;
  return std::ranges::any_of(
      response.headers.all("WWW-Authenticate"), [&](std::string_view header) {
        return std::ranges::any_of(
            auth::parse_challenges(header), [&](const auth::Challenge& challenge) {
              const auto realm = http::Url::parse(challenge.parameter("realm"));
              return challenge.scheme == "bearer" && realm &&
                     realm->origin() == response.url.origin() &&
                     realm->path_and_query() == "/oauth2/token";
            });
      });
}

Result<http::Response> AcrWatch::send(const http::Request& request, const Context& context) {
  http::Response response = TRY(next_.send(request, context));
  if (is_acr_challenge(response)) *flag(response.url.origin().text()) = true;
  return response;
}

std::shared_ptr<const std::atomic<bool>> AcrWatch::seen(const std::string& origin) {
  return flag(origin);
}

std::shared_ptr<std::atomic<bool>> AcrWatch::flag(const std::string& origin) {
  const MutexLock lock(mutex_);
  auto& flag = flags_[origin];
  if (flag == nullptr) flag = std::make_shared<std::atomic<bool>>(false);
  return flag;
}

}  // namespace berth::content
