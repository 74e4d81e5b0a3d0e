// SPDX-License-Identifier: Apache-2.0
#include "support/fault.hpp"

#include <stdexcept>

#include <nlohmann/json.hpp>

namespace berth::test {
namespace fault {
namespace {

/// A fault that changes the usual answer.
template <class Change>
Fault changed(Change change) {
  return [change](HttpRequest request, const HttpServer::Handler& usual) {
    HttpReply reply = usual(request);
    change(reply);
    return reply;
  };
}

/// The body as the reply's own string, so that it can be changed.
std::string& own_body(HttpReply& reply) {
  reply.body = std::string(reply.body_view());
  reply.shared_body = nullptr;
  return reply.body;
}

}  // namespace

Fault status(int status, std::string body, HttpFields headers) {
  return [=](const HttpRequest&, const HttpServer::Handler&) {
    return HttpReply{.status = status, .headers = headers, .body = body};
  };
}

Fault error(int status, const std::string& code, const std::string& message) {
  const nlohmann::json list{{"errors", {{{"code", code}, {"message", message}}}}};
  return fault::status(status, list.dump(), {{"Content-Type", "application/json"}});
}

Fault too_many_requests(std::string retry_after) {
  HttpFields headers;
  if (!retry_after.empty()) headers.emplace_back("Retry-After", std::move(retry_after));
  return status(429, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]})", headers);
}

Fault cut(std::uint64_t at, bool with_reset) {
  return changed([=](HttpReply& reply) {
    reply.cut_at = at;
    reply.cut_with_reset = with_reset;
  });
}

Fault drop(bool with_reset) {
  return changed([=](HttpReply& reply) {
    reply.cut_before_status = true;
    reply.cut_with_reset = with_reset;
  });
}

Fault longer(std::string more) {
  return changed([=](HttpReply& reply) {
    own_body(reply) += more;
    reply.remove_header("Content-Length");
  });
}

Fault extra_bytes(std::string more) {
  return changed([=](HttpReply& reply) { reply.extra = more; });
}

Fault claim_length(std::uint64_t length) {
  return changed([=](HttpReply& reply) {
    reply.remove_header("Content-Length");
    reply.claimed_length = length;
  });
}

Fault flip_byte(std::uint64_t at) {
  return changed([=](HttpReply& reply) {
    std::string& body = own_body(reply);
    if (at < body.size()) body[at] = static_cast<char>(body[at] ^ 1);
  });
}

Fault body(std::string content) {
  return changed([=](HttpReply& reply) {
    own_body(reply) = content;
    reply.remove_header("Content-Length");
  });
}

Fault header(std::string name, std::string value) {
  return changed([=](HttpReply& reply) { reply.set_header(name, value); });
}

Fault without_header(std::string name) {
  return changed([=](HttpReply& reply) { reply.remove_header(name); });
}

Fault stall_head(std::shared_ptr<Gate> gate) {
  return changed([=](HttpReply& reply) { reply.before = gate; });
}

Fault stall_body(std::shared_ptr<Gate> gate, std::uint64_t at) {
  return changed([=](HttpReply& reply) {
    reply.gate = gate;
    reply.gate_at = at;
  });
}

Fault ignore_range() {
  return [](HttpRequest request, const HttpServer::Handler& usual) {
    std::erase_if(request.headers, [](const auto& field) { return field.first == "Range"; });
    return usual(request);
  };
}

Fault shift_content_range(std::int64_t by) {
  return changed([=](HttpReply& reply) {
    const std::string range = reply.header("Content-Range");  // "bytes 5-9/10"
    if (range.empty()) return;
    const auto dash = range.find('-');
    const auto slash = range.find('/');
    const auto first = std::stoll(range.substr(6, dash - 6)) + by;
    const auto last = std::stoll(range.substr(dash + 1, slash - dash - 1)) + by;
    reply.set_header("Content-Range", "bytes " + std::to_string(first) + "-" +
                                          std::to_string(last) + range.substr(slash));
  });
}

