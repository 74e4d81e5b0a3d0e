// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace berth::auth {

/// A set of token scopes, "repository:library/a:pull,push" (distribution, auth/scope.md): resource
/// types with names and actions, united and sorted.
class Scopes {
 public:
  static Scopes parse(std::string_view text);  ///< separated by spaces
  static Scopes pull(std::string_view repository);
  static Scopes push(std::string_view repository);  ///< and pull: a push looks first
  /// "delete", which the specification of tokens does not know and every registry that deletes
  /// asks for.
  static Scopes remove(std::string_view repository);
  static Scopes catalog();

  void add(const Scopes& other);
  bool contains(const Scopes& other) const;
  /// Those of repositories by a pattern ("repository:*:pull"), which Azure's registries that give
  /// rights by repository (ABAC) drop without a word.
  Scopes wildcards() const;
  bool empty() const noexcept { return scopes_.empty(); }
  /// One string a resource, sorted.
  std::vector<std::string> list() const;
  std::string text() const;  ///< joined by spaces

 private:
  struct Scope {
    std::string resource;  // "repository:library/a"
    std::vector<std::string> actions;
  };
  std::vector<Scope> scopes_;
};

}  // namespace berth::auth
