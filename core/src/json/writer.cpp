// SPDX-License-Identifier: Apache-2.0
#include "berth/json/writer.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace berth::json {
namespace {

/// Escapes, UTF-8 and the shortest form of a double are the library's. The structure is not: its
/// ordered objects search all keys on each insertion.
std::string scalar(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

bool is_plain(std::string_view text) noexcept {
  return std::ranges::all_of(text,
                             [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

void append_string(std::string& out, const std::string& text) {
  if (is_plain(text)) {
    out.append("\"").append(text).append("\"");
  } else {
    out.append(scalar(text));
  }
}

}  // namespace

struct NodeWriter {
  std::string out;
  int indent;
  int depth = 0;

  void write(const Node& node) { std::visit(*this, node.value_); }

  void operator()(std::nullptr_t) { out.append("null"); }
  void operator()(bool value) { out.append(value ? "true" : "false"); }
  void operator()(std::int64_t value) { out.append(std::to_string(value)); }
  void operator()(std::uint64_t value) { out.append(std::to_string(value)); }
  void operator()(double value) { out.append(scalar(value)); }
  void operator()(const std::string& value) { append_string(out, value); }

  void operator()(const Node::Array& items) {
    write_all('[', items, ']', [this](const Node& item) { write(item); });
  }

  void operator()(const Node::Object& members) {
    write_all('{', members, '}', [this](const auto& member) {
      append_string(out, member.first);
      out.append(indent < 0 ? ":" : ": ");
      write(member.second);
    });
  }

  template <class Items, class WriteOne>
  void write_all(char open, const Items& items, char close, WriteOne write_one) {
    out.push_back(open);
    ++depth;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out.push_back(',');
      first = false;
      new_line();
      write_one(item);
    }
    --depth;
    if (!first) new_line();
    out.push_back(close);
  }

  void new_line() {
    if (indent < 0) return;
    out.push_back('\n');
    out.append(static_cast<std::size_t>(indent) * static_cast<std::size_t>(depth), ' ');
  }
};

void Node::set(std::string key, Node value) {
  std::get<Object>(value_).emplace_back(std::move(key), std::move(value));
}

void Node::push_back(Node value) { std::get<Array>(value_).push_back(std::move(value)); }

std::string Node::to_text(int indent) const {
  NodeWriter writer{.out = {}, .indent = indent};
  writer.write(*this);
  return std::move(writer.out);
}

}  // namespace berth::json
