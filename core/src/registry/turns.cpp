// SPDX-License-Identifier: Apache-2.0
#include "registry/turns.hpp"

#include "berth/base/try.hpp"

namespace berth::registry {

Turns::Turn::~Turn() {
  if (turns_ == nullptr) return;
  const MutexLock lock(turns_->mutex_);
  turns_->taken_.erase(name_);
  turns_->changed_.notify_all();
}

Result<Turns::Turn> Turns::take(const std::string& name, const Context& context) {
  const MutexLock lock(mutex_);
  while (taken_.contains(name)) {
    TRY(context.check());
    changed_.wait(mutex_, context);
  }
  taken_.insert(name);
  return Turn(*this, name);
}

}  // namespace berth::registry
