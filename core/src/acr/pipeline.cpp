// SPDX-License-Identifier: Apache-2.0
#include "acr/pipeline.hpp"

#include <ranges>
#include <utility>

#include <fmt/format.h>

#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/crypto/crypto.hpp"
#include "berth/registry/quirks.hpp"

namespace berth::acr {
namespace {

constexpr std::string_view kUserAgent = "berth/" BERTH_VERSION;

std::string user_agent(const std::string& prefix) {
  return prefix.empty() ? std::string(kUserAgent) : fmt::format("{} {}", prefix, kUserAgent);
}

// curl's variables say it all: the one proxy for every scheme, and no exceptions.
Environment environment_of_proxy(std::string proxy) {
  return [proxy = std::move(proxy)](const std::string& name) -> std::optional<std::string> {
    if (name == "all_proxy" && !proxy.empty()) return proxy;
    return std::nullopt;
  };
}

std::shared_ptr<http::Transport> make_transport(const ContainerRegistryClientOptions& options) {
  if (options.transport != nullptr) return options.transport;
  http::CurlOptions curl;
  curl.user_agent = user_agent(options.user_agent_prefix);
  if (options.proxy) curl.environment = environment_of_proxy(*options.proxy);
  curl.use_proxy_environment = !options.proxy || !options.proxy->empty();
  curl.connect_timeout = options.connect_timeout;
  curl.stall_timeout = options.stall_timeout;
  return http::make_curl_transport(std::move(curl));
}

}  // namespace

Result<std::string> new_uuid() {
  Bytes bytes = TRY(crypto::random_bytes(16));
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x40};
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string out = text::to_hex(bytes);
  for (const std::size_t at : {20U, 16U, 12U, 8U}) out.insert(at, 1, '-');
  return out;
}

Pipeline::Pipeline(const ContainerRegistryClientOptions& options, http::Origin registry)
    : registry_(std::move(registry)),
      user_agent_(user_agent(options.user_agent_prefix)),
      id_header_(options.client_request_id_header),
      transport_(make_transport(options)),
      outermost_(transport_.get()) {
  for (const Policy& policy : std::views::reverse(options.additional_policies)) {
    policies_.push_back(policy(*outermost_));
    outermost_ = policies_.back().get();
  }
}

// The outermost first: each was promised that the one below it outlives it.
Pipeline::~Pipeline() {
  while (!policies_.empty()) policies_.pop_back();
}

Result<http::Response> Pipeline::send(const http::Request& request, const Context& context) {
  http::Request dressed = request;
  const std::optional<Worn> worn = this->worn();
  if (worn) put_on(dressed, *worn);
  if (dressed.headers.find("User-Agent") == nullptr) dressed.headers.add("User-Agent", user_agent_);
  if (!id_header_.empty() && dressed.headers.find(id_header_) == nullptr) {
    dressed.headers.add(id_header_, TRY(new_uuid()));
  }
  Result<http::Response> answer = outermost_->send(dressed, context);
  if (answer || answer.error().code() != Errc::would_block) ++requests_;
  if (answer && request.url.origin() == registry_ &&
      registry::quirks::is_azure_answer(answer->headers)) {
    saw_azure_ = true;
  }
  if (worn && worn->shows && answer && worn->options->on_response) {
    worn->options->on_response({.status = answer->status,
                                .method = request.method,
                                .url = answer->url.text(),
                                .headers = answer->headers,
                                .body = {}});
  }
  const std::string* id = dressed.headers.find(id_header_);
  if (id != nullptr) note(*id, answer);
  return answer;
}

bool Pipeline::is_for_registry(const http::Url& url) const {
  return url.origin() == registry_ && !url.path_and_query().starts_with("/oauth2/");
}

void Pipeline::put_on(http::Request& request, const Worn& worn) const {
  if (is_for_registry(request.url)) {
    for (const auto& [name, value] : worn.options->custom_headers.fields()) {
      request.headers.set(name, value);
    }
  }
  if (!id_header_.empty()) request.headers.set(id_header_, worn.id);
}

void Pipeline::note(const std::string& id, const Result<http::Response>& answer) {
  const bool uncertain = !answer || answer->status == 408 || answer->status >= 500;
  if (!uncertain) return;
  const MutexLock lock(mutex_);
  const auto watched = watched_.find(id);
  if (watched != watched_.end()) watched->second = true;
}

std::optional<Pipeline::Worn> Pipeline::worn() const {
  const MutexLock lock(mutex_);
  const auto found = worn_.find(std::this_thread::get_id());
  return found == worn_.end() ? std::nullopt : std::optional(found->second);
}

Pipeline::Dress::Dress(Pipeline& pipeline, Worn worn)
    : pipeline_(&pipeline),
      outer_(pipeline.worn()) {
  const MutexLock lock(pipeline.mutex_);
  pipeline.worn_[std::this_thread::get_id()] = std::move(worn);
}

Pipeline::Dress::Dress(Dress&& other) noexcept
    : pipeline_(std::exchange(other.pipeline_, nullptr)),
      outer_(std::move(other.outer_)) {}

Pipeline::Dress::~Dress() {
  if (pipeline_ == nullptr) return;
  const MutexLock lock(pipeline_->mutex_);
  if (outer_) {
    pipeline_->worn_[std::this_thread::get_id()] = *std::move(outer_);
  } else {
    pipeline_->worn_.erase(std::this_thread::get_id());
  }
}

Pipeline::Watch::Watch(Pipeline& pipeline, std::string id)
    : pipeline_(pipeline),
      id_(std::move(id)) {
  const MutexLock lock(pipeline_.mutex_);
  pipeline_.watched_[id_] = false;
}

Pipeline::Watch::~Watch() {
  const MutexLock lock(pipeline_.mutex_);
  pipeline_.watched_.erase(id_);
}

bool Pipeline::Watch::uncertain() const {
  const MutexLock lock(pipeline_.mutex_);
  const auto found = pipeline_.watched_.find(id_);
  return found != pipeline_.watched_.end() && found->second;
}

}  // namespace berth::acr
