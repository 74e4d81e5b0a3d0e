// SPDX-License-Identifier: Apache-2.0
#include "content/lazy_source.hpp"

#include "berth/base/single_flight.hpp"
#include "berth/base/sync.hpp"
#include "berth/base/try.hpp"

namespace berth::content {
namespace {

class LazySource final : public Source {
 public:
  LazySource(std::string name, std::function<Result<std::shared_ptr<Source>>(const Context&)> make)
      : name_(std::move(name)),
        make_(std::move(make)) {}

  const std::string& name() const noexcept override { return name_; }
  Capabilities capabilities() const override {
    const auto source = known();
    return source ? source->capabilities() : Capabilities{};
  }

  Result<registry::Page> list_repositories(const std::string& from,
                                           const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->list_repositories(from, context);
  }
  Result<registry::Page> list_tags(const std::string& repository, const std::string& from,
                                   const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->list_tags(repository, from, context);
  }
  Result<registry::ManifestHead> head_manifest(const std::string& repository,
                                               const std::string& reference,
                                               const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->head_manifest(repository, reference, context);
  }
  Result<registry::Client::RawManifest> get_manifest(const std::string& repository,
                                                     const std::string& reference,
                                                     const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->get_manifest(repository, reference, context);
  }
  Result<registry::BlobHead> head_blob(const std::string& repository, const Digest& digest,
                                       const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->head_blob(repository, digest, context);
  }
  Result<registry::BlobStream> get_blob(const std::string& repository, const Digest& digest,
                                        std::uint64_t offset, std::optional<std::uint64_t> length,
                                        const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->get_blob(repository, digest, offset, length, context);
  }
  Result<std::vector<oci::Descriptor>> referrers(const std::string& repository,
                                                 const Digest& digest,
                                                 const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->referrers(repository, digest, context);
  }
  Result<Changes*> changes(const Context& context) override {
    const auto source = TRY(resolve(context));
    return source->changes(context);
  }
  std::optional<std::filesystem::path> local_file(const Digest& digest) const override {
    const auto source = known();
    return source ? source->local_file(digest) : std::nullopt;
  }
  Management* management() const noexcept override {
    const auto source = known();  // kept here from now on
    return source ? source->management() : nullptr;
  }

 private:
  std::shared_ptr<Source> known() const BERTH_EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return source_;
  }

  // Whoever waits while another thread asks gets its answer, also when that is an error.
  Result<std::shared_ptr<Source>> resolve(const Context& context) BERTH_EXCLUDES(mutex_) {
    if (auto source = known()) return source;
    return flight_.run_or_look(name_, context, [&]() -> Result<std::shared_ptr<Source>> {
      if (auto source = known()) return source;
      auto made = TRY(make_(context));
      MutexLock lock(mutex_);
      source_ = std::move(made);
      return source_;
    });
  }

  const std::string name_;
  const std::function<Result<std::shared_ptr<Source>>(const Context&)> make_;
  SingleFlight<std::shared_ptr<Source>> flight_;
  mutable Mutex mutex_;
  std::shared_ptr<Source> source_ BERTH_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<Source> make_lazy_source(
    std::string name, std::function<Result<std::shared_ptr<Source>>(const Context&)> make) {
  return std::make_shared<LazySource>(std::move(name), std::move(make));
}

}  // namespace berth::content