Fault redirect(std::string location, int status) {
  return fault::status(status, {}, {{"Location", std::move(location)}});
}

Fault rewrite_location(std::string origin) {
  return changed(
      [=](HttpReply& reply) { reply.set_header("Location", origin + reply.header("Location")); });
}

Fault challenge(std::string www_authenticate) {
  HttpFields headers{{"Content-Type", "application/json"}};
  if (!www_authenticate.empty()) {
    headers.emplace_back("WWW-Authenticate", std::move(www_authenticate));
  }
  return status(401, R"({"errors":[{"code":"UNAUTHORIZED","message":"scripted"}]})", headers);
}

Fault link(const std::string& url) { return header("Link", "<" + url + ">; rel=\"next\""); }

Fault latency(std::chrono::milliseconds time) {
  return changed([=](HttpReply& reply) { reply.latency = time; });
}

Fault framing(HttpReply::Framing framing) {
  return changed([=](HttpReply& reply) { reply.framing = framing; });
}

namespace {

Fault action_of(const nlohmann::json& entry) {
  const auto text = [&](const char* key) { return entry.value(key, std::string()); };
  const auto number = [&](const char* key) { return entry.value(key, std::uint64_t{0}); };
  const bool reset = entry.value("reset", true);
  const std::string action = entry.at("action");
  if (action == "status") {
    HttpFields headers;
    const auto fields = entry.value("headers", nlohmann::json::object());
    for (const auto& [name, value] : fields.items()) {
      headers.emplace_back(name, value.get<std::string>());
    }
    return status(entry.at("status"), text("body"), headers);
  }
  if (action == "error") return error(entry.at("status"), text("code"), text("message"));
  if (action == "too_many_requests") return too_many_requests(text("retry_after"));
  if (action == "cut") return cut(number("at"), reset);
  if (action == "drop") return drop(reset);
  if (action == "longer") return longer(entry.value("more", "unexpected"));
  if (action == "extra_bytes") return extra_bytes(entry.value("more", "unexpected"));
  if (action == "claim_length") return claim_length(number("length"));
  if (action == "flip_byte") return flip_byte(number("at"));
  if (action == "body") return body(text("body"));
  if (action == "header") return header(entry.at("name"), text("value"));
  if (action == "without_header") return without_header(entry.at("name"));
  if (action == "stall_head") return stall_head(std::make_shared<Gate>());
  if (action == "stall_body") return stall_body(std::make_shared<Gate>(), number("at"));
  if (action == "ignore_range") return ignore_range();
  if (action == "shift_content_range") {
    return shift_content_range(entry.value("by", std::int64_t{1}));
  }
  if (action == "redirect") return redirect(entry.at("location"), entry.value("status", 307));
  if (action == "challenge") return challenge(text("www_authenticate"));
  if (action == "link") return link(entry.at("url"));
  if (action == "latency") return latency(std::chrono::milliseconds(number("milliseconds")));
  if (action == "chunked") return framing(HttpReply::Framing::chunked);
  if (action == "until_close") return framing(HttpReply::Framing::until_close);
  throw std::runtime_error("unknown fault: " + action);
}

}  // namespace

std::vector<Script> parse_script(const std::string& json) {
  std::vector<Script> scripts;
  for (const auto& entry : nlohmann::json::parse(json)) {
    FaultMatch match;
    match.method = entry.value("method", match.method);
    match.target = entry.value("target", match.target);
    match.from = entry.value("from", match.from);
    match.times = entry.value("times", match.times);
    const std::string server = entry.value("server", "registry");
    if (server != "registry" && server != "tokens" && server != "storage") {
      throw std::runtime_error("a fault of an unknown server: " + server);
    }
    scripts.push_back({match, action_of(entry), server});
  }
  return scripts;
}

}  // namespace fault

HttpReply FaultList::answer(const HttpRequest& request, const HttpServer::Handler& usual) {
  const std::optional<Fault> taken = take(request);
  return taken ? (*taken)(request, usual) : usual(request);
}

}  // namespace berth::test
