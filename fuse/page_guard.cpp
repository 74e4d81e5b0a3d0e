// SPDX-License-Identifier: Apache-2.0
#include "page_guard.hpp"

namespace berth::fuse {

PageGuard::Ticket PageGuard::opened(Ino ino, bool verified, const std::optional<Digest>& digest) {
  MutexLock lock(mutex_);
  const auto place = suspects_.find(ino);
  if (verified) {
    if (place == suspects_.end()) return {.ino = ino, .verified = true, .keep_pages = true};
    return {.ino = ino, .verified = true, .generation = place->second.generation};
  }
  Suspect& suspect = suspects_[ino];
  ++suspect.open;
  ++suspect.generation;
  suspect.digest = digest;
  return {.ino = ino, .generation = suspect.generation};
}

void PageGuard::read(Ticket& ticket) {
  if (!ticket.verified) return;
  MutexLock lock(mutex_);
  if (ticket.keep_pages) return;
  // An open without FOPEN_KEEP_CACHE drops the pages only when the kernel has seen the answer, and
  // another thread's open may be answered before that: hence not in opened(), but at the first
  // read.
  ticket.keep_pages = true;
  const auto place = suspects_.find(ticket.ino);
  if (place == suspects_.end()) return;
  if (place->second.open == 0 && place->second.generation == ticket.generation) {
    suspects_.erase(place);
  }
}

void PageGuard::closed(const Ticket& ticket, bool settled) {
  if (ticket.verified) return;
  MutexLock lock(mutex_);
  const auto place = suspects_.find(ticket.ino);
  if (place == suspects_.end() || place->second.open == 0) return;
  Suspect& suspect = place->second;
  --suspect.open;
  if (!settled) suspect.unsettled = true;
  if (suspect.open == 0 && !suspect.unsettled) suspects_.erase(place);
}

void PageGuard::forgotten(Ino ino) {
  MutexLock lock(mutex_);
  suspects_.erase(ino);
}

std::vector<Ino> PageGuard::suspects(const Digest& digest) const {
  MutexLock lock(mutex_);
  std::vector<Ino> found;
  for (const auto& [ino, suspect] : suspects_) {
    if (!suspect.digest || *suspect.digest == digest) found.push_back(ino);
  }
  return found;
}

}  // namespace berth::fuse
