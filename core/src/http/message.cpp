// SPDX-License-Identifier: Apache-2.0
#include "berth/http/message.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/http/limits.hpp"

namespace berth::http {
namespace {

class StringBody final : public Body {
 public:
  explicit StringBody(std::string bytes)
      : bytes_(std::move(bytes)) {}

  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    const std::size_t size = std::min(bytes_.size() - given_, kBlock);
    const ByteView block = as_bytes(bytes_).subspan(given_, size);
    given_ += size;
    return block;
  }

 private:
  static constexpr std::size_t kBlock = std::size_t{512} * 1024;  // what Body::next promises
  std::string bytes_;
  std::size_t given_ = 0;
};

class BytesSource final : public BodySource {
 public:
  explicit BytesSource(ByteView bytes)
      : bytes_(bytes) {}

  std::optional<std::uint64_t> size() const override { return bytes_.size(); }
  Result<void> rewind() override {
    given_ = 0;
    return {};
  }
  Result<ByteView> next(const Context& context) override {
    TRY(context.check());
    const ByteView block = bytes_.subspan(given_, std::min(bytes_.size() - given_, kBlock));
    given_ += block.size();
    return block;
  }

 private:
  static constexpr std::size_t kBlock = std::size_t{256} * 1024;
  const ByteView bytes_;
  std::size_t given_ = 0;
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
  const auto number = text::parse_unsigned(text);
  return number ? std::optional<std::uint64_t>(*number) : std::nullopt;
}

}  // namespace

std::unique_ptr<BodySource> make_bytes_source(ByteView bytes) {
  return std::make_unique<BytesSource>(bytes);
}

void Headers::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  add(std::string(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& f) { return text::equals_ignoring_case(f.first, name); });
}

const std::string* Headers::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : fields_) {
    if (text::equals_ignoring_case(key, name)) return &value;
  }
  return nullptr;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : fields_) {
    if (text::equals_ignoring_case(key, name)) values.push_back(value);
  }
  return values;
}

std::optional<std::uint64_t> Response::content_length() const {
  std::optional<std::uint64_t> length;
  for (const std::string_view value : headers.all("Content-Length")) {
    const auto number = parse_number(text::trim(value));
    if (!number || (length && *length != *number)) return std::nullopt;
    length = number;
  }
  return length;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  value = text::trim(value);
  constexpr std::string_view kUnit = "bytes ";
  if (!text::equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  value = text::trim(value.substr(kUnit.size()));
  const std::size_t dash = value.find('-');
  const std::size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const auto first = parse_number(value.substr(0, dash));
  const auto last = parse_number(value.substr(dash + 1, slash - dash - 1));
  const std::string_view total_text = value.substr(slash + 1);
  const auto total = parse_number(total_text);
  if (!first || !last || *last < *first || (!total && total_text != "*")) return std::nullopt;
  if (total && *last >= *total) return std::nullopt;
  return ContentRange{*first, *last, total};
}

std::unique_ptr<Body> make_string_body(std::string bytes) {
  return std::make_unique<StringBody>(std::move(bytes));
}

void drain(Response& response, const Context& context) {
  // One GET of a token or a page is worth a few times this; a longer body not its connection.
  constexpr std::chrono::milliseconds kTime{200};
  const auto length = response.content_length();
  if (!length || *length > limits::kErrorBody) return;
  (void)read_all(*response.body, limits::kErrorBody, context.with_timeout(kTime));
}

Result<std::string> read_all(Body& body, std::size_t limit, const Context& context) {
  std::string out;
  for (;;) {
    const ByteView block = TRY(body.next(context));
    if (block.empty()) return out;
    if (block.size() > limit - out.size()) {
      return Error(Errc::too_large,
                   fmt::format("the answer is larger than berth reads of its kind ({})",
                               text::format_size(limit)));
    }
    out += as_text(block);
  }
}

}  // namespace berth::http
