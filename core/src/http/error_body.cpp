// SPDX-License-Identifier: Apache-2.0
#include "http/error_body.hpp"

#include <cstddef>
#include <cstdint>

#include "berth/base/text.hpp"

// This layer may not use the JSON library of the layers above; three keys of a small, foreign text
// do not need it either. Any malformed input ends the reading and keeps what was found.
namespace berth::http {
namespace {

constexpr std::size_t kLongest = 1024;
constexpr int kDeepest = 32;

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xe0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

class Scanner {
 public:
  explicit Scanner(std::string_view text)
      : rest_(text) {}

  char peek() {
    while (!rest_.empty() && std::string_view(" \t\r\n").find(rest_[0]) != std::string_view::npos) {
      rest_.remove_prefix(1);
    }
    return rest_.empty() ? '\0' : rest_[0];
  }

  bool take(char wanted) {
    if (peek() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool string(std::string& out) {
    out.clear();
    if (!take('"')) return false;
    while (!rest_.empty() && rest_[0] != '"') {
      if (rest_[0] == '\\' ? !escape(out) : !plain(out)) return false;
    }
    return take('"');
  }

  // Calls `on_key(key)` with the scanner before each value; it must read or skip the value.
  template <class F>
  bool object(F on_key) {
    if (!take('{')) return false;
    if (take('}')) return true;
    do {
      std::string key;
      if (!string(key) || !take(':') || !on_key(key)) return false;
    } while (take(','));
    return take('}');
  }

  bool skip(int depth = 0) {
    std::string ignored;
    if (depth > kDeepest) return false;
    if (peek() == '"') return string(ignored);
    if (peek() == '{') {
      return object([&](const std::string&) { return skip(depth + 1); });
    }
    if (take('[')) {
      if (take(']')) return true;
      do {
        if (!skip(depth + 1)) return false;
      } while (take(','));
      return take(']');
    }
    const std::size_t end = rest_.find_first_of(",]} \t\r\n");
    if (end == 0 || rest_.empty()) return false;
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end);
    return true;
  }

  // The text of a value of any type; one that is too long is worth nothing when cut.
  bool raw(std::string& out) {
    peek();
    const std::string_view from = rest_;
    if (!skip()) return false;
    const std::string_view text = from.substr(0, from.size() - rest_.size());
    if (text.size() <= kLongest && text != "null") out = text;
    return true;
  }

  // A string is kept, anything else is skipped.
  bool string_or_skip(std::string& out) { return peek() == '"' ? string(out) : skip(); }

 private:
  bool plain(std::string& out) {
    if (out.size() < kLongest) out += rest_[0];
    rest_.remove_prefix(1);
    return true;
  }

  bool escape(std::string& out) {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    rest_.remove_prefix(2);
    if (c == 'u') return unicode(out);
    constexpr std::string_view kFrom = "nrtbf";
    constexpr std::string_view kTo = "\n\r\t\b\f";
    const std::size_t at = kFrom.find(c);
    if (out.size() < kLongest) out += at == std::string_view::npos ? c : kTo[at];
    return true;
  }

  // Halves of surrogate pairs become replacement characters: nobody reads an emoji for its meaning.
  bool unicode(std::string& out) {
    if (rest_.size() < 4) return false;
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const std::size_t digit =
          std::string_view("0123456789abcdef").find(text::to_lower(rest_.substr(0, 1)));
      if (digit == std::string_view::npos) return false;
      code = code * 16 + static_cast<std::uint32_t>(digit);
      rest_.remove_prefix(1);
    }
    if (code >= 0xd800 && code < 0xe000) code = 0xfffd;
    if (out.size() < kLongest) append_utf8(out, code);
    return true;
  }

  std::string_view rest_;
};

bool read_entry(Scanner& scan, RegistryError& out) {
  return scan.object([&](const std::string& key) {
    if (key == "code") return scan.string_or_skip(out.code);
    if (key == "message") return scan.string_or_skip(out.message);
    if (key == "detail") return scan.raw(out.detail);
    return scan.skip();
  });
}

bool read_list(Scanner& scan, RegistryError& out) {
  if (!scan.take('[')) return scan.skip();
  if (scan.peek() == '{' && !read_entry(scan, out)) return false;
  // The others are not looked at: registries that send several repeat themselves.
  while (scan.take(',')) {
    if (!scan.skip()) return false;
  }
  return scan.take(']');
}

}  // namespace

RegistryError parse_error_body(std::string_view body) {
  RegistryError listed;
  RegistryError plain;
  Scanner scan(body);
  (void)scan.object([&](const std::string& key) {
    if (key == "errors") return read_list(scan, listed);
    if (key == "error" && scan.peek() == '{') return read_entry(scan, plain);
    if (key == "error") return scan.string_or_skip(plain.code);
    if (key == "message" || key == "error_description" || key == "details") {
      return scan.string_or_skip(plain.message);
    }
    return scan.skip();
  });
  return listed.code.empty() && listed.message.empty() ? plain : listed;
}

}  // namespace berth::http
