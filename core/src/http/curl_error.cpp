// SPDX-License-Identifier: Apache-2.0
#include "http/curl_error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {
namespace {

struct Explained {
  Errc code;
  std::string why;
  int sys_errno = 0;
};

bool says(std::string_view detail, std::initializer_list<std::string_view> words) {
  const std::string lower = text::to_lower(detail);
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

// A handshake fails for reasons of trust, or because the network broke in the middle of it; curl
// has one code for both, and OpenSSL's words tell them apart.
bool is_broken_connection(std::string_view detail) {
  return says(detail, {"ssl_error_syscall", "reset by peer", "broken pipe", "unexpected eof",
                       "connection was closed", "connection timed out"});
}

Explained explain_certificate(const TransferEnd& end, const Url& url) {
  return {Errc::untrusted,
          fmt::format("the certificate of {} is not trusted ({}); if it is signed by an authority "
                      "of your own, name that authority's PEM file (--ca-file, -o ca_file=, or "
                      "ca_file in berth's configuration)",
                      url.origin().host, end.detail)};
}

Explained explain_handshake(const TransferEnd& end, const Url& url) {
  if (is_broken_connection(end.detail)) {
    return {Errc::unavailable,
            fmt::format("the connection broke in the TLS handshake ({})", end.detail)};
  }
  if (says(end.detail, {"wrong version number", "packet length too long", "http request"})) {
    return {Errc::untrusted,
            fmt::format("{} does not speak TLS at this port ({}); if it is meant to be plain http, "
                        "ask for that by name",
                        url.origin().text(), end.detail),
            EPROTO};
  }
  return {Errc::untrusted,
          fmt::format("no TLS connection to {} ({})", url.origin().host, end.detail)};
}

Explained explain_local_tls(const TransferEnd& end) {
  return {
      Errc::untrusted,
      fmt::format("the client certificate or its key cannot be used ({}); both must be PEM and "
                  "belong together, or be one PKCS#12 file, and what is encrypted needs its "
                  "right password (--key-password-file), or to be decrypted first (openssl pkey)",
                  end.detail)};
}

Explained explain_receive(const TransferEnd& end, const Url& url, bool in_body) {
  // With TLS 1.3 a server tells only after the handshake that it wants another client certificate.
  if (says(end.detail, {"alert"}) && says(end.detail, {"certificate", "unknown ca"})) {
    return {Errc::untrusted,
            fmt::format("{} refused the TLS connection ({}); it asks for a client certificate that "
                        "it knows",
                        url.origin().host, end.detail)};
  }
  const char* when = in_body ? "in the middle of the body" : "before an answer came";
  std::string why = fmt::format("the connection broke {} ({})", when, end.detail);
  if (!in_body && url.origin().scheme == "https" && says(end.detail, {"getpeername", "reset"})) {
    // The word of a server that closes at once is lost when its reset overtakes it.
    why += "; a server that misses a client certificate may end a connection like this";
  }
  return {Errc::unavailable, std::move(why)};
}

Explained explain_verdict(const TransferEnd& end, const Url& url) {
  switch (end.verdict) {
    case Verdict::headers_too_large:
      return {Errc::too_large, fmt::format("the headers of the answer are larger than {}",
                                           text::format_size(limits::kHeaderBytes))};
    case Verdict::address_refused:
      return {Errc::untrusted,
              fmt::format("the name {} leads to an address that berth does not follow a server's "
                          "word to (loopback, link-local or private)",
                          url.origin().host)};
    case Verdict::certificate_refused:
      return {
          Errc::untrusted,
          fmt::format("the certificate of {} is not the one that it must have: nothing was sent",
                      url.origin().text())};
    case Verdict::stalled:
      return {Errc::unavailable, "no byte came for too long; the transfer was broken off"};
    case Verdict::out_of_memory:
      return {Errc::internal, "out of memory"};
    default:
      return {Errc::cancelled, "the network client was shut down"};
  }
}

// A proxy that answers CONNECT with anything but 200 has its status in curl's words alone.
std::optional<Explained> explain_tunnel(const TransferEnd& end, const Url& url,
                                        std::string_view proxy) {
  constexpr std::string_view kWords = "CONNECT tunnel failed, response ";
  const std::size_t at = end.detail.find(kWords);
  if (proxy.empty() || at == std::string::npos) return std::nullopt;
  const auto status = text::parse_unsigned(std::string_view(end.detail).substr(at + kWords.size()));
  if (!status) return std::nullopt;
  if (*status == 407) {
    return Explained{Errc::denied,
                     fmt::format("the proxy {} asks for a login, or refused it (HTTP 407): give it "
                                 "in https_proxy, as http://user:password@host:port",
                                 proxy)};
  }
  if (*status < 500) {
    return Explained{Errc::denied,
                     fmt::format("the proxy {} does not open a way to {} (HTTP {}): ask whoever "
                                 "runs it, or name the host in no_proxy",
                                 proxy, url.origin().text(), *status)};
  }
  return Explained{
      Errc::unavailable,
      fmt::format("the proxy {} cannot reach {} (HTTP {})", proxy, url.origin().text(), *status),
      EHOSTUNREACH};
}

Explained explain(const TransferEnd& end, const Url& url, bool in_body) {
  if (end.verdict != Verdict::none) return explain_verdict(end, url);
  switch (end.curl_code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Errc::unavailable,
              fmt::format("the name {} cannot be resolved; look at its spelling and at DNS",
                          url.origin().host),
              EHOSTUNREACH};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Errc::unavailable,
              fmt::format("the proxy's name cannot be resolved ({})", end.detail), EHOSTUNREACH};
    case CURLE_COULDNT_CONNECT:
      return {Errc::unavailable,
              fmt::format("cannot connect; look whether it runs, at the port, and at the firewalls "
                          "between ({})",
                          end.detail),
              ECONNREFUSED};
    case CURLE_OPERATION_TIMEDOUT:
      return {Errc::unavailable, fmt::format("no connection in time ({})", end.detail), ETIMEDOUT};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return explain_certificate(end, url);
    case CURLE_SSL_CONNECT_ERROR:
      return explain_handshake(end, url);
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::untrusted,
              fmt::format("the certificates to trust cannot be read ({})", end.detail)};
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
      return explain_local_tls(end);
    case CURLE_PARTIAL_FILE:
      return {Errc::unavailable, fmt::format("the body was cut short ({})", end.detail)};
    case CURLE_GOT_NOTHING:
      return {Errc::unavailable, "the server closed the connection without an answer"};
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      if (says(end.detail, {"too large response headers"})) {
        return explain_verdict({.verdict = Verdict::headers_too_large, .detail = {}}, url);
      }
      return explain_receive(end, url, in_body);
    case CURLE_OUT_OF_MEMORY:
    case 100:  // CURLE_TOO_LARGE of newer ones
      // One header line beyond curl's own limit looks like this.
      if (!in_body)
        return explain_verdict({.verdict = Verdict::headers_too_large, .detail = {}}, url);
      return explain_verdict({.verdict = Verdict::out_of_memory, .detail = {}}, url);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      return {Errc::corrupt, fmt::format("the answer is not HTTP ({})", end.detail)};
    default:
      return {Errc::unavailable, fmt::format("the transfer failed ({})", end.detail)};
  }
}

}  // namespace

Error error_of(const TransferEnd& end, std::string_view method, const Url& url, bool in_body,
               std::string_view proxy) {
  auto refused = end.verdict == Verdict::none ? explain_tunnel(end, url, proxy) : std::nullopt;
  const Explained explained = refused ? *std::move(refused) : explain(end, url, in_body);
  Error error(explained.code, fmt::format("{} {}: {}", method, url.redacted(), explained.why));
  // Who tries another scheme tells "nobody is there" and "it answered without TLS" from other
  // failures by it, and reached_nobody() what befalls the next question too.
  return std::move(error).with_sys_errno(explained.sys_errno);
}

}  // namespace berth::http
