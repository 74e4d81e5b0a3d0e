// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "berth/acr/options.hpp"
#include "berth/base/sync.hpp"
#include "berth/http/transport.hpp"

namespace berth::acr {

/// A version 4 UUID (RFC 9562), from the operating system's generator.
Result<std::string> new_uuid();

/// The transport below a client: berth's own or the given one, the user's policies around it, and
/// outermost what every request gets: a User-Agent and a request id. Thread safe.
class Pipeline final : public http::Transport {
 public:
  /// `registry`: whose requests bear a call's own headers.
  Pipeline(const ContainerRegistryClientOptions& options, http::Origin registry);

  ~Pipeline() override;
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  Result<http::Response> send(const http::Request& request, const Context& context) override;

  std::uint64_t requests() const noexcept { return requests_; }

  /// While it lives: did a try of the request with this id end in a way that leaves open whether it
  /// was acted upon? Then a 404 to the next try of a deletion says nothing.
  class Watch {
   public:
    Watch(Pipeline& pipeline, std::string id);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    bool uncertain() const;

   private:
    Pipeline& pipeline_;
    const std::string id_;
  };

  /// Was an answer of the registry one that only Azure gives?
  bool saw_azure() const noexcept { return saw_azure_; }

  struct Worn {
    const OperationOptions* options;
    std::string id;
    bool shows = true;  ///< answers, to on_response
  };

  /// What the requests of this thread bear while it lives: the call's own headers those to the
  /// registry, for a token server and a storage have no part in them; its id all of them. A call
  /// within another one takes its place, and gives it back.
  class Dress {
   public:
    Dress(Pipeline& pipeline, Worn worn);
    Dress(Dress&& other) noexcept;
    Dress(const Dress&) = delete;
    Dress& operator=(const Dress&) = delete;
    Dress& operator=(Dress&&) = delete;
    ~Dress();

   private:
    Pipeline* pipeline_;
    std::optional<Worn> outer_;
  };

 private:
  bool is_for_registry(const http::Url& url) const;
  void put_on(http::Request& request, const Worn& worn) const;
  std::optional<Worn> worn() const;
  void note(const std::string& id, const Result<http::Response>& answer);

  const http::Origin registry_;
  const std::string user_agent_;
  const std::string id_header_;
  std::shared_ptr<http::Transport> transport_;
  std::vector<std::unique_ptr<http::Transport>> policies_;  // the innermost first
  http::Transport* outermost_;
  std::atomic<std::uint64_t> requests_ = 0;
  std::atomic<bool> saw_azure_ = false;
  mutable Mutex mutex_;
  std::map<std::string, bool> watched_ BERTH_GUARDED_BY(mutex_);  // id -> uncertain
  std::map<std::thread::id, Worn> worn_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace berth::acr
