// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

#include "acr/parse.hpp"
#include "acr/purge_impl.hpp"
#include "acr/requests.hpp"

namespace berth::acr {
namespace {

/// The one name that a pattern matches, where it is a name and no more: its dots are escaped. Else
/// "".
std::string literal_name(std::string_view pattern) {
  std::string name;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '.') return {};
    if (pattern.substr(i).starts_with("\\.")) ++i;
    name += pattern[i];
  }
  return oci::is_repository(name) ? name : std::string();
}

}  // namespace

Purge::Purge(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
Purge::~Purge() = default;
Purge::Purge(Purge&&) noexcept = default;
Purge& Purge::operator=(Purge&&) noexcept = default;

Result<Purge> Purge::create(const ContainerRegistryClient& client, PurgeOptions options) {
  const auto refuse = [](std::string_view why) {
    return Error(Errc::invalid_argument, std::string(why));
  };
  constexpr int kMostAtOnce = 32;
  if (options.concurrency < 1 || options.concurrency > kMostAtOnce) {
    return refuse("a purge makes 1 to 32 requests at once");
  }
  if (options.keep < 0) return refuse("a purge cannot keep less than no tag");
  if (options.ago.count() < 0) return refuse("a purge is of what is old, not of what is to come");
  if (options.filters.empty() && options.untagged != PurgeOptions::Untagged::only) {
    return refuse("a purge of tags needs a filter REPOSITORY:TAG; '.*:.*' is everything");
  }
  auto impl = std::make_unique<Impl>();
  for (const std::string& text : options.filters) {
    const FilterText parts = TRY(split_filter(text));
    // Parts that are alternatives are anchored as a whole.
    auto repository = TRY(Regex::compile(fmt::format("^(?:{})$", parts.repository)));
    auto tag = TRY(Regex::compile(parts.tag));
    impl->filters.push_back(
        {std::move(repository), std::move(tag), literal_name(parts.repository)});
  }
  impl->core = client.core_;
  impl->options = std::move(options);
  return Purge(std::move(impl));
}

auth::Scopes Purge::Impl::scopes(const std::string& repository) const {
  std::string actions = "metadata_read,delete";
  if (options.include_locked) actions += ",metadata_write";
  if (options.untagged != PurgeOptions::Untagged::no) actions += ",pull";
  return repository_scopes(repository, actions);
}

Result<bool> Purge::Impl::matches(const Regex& regex, const std::string& text,
                                  Budget& budget) const {
  const auto start = core->clock().ticks();
  const bool found = TRY(regex.matches(text));
  budget.left -= core->clock().ticks() - start;
  if (budget.left.count() >= 0) return found;
  return Error(Errc::too_large,
               fmt::format("matching names against the filters took longer than {} ms",
                           options.filter_timeout.count()));
}

/// Who may purge a repository may well not list the registry, which is a right of its own.
std::optional<std::vector<Purge::Impl::Chosen>> Purge::Impl::named_repositories() const {
  std::map<std::string, Chosen> named;
  for (const Filter& filter : filters) {
    if (filter.literal.empty()) return std::nullopt;
    Chosen& chosen = named[filter.literal];
    chosen.name = filter.literal;
    chosen.filters.push_back(&filter);
  }
  if (named.empty()) return std::nullopt;
  std::vector<Chosen> out;
  out.reserve(named.size());
  for (auto& [name, chosen] : named) out.push_back(std::move(chosen));
  return out;
}

Result<std::vector<Purge::Impl::Chosen>> Purge::Impl::choose(Budget& budget,
                                                             const Context& context) const {
  if (auto named = named_repositories()) return *std::move(named);
  std::vector<Chosen> out;
  const std::string query = Core::query({{"api-version", core->api_version()}});
  ListOptions with;
  with.page_size = options.repository_page_size;
  auto names =
      paged<std::string>({.core = core,
                          .call = {.target = Core::path({"_catalog"}) + query,
                                   .scopes = auth::Scopes::catalog(),
                                   .operation = fmt::format("repositories of {}", core->name())},
                          .options = with,
                          .context = context},
                         parse_names);
  for (Result<std::string>& name : names) {
    if (!name) return std::move(name).error();
    TRY(check_repository_name(*name));  // it becomes a scope
    Chosen chosen{*name, {}};
    for (const Filter& filter : filters) {
      if (TRY(matches(filter.repository, *name, budget))) chosen.filters.push_back(&filter);
    }
    if (filters.empty() || !chosen.filters.empty()) out.push_back(std::move(chosen));
  }
  return out;
}

Result<ContainerRepositoryProperties> Purge::Impl::ask_repository(const std::string& repository,
                                                                  const Context& context) const {
  Call call = requests::repository(*core, repository);
  call.scopes = scopes(repository);
  return requests::ask(*core, call, parse_repository, {}, context);
}

Result<void> Purge::Impl::plan_tags(const Chosen& repository, std::uint64_t count, Timestamp cutoff,
                                    Budget& budget, PurgePlan& plan, const Context& context) const {
  ListTagsOptions with;
  with.order = ArtifactTagOrder::last_updated_on_descending;
  with.page_size = 100;
  Listing listing = requests::tags(core, repository.name, with, context);
  listing.call.scopes = scopes(repository.name);
  if (options.verify_counts) listing.count = [count]() -> Result<std::uint64_t> { return count; };
  int kept = 0;
  auto tags = paged<ArtifactTagProperties>(std::move(listing), parse_tags);
  for (Result<ArtifactTagProperties>& tag : tags) {
    if (!tag) return std::move(tag).error();
    const bool locked = is_locked(tag->can_delete, tag->can_write);
    if (tag->last_updated_on >= cutoff || (locked && !options.include_locked)) continue;
    bool wanted = false;
    for (const Filter* filter : repository.filters) {
      if (!wanted) wanted = TRY(matches(filter->tag, tag->name, budget));
    }
    if (!wanted || kept++ < options.keep) continue;
    TRY(check_tag(tag->name));
    plan.tags.push_back({repository.name, tag->name, tag->digest, tag->last_updated_on, locked});
  }
  return {};
}

Result<void> Purge::Impl::plan_repository(const Chosen& repository, Timestamp cutoff,
                                          Budget& budget, PurgePlan& plan,
                                          const Context& context) const {
  const auto own = TRY(ask_repository(repository.name, context));
  // What can_write=false of a repository means for deletions is the registry's to say: what it
  // refuses is left. Found out by trying, it would cost the tags the locks that were to be lifted.
  if (own.can_delete == false || (own.can_write == false && options.include_locked)) {
    return Error(Errc::denied,
                 fmt::format("{0}/{1}: the repository itself is locked, and nothing in it can be "
                             "deleted; `berth set {0}/{1} can_delete=true can_write=true` lifts "
                             "that",
                             core->name(), repository.name));
  }
  if (options.untagged != PurgeOptions::Untagged::only) {
    TRY(plan_tags(repository, own.tag_count, cutoff, budget, plan, context));
  }
  if (options.untagged != PurgeOptions::Untagged::no) {
    TRY(plan_manifests(repository.name, own.manifest_count, cutoff, plan, context));
  }
  return {};
}

Result<PurgePlan> Purge::plan(const Context& context) const {
  const PurgeOptions& options = impl_->options;
  const Timestamp now = Timestamp::from(impl_->core->clock().now());
  const Timestamp cutoff(now.since_1970() - options.ago);
  Impl::Budget budget{options.filter_timeout};
  PurgePlan plan;
  const bool is_list = !impl_->named_repositories();
  const auto repositories = TRY(impl_->choose(budget, context));
  const bool is_one = !is_list && repositories.size() == 1;
  for (const Impl::Chosen& repository : repositories) {
    const auto tags = static_cast<std::ptrdiff_t>(plan.tags.size());
    const auto manifests = static_cast<std::ptrdiff_t>(plan.manifests.size());
    const auto done = impl_->plan_repository(repository, cutoff, budget, plan, context);
    if (done) continue;
    const Errc code = done.error().code();
    const bool is_gone = is_list && code == Errc::not_found;  // since the registry was listed
    // Of several that were named, one that is not there may be a misspelt one: said, not passed
    // over.
    const bool spares_others =
        code == Errc::denied || (!is_one && (code == Errc::corrupt || code == Errc::not_found));
    if (!is_gone && !spares_others) return done.error();
    plan.tags.erase(plan.tags.begin() + tags, plan.tags.end());
    plan.manifests.erase(plan.manifests.begin() + manifests, plan.manifests.end());
    if (is_gone) continue;
    plan.skipped.push_back({fmt::format("{}/{}", impl_->core->name(), repository.name),
                            PurgeSkipped::Reason::failed, done.error()});
  }
  return plan;
}

}  // namespace berth::acr
