// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "berth/base/sync.hpp"
#include "berth/http/transport.hpp"

namespace berth::content {

/// Tells Azure container registries from others by what they answer anyway, so that nobody is asked
/// a question for it: their 401 bears a correlation id and sends for tokens to /oauth2/token, in
/// the registry's own name. A transport around another. Thread safe.
class AcrWatch final : public http::Transport {
 public:
  /// `next` must outlive this.
  explicit AcrWatch(http::Transport& next)
      : next_(next) {}

  Result<http::Response> send(const http::Request& request, const Context& context) override;
  /// Becomes true when the registry at this origin ("https://R:443") was seen to be one.
  std::shared_ptr<const std::atomic<bool>> seen(const std::string& origin);

 private:
  std::shared_ptr<std::atomic<bool>> flag(const std::string& origin);

  http::Transport& next_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> flags_ BERTH_GUARDED_BY(mutex_);
};

/// Is this 401 the answer of an Azure container registry? Pure.
bool is_acr_challenge(const http::Response& response);

}  // namespace berth::content
