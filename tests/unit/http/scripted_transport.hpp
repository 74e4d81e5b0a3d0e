// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "berth/http/transport.hpp"

namespace berth::http {

/// One piece of a scripted body: bytes, or the error that ends it.
struct ScriptedBody final : Body {
  std::deque<Result<std::string>> pieces;
  std::string in_hand;

  Result<ByteView> next(const Context& context) override {
    if (auto ok = context.check(); !ok) return std::move(ok).error();
    if (pieces.empty()) return ByteView{};
    Result<std::string> piece = std::move(pieces.front());
    pieces.pop_front();
    if (!piece) return std::move(piece).error();
    in_hand = *std::move(piece);
    return as_bytes(in_hand);
  }
};

inline Error broken() { return Error(Errc::unavailable, "the connection broke"); }

inline Response make_response(int status, std::vector<std::pair<std::string, std::string>> headers,
                              std::string body = {}) {
  Response response;
  response.status = status;
  for (auto& [name, value] : headers) response.headers.add(name, value);
  response.headers.set("Content-Length", std::to_string(body.size()));
  response.body = make_string_body(std::move(body));
  response.url = *Url::parse("https://registry.example/v2/");
  return response;
}

/// Answers by a function, and remembers what it was asked.
class ScriptedTransport final : public Transport {
 public:
  using Handler = std::function<Result<Response>(const Request&)>;
  explicit ScriptedTransport(Handler handler)
      : handler_(std::move(handler)) {}

  Result<Response> send(const Request& request, const Context& context) override {
    if (auto ok = context.check(); !ok) return std::move(ok).error();
    asked.push_back(request);
    Result<Response> answer = handler_(request);
    if (answer) answer->url = request.url;
    return answer;
  }

  std::vector<Request> asked;

 private:
  Handler handler_;
};

/// Gives these answers one after another; the last again and again.
inline ScriptedTransport::Handler in_order(std::vector<std::function<Result<Response>()>> answers) {
  return [answers = std::move(answers), at = std::size_t{0}](const Request&) mutable {
    const std::size_t now = at;
    if (at + 1 < answers.size()) ++at;
    return answers[now]();
  };
}

}  // namespace berth::http
