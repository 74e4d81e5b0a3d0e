// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "berth/base/result.hpp"

namespace berth::acr {

/// Part of the message of every error (corrupt) that says of a list that it holds fewer than its
/// repository counts, and of no other one.
inline constexpr std::string_view kShortList = "the list was cut short";

/// One page of a list.
template <class T>
struct Page {
  std::vector<T> items;
  /// Where the list goes on: a path of the registry with its query, as the service gave it. Any
  /// process may go on from it. "" at the end.
  std::string continuation_token;
};

/// A sequence that is fetched while it is walked: an input range of Result<T>. It is walked once;
/// begin() takes it up where it is. After an error, which is an element, it ends. Pages that break
/// off, go round or lead elsewhere are errors; a server that ends a list too early without a sign
/// is found out by ListTagsOptions::verify_count alone, and names of repositories are counted
/// nowhere. Movable; not thread safe; outlives the client that gave it.
///
///     for (Result<std::string>& name : client.list_repository_names(context)) {
///       if (!name) return name.error();
///       ...
///     }
template <class T>
class Sequence : public std::ranges::view_base {
  struct State;

 public:
  /// The next element; nullopt at the end. Called until it gives an error or nullopt.
  using Next = std::function<std::optional<Result<T>>()>;

  explicit Sequence(Next next)
      : state_(std::make_unique<State>(State{std::move(next), std::nullopt, false, false})) {}

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Result<T>;
    using difference_type = std::ptrdiff_t;

    Iterator() = default;
    Result<T>& operator*() const { return *state_->current; }
    Result<T>* operator->() const { return &*state_->current; }
    Iterator& operator++() {
      state_->advance();
      return *this;
    }
    void operator++(int) { state_->advance(); }
    /// One that was default-made is at the end, as of no sequence.
    friend bool operator==(const Iterator& at, std::default_sentinel_t) {
      return at.state_ == nullptr || !at.state_->current.has_value();
    }

   private:
    friend class Sequence;
    explicit Iterator(State* state)
        : state_(state) {}
    State* state_ = nullptr;
  };

  Iterator begin() {
    if (!std::exchange(state_->started, true)) state_->advance();
    return Iterator(state_.get());
  }
  std::default_sentinel_t end() const noexcept { return {}; }

  /// Everything that is left, or the error.
  Result<std::vector<T>> all() {
    std::vector<T> items;
    for (Result<T>& item : *this) {
      if (!item) return std::move(item).error();
      items.push_back(*std::move(item));
    }
    return items;
  }

 private:
  struct State {
    Next next;
    std::optional<Result<T>> current;
    bool started = false;
    bool failed = false;

    void advance() {
      failed = failed || (current && !*current);
      current = failed ? std::nullopt : next();
    }
  };
  std::unique_ptr<State> state_;
};

/// A list by item, which by_page() turns into one by page: PagedAsyncIterableIterator of the SDKs.
template <class T>
class Paged : public Sequence<T> {
 public:
  /// The page that a token stands for ("" for the first). Copied for each walk before it is called,
  /// so that it may remember what it saw on the way.
  using Fetch = std::function<Result<Page<T>>(const std::string& token)>;

  Paged(Fetch fetch, std::string continuation_token)
      : Sequence<T>(items(pages(fetch, continuation_token))),
        fetch_(std::move(fetch)),
        token_(std::move(continuation_token)) {}

  /// From where this list began; independent of how far this one was walked.
  Sequence<Page<T>> by_page() const { return Sequence<Page<T>>(pages(fetch_, token_)); }

 private:
  using NextPage = std::function<std::optional<Result<Page<T>>>()>;

  static NextPage pages(Fetch fetch, std::string token) {
    return [fetch = std::move(fetch), token = std::move(token),
            done = false]() mutable -> std::optional<Result<Page<T>>> {
      if (done) return std::nullopt;
      Result<Page<T>> page = fetch(token);
      if (page) token = page->continuation_token;
      done = !page || token.empty();
      return page;
    };
  }

  static typename Sequence<T>::Next items(NextPage next) {
    return [next = std::move(next), page = std::vector<T>(),
            at = std::size_t{0}]() mutable -> std::optional<Result<T>> {
      while (at == page.size()) {  // a page may be empty and have another after it
        std::optional<Result<Page<T>>> fetched = next();
        if (!fetched) return std::nullopt;
        if (!*fetched) return Result<T>(std::move(*fetched).error());
        page = std::move((*fetched)->items);
        at = 0;
      }
      return Result<T>(std::move(page[at++]));
    };
  }

  Fetch fetch_;
  std::string token_;
};

}  // namespace berth::acr
