// SPDX-License-Identifier: Apache-2.0
#include "support/loopback_listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace berth::test {

LoopbackListener::LoopbackListener()
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  ::bind(fd_.get(), generic, size);
  ::listen(fd_.get(), 4);
  ::getsockname(fd_.get(), generic, &size);
  port_ = ::ntohs(address.sin_port);
}

}  // namespace berth::test
