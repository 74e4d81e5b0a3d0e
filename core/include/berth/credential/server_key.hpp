// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "berth/base/result.hpp"

namespace berth::credential {

/// What tools call a registry when they ask a credential helper, in one form. docker sends
/// "host:port" and "https://index.docker.io/v1/", crane "host/repository", nerdctl
/// "https://host:443", others "http://host/v2/".
struct ServerKey {
  std::string host;  ///< lower case; with its port unless it is 443 (or the scheme's own); Docker
                     ///< Hub's names are "docker.io"
  std::string path;  ///< "library/hello-world"; "" for the whole host
  bool is_url = false;  ///< it had a scheme: then a path is a name of its own, not a repository

  std::string text() const;  ///< "host" or "host/path"
  /// What docker asks a helper for: text(), or Docker Hub's historical URL.
  std::string server_url() const;
  /// Names under which a credential for this one may be kept, longest first: host/ns/repository,
  /// host/ns, host; of a URL with a path itself alone.
  std::vector<std::string> candidates() const;
  friend bool operator==(const ServerKey&, const ServerKey&) = default;
};

/// Errc::invalid_argument, naming what is wrong, for: control characters (a line break would ask
/// another helper for somebody else's secret, CVE-2020-5260), a scheme other than http and https, a
/// user name before an @, no host, and more than 2048 bytes. Query and fragment are dropped, white
/// space around it too. The empty text has no host.
Result<ServerKey> parse_server_key(std::string_view text);

/// For who only asks: nullopt where no registry can have such a host (a dot at its end, a port
/// beyond 65535, not ASCII), and so nobody has a credential for it. Errors as above.
Result<std::optional<ServerKey>> parse_asked_key(std::string_view text);

/// Control characters of ASCII, DEL included.
bool has_control(std::string_view text) noexcept;

}  // namespace berth::credential
