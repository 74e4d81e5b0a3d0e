// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

namespace berth {

// How many files a process may have open (RLIMIT_NOFILE). The soft limit is often 1024 for the sake
// of old programs, which use select(2) or close every descriptor that there could be; berth is none
// of them, but may start one. Thread safe.

/// Lets this process open as many files as the administrator allows: the soft limit becomes the
/// hard one. Without effect where that is refused. Programs that are started by run_process() get
/// the old limit.
void raise_open_file_limit() noexcept;

/// Back to the limit before raise_open_file_limit(), for what replaces this process by exec(2).
void restore_open_file_limit() noexcept;

/// Runs `start`, which starts a program, with the old limit in force, for the program to inherit:
/// there is no other way to give one to posix_spawn(3). `lowest_free`: about the number of
/// descriptors in use. Where they are near the old limit, so that other threads might miss one
/// meanwhile, the program gets the raised limit.
int start_with_original_file_limit(int lowest_free, const std::function<int()>& start);

}  // namespace berth
