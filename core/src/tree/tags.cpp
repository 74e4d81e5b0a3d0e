// SPDX-License-Identifier: Apache-2.0
#include "tree/tags.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

namespace berth::tree {
namespace {

/// Resolved tags in memory, about 400 bytes each; the rest is remembered on disk.
constexpr std::size_t kTags = 50'000;
/// An answer that was longer on its way than it is believed is good for what it was asked for:
/// the kernel's lookup and readlink of one name must not be two questions.
constexpr Ttl kLeastTtl = std::chrono::seconds(1);

std::string key_of(const Place& place, const std::string& tag) { return place.key() + '\n' + tag; }

std::string words(const Place& place, const std::string& tag) {
  return "tag " + place.text() + ':' + tag;
}

TagTarget target_of(const cache::RememberedTag& tag) {
  std::int64_t time = std::chrono::system_clock::to_time_t(tag.first_seen);
  if (tag.properties) time = updated_seconds(*tag.properties);
  return {tag.digest, tag.size, tag.media_type, time, Ttl{0}, tag.properties.has_value()};
}

}  // namespace

Tags::Tags(Asking& asking, Properties& properties, Moved moved, Holds holds)
    : asking_(asking),
      properties_(properties),
      moved_(std::move(moved)),
      holds_(std::move(holds)),
      permits_(std::max(1, asking.options().head_jobs)),
      kept_(kTags, kTags),
      heads_(asking.options().head_jobs, asking.clock(), asking.options().negative_ttl,
             [this](const Place& place, const std::string& tag, const Context& context) {
               return fetch_ahead(place, tag, context);
             }) {}

Result<TagTarget> Tags::resolve(const Place& place, const std::string& tag,
                                const Context& context) {
  const Kept found = TRY(fetch(place, tag, context));
  TagTarget target = TRY(answer(found));
  if (found.epoch == asking_.epoch()) target.ttl = std::max(target.ttl, kLeastTtl);
  return target;
}

std::optional<Result<TagTarget>> Tags::fresh(const Place& place, const std::string& tag) {
  const auto found = kept(place, tag);
  if (!found) return std::nullopt;
  return answer(*found);
}

Result<TagTarget> Tags::answer(const Kept& kept) {
  if (kept.error) return *kept.error;
  TagTarget target = *kept.target;
  target.ttl =
      std::max(Ttl{0}, std::chrono::duration_cast<Ttl>(kept.fresh_until - asking_.clock().ticks()));
  return target;
}

/// A fresh answer: in memory, else of another process of this machine.
std::optional<Tags::Kept> Tags::kept(const Place& place, const std::string& tag) {
  const std::uint64_t epoch = asking_.epoch();
  std::optional<Kept> before;
  {
    const MutexLock lock(mutex_);
    if (const Kept* found = kept_.get(key_of(place, tag))) {
      if (asking_.clock().ticks() < found->fresh_until) return *found;
      before = *found;
    }
  }
  const Clock::SteadyTime now = asking_.clock().ticks();
  const auto remembered = asking_.remembered().tag(place.registry, place.repository, tag);
  if (!remembered || !asking_.is_fresh(place, remembered->checked)) return std::nullopt;
  // Our own answer, written down: memory says that it is over.
  if (before && remembered->checked <= before->learned) return std::nullopt;
  Kept value;
  value.target = target_of(*remembered);
  value.learned = remembered->checked;
  holds_(place, *value.target);
  const Ttl left = asking_.left(remembered->checked);
  if (remembered->properties) {
    properties_.note_remembered({place, tag}, *remembered, left);
  }
  value = keep(place, tag, std::move(value), now + left, epoch);
  if (before) asking_.away().answered(place.registry, words(place, tag));
  if (before && before->target && before->target->digest != value.target->digest) {
    note_move(place, tag, before->target->digest, value.target->digest);
  }
  return value;
}

Result<Tags::Kept> Tags::fetch(const Place& place, const std::string& tag, const Context& context) {
  if (auto found = kept(place, tag)) {
    // A reader that is served from memory still moves on: keep working ahead of it.
    heads_.asked(place, tag);
    return *found;
  }
  if (auto found = rest(place, tag)) return *std::move(found);
  if (context.is_nonblocking()) return Asking::would_block();
  heads_.asked(place, tag);
  for (const std::uint64_t epoch = asking_.epoch();;) {
    Result<Kept> found = flight_.run(key_of(place, tag), context, [&]() -> Result<Kept> {
      if (auto known = kept(place, tag)) return *known;
      const Permits::Held turn = TRY(permits_.acquire(false, context));
      return ask(place, tag, context);
    });
    // Another's question from before a refresh does not answer this one.
    if (!found || found->epoch >= epoch) return found;
  }
}

/// One tag ahead of who reads. Holding a turn it never waits for another question: that one may be
/// waiting for this very turn.
Result<void> Tags::fetch_ahead(const Place& place, const std::string& tag, const Context& context) {
  if (fresh(place, tag)) return {};
  const Permits::Held turn = TRY(permits_.acquire(true, context));
  const auto asked = flight_.run_if_free(key_of(place, tag), context, [&]() -> Result<Kept> {
    if (auto found = kept(place, tag)) return *found;
    return ask(place, tag, context);
  });
  if (!asked) return {};
  if (!*asked) return asked->error();
  // Served from memory because it is away: asking for the rest is of no use.
  if ((*asked)->stale) return Error(Errc::unavailable, "the registry is away");
  return {};
}

/// What one answer told of a tag.
struct Tags::Head {
  registry::ManifestHead manifest;
  std::optional<cache::RememberedProperties> properties;
};

/// One request in either way: properties tell the time and the locks as well, a HEAD the size.
Result<Tags::Head> Tags::head(const Place& place, const std::string& tag, const Context& context) {
  if (properties_.offered(place)) {
    const auto told = properties_.get_told({place, tag}, context);
    if (told && (*told)->digest) return Head{{*(*told)->digest, 0, "", ""}, (*told)->told};
    if (!told && !properties_.note_refusal(place, told.error())) return told.error();
  }
  auto head = TRY(asking_.ask(place.registry, context, [&](content::Source& source) {
    return source.head_manifest(place.repository, tag, context);
  }));
  return Head{std::move(head), std::nullopt};
}

Result<Tags::Kept> Tags::ask(const Place& place, const std::string& tag, const Context& context) {
  // The burst of its folder may have ended while this one waited for its turn.
  if (auto found = rest(place, tag)) return *std::move(found);
  const std::uint64_t epoch = asking_.epoch();
  const Clock::SystemTime asked = asking_.clock().now();
  const Clock::SteadyTime asked_at = asking_.clock().ticks();
  auto answer = this->head(place, tag, context);
  if (!answer) return instead(place, tag, answer.error(), epoch);
  const registry::ManifestHead* head = &answer->manifest;
  asking_.away().answered(place.registry, words(place, tag));
  heads_.answered(place, tag);
  const auto before = older(place, tag);
  const cache::RememberedTag remembered = asking_.remembered().set_tag(
      place.registry, place.repository, tag,
      {head->digest, head->size, head->media_type, head->etag, asked, asked, answer->properties});
  Kept value;
  value.target = target_of(remembered);
  value.target->digest = head->digest;
  value.learned = remembered.checked;
  // Without a type it would be taken for a blob.
  if (!head->media_type.empty()) {
    asking_.remembered().set_seen(place.registry, place.repository, head->digest, head->size,
                                  head->media_type);
  }
  holds_(place, *value.target);
  const bool has_moved = before && before->digest != head->digest;
  // From the question on: it may have moved while the answer was on its way.
  value = keep(place, tag, std::move(value), asked_at + asking_.options().tag_ttl, epoch);
  if (has_moved) note_move(place, tag, before->digest, head->digest);
  return value;
}

void Tags::note_move(const Place& place, const std::string& tag, const Digest& before,
                     const Digest& now) {
  moves_.fetch_add(1, std::memory_order_relaxed);
  log::info(fmt::format("{} moved from {} to {}", words(place, tag), before.text(), now.text()));
  moved_(place, tag);
}

void Tags::told(const Place& place, const std::vector<acr::ArtifactTagProperties>& tags,
                std::uint64_t epoch) {
  std::vector<std::pair<std::string, cache::RememberedTag>> remembered;
  remembered.reserve(tags.size());
  std::vector<std::optional<TagTarget>> before;
  before.reserve(tags.size());
  for (const acr::ArtifactTagProperties& tag : tags) {
    PropertySet set = property_set(tag);
    remembered.emplace_back(tag.name,
                            cache::RememberedTag{tag.digest, 0, "", "", {}, {}, set.told});
    before.push_back(older(place, tag.name));
    properties_.note({place, tag.name}, std::move(set), epoch);
  }
  asking_.remembered().set_tags(place.registry, place.repository, remembered);
  const Clock::SystemTime learned = asking_.clock().now();
  for (std::size_t i = 0; i < tags.size(); ++i) {
    Kept value;
    value.target = target_of(remembered[i].second);
    value.learned = learned;
    if (before[i] && before[i]->digest == tags[i].digest) {
      value.target->size = before[i]->size;
      value.target->media_type = before[i]->media_type;
    }
    holds_(place, *value.target);
    keep(place, tags[i].name, std::move(value), asking_.clock().ticks() + asking_.options().tag_ttl,
         epoch);
    if (before[i] && before[i]->digest != tags[i].digest) {
      note_move(place, tags[i].name, before[i]->digest, tags[i].digest);
    }
  }
}

Result<Tags::Kept> Tags::instead(const Place& place, const std::string& tag, const Error& error,
                                 std::uint64_t epoch) {
  if (Away::is_away(error)) {
    asking_.away().failed(place.registry, error);
    heads_.failed(place, tag, error);
    auto before = older(place, tag);
    if (!before) return error;
    return serve_stale(place, tag, *std::move(before), epoch);
  }
  if (error.code() != Errc::not_found) return error;
  const bool was_there = older(place, tag).has_value();
  asking_.remembered().forget_tag(place.registry, place.repository, tag);
  Kept value;
  value.error = error;
  value.learned = asking_.clock().now();
  value = keep(place, tag, std::move(value),
               asking_.clock().ticks() + asking_.options().negative_ttl, epoch);
  if (was_there) moved_(place, tag);
  return value;
}

std::optional<Result<Tags::Kept>> Tags::rest(const Place& place, const std::string& tag) {
  auto failure = heads_.failure(place);
  if (!failure && !asking_.away().resting(place.registry)) return std::nullopt;
  if (auto before = older(place, tag)) {
    return Result<Kept>(serve_stale(place, tag, *std::move(before), asking_.epoch()));
  }
  if (!failure) return std::nullopt;
  return Result<Kept>(
      std::move(*failure).with_context(words(place, tag) + " is not asked for, after"));
}

std::optional<TagTarget> Tags::older(const Place& place, const std::string& tag) {
  {
    const MutexLock lock(mutex_);
    const Kept* found = kept_.get(key_of(place, tag));
    if (found != nullptr && found->target) return found->target;
  }
  const auto remembered = asking_.remembered().tag(place.registry, place.repository, tag);
  if (!remembered) return std::nullopt;
  return target_of(*remembered);
}

Tags::Kept Tags::serve_stale(const Place& place, const std::string& tag, TagTarget target,
                             std::uint64_t epoch) {
  const auto remembered = asking_.remembered().tag(place.registry, place.repository, tag);
  asking_.away().served_stale(place.registry, words(place, tag),
                              remembered ? remembered->checked : Clock::SystemTime{});
  Kept value;
  value.target = std::move(target);
  value.stale = true;
  holds_(place, *value.target);
  return keep(place, tag, std::move(value),
              asking_.clock().ticks() + asking_.options().negative_ttl, epoch);
}

Tags::Kept Tags::keep(const Place& place, const std::string& tag, Kept value,
                      Clock::SteadyTime until, std::uint64_t epoch) {
  // Under the lock that refresh() takes: one that comes between would not see it.
  const MutexLock lock(mutex_);
  // A refresh() came while the registry was being asked: good for this answer, not for the next.
  value.fresh_until = epoch == asking_.epoch() ? until : asking_.clock().ticks();
  value.epoch = epoch;
  return kept_.put(key_of(place, tag), std::move(value));
}

void Tags::refresh() {
  heads_.refresh();
  const MutexLock lock(mutex_);
  // The targets stay: they are what is served while the registry is away, and what a move is told
  // from.
  kept_.for_each([](const std::string&, Kept& kept) { kept.fresh_until = Clock::SteadyTime{}; });
}

}  // namespace berth::tree
