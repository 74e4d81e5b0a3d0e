// SPDX-License-Identifier: Apache-2.0
#include "error_number.hpp"

#include <cerrno>

namespace berth::fuse {

// Two choices need a reason.
//
// Never EAGAIN: it is what "ask again" means to a person, but read(2) may give it only for
// non-blocking descriptors, and programs believe that: python's FileIO.read() answers None and its
// buffered reader then ends early without an error. A file cut short in silence is what berth
// exists to prevent. So a rate limit is EBUSY.
//
// EHOSTDOWN for a registry that cannot be reached: of the network's errors it is the one whose text
// ("Host is down") is true for a refused connection, a name that does not resolve, a 503 and
// offline alike. EHOSTUNREACH and ENETUNREACH send people to look at routes.
int error_number(const Error& error) noexcept {
  switch (error.code()) {
    case Errc::invalid_argument:
      return EINVAL;
    case Errc::not_found:
      return ENOENT;
    case Errc::unauthenticated:
      return EACCES;
    case Errc::denied:
      // What no right would help against: EACCES sends people to look for rights.
      if (error.sys_errno() == EPERM || error.sys_errno() == EROFS) return error.sys_errno();
      return EACCES;
    case Errc::conflict:
    case Errc::rate_limited:
      return EBUSY;
    case Errc::too_large:
      return EFBIG;
    case Errc::unavailable:
      return EHOSTDOWN;
    case Errc::timeout:
      return ETIMEDOUT;
    case Errc::cancelled:
      return EINTR;
    case Errc::no_space:
      return ENOSPC;
    case Errc::unsupported:
      return EOPNOTSUPP;
    case Errc::untrusted:
      return EPROTO;
    case Errc::digest_mismatch:
    case Errc::io:
    case Errc::corrupt:
    case Errc::would_block:  // is answered by a thread that waits; to see it here is a defect
    case Errc::internal:
      return EIO;
  }
  return EIO;
}

}  // namespace berth::fuse
