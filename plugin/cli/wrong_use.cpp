// SPDX-License-Identifier: Apache-2.0
#include "wrong_use.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include <CLI/App.hpp>

#include "berth/base/text.hpp"

namespace berth::cli {

namespace {

/// What other programs call it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kOtherNames{{
    {"list", "ls"},
    {"dir", "ls"},
    {"show", "stat"},
    {"inspect", "stat"},
    {"get", "cat"},
    {"copy", "cp"},
    {"pull", "cp"},
    {"download", "cp"},
    {"eject", "unmount"},
    {"check", "doctor"},
}};

/// Letters that are wrong, missing, too many, or have changed places with their neighbour (optimal
/// string alignment).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before, row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] =
          std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = std::exchange(row, next);
  }
  return row.back();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_group().empty()) names.push_back(sub->get_name());
  }
  return names;
}

void add_option_names(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
}

std::string in_quotes(std::string_view typed) {
  return "'" + text::escape_for_terminal(typed) + "'";
}

std::string meant(const std::string& name) {
  return name.empty() ? "" : ": did you mean " + name + "?";
}

/// Arguments that nobody wanted: an option that does not exist, or an operand too many.
std::string about_extras(const CLI::App& app, const CLI::App* sub) {
  const std::vector<std::string> extras = app.remaining(true);
  if (extras.empty()) return "an argument is not understood";
  const std::string& first = extras.front();
  if (!first.starts_with('-') || first == "-") return in_quotes(first) + " is one operand too many";
  std::vector<std::string> names;
  add_option_names(app, names);
  if (sub != nullptr) add_option_names(*sub, names);
  const std::string name = first.substr(0, first.find('='));
  return "there is no option " + in_quotes(name) + meant(nearest(name, names));
}

std::string about(const CLI::App& app, const CLI::App* sub, const CLI::ParseError& error) {
  const std::string_view words = error.what();
  constexpr std::string_view kConversion = "Could not convert: ";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return about_extras(app, sub);
  if (words.starts_with(kConversion)) {
    return in_quotes(words.substr(kConversion.size())) + " is not a number that fits there";
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr && sub == nullptr) {
    return "no command was given";
  }
  return text::escape_for_terminal(words.substr(0, words.find('\n')));
}

}  // namespace

std::string nearest(std::string_view typed, const std::vector<std::string>& known) {
  std::string best;
  std::size_t least = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const std::string& name : known) {
    // One letter of two says nothing: -x is no slip for -l, but sl is one for ls.
    const bool tells =
        name.size() > 2 || typed.size() > 2 || std::ranges::is_permutation(name, typed);
    const std::size_t wrong = tells ? distance(typed, name) : least;
    if (wrong < least) {
      least = wrong;
      best = name;
    }
  }
  return best;
}

Error unknown_command(const CLI::App& app, std::string_view typed) {
  const std::vector<std::string> names = command_names(app);
  std::string name = nearest(typed, names);
  for (const auto& [other, ours] : kOtherNames) {
    if (typed == other && std::ranges::find(names, ours) != names.end()) name = ours;
  }
  return {Errc::invalid_argument, in_quotes(typed) + " is no command" +
                                      (name.empty() ? "" : ": did you mean berth " + name + "?") +
                                      (name.empty() ? "; " : " ") + "berth --help lists them"};
}

Error wrong_use(const CLI::App& app, const CLI::ParseError& error) {
  const auto subs = app.get_subcommands();
  const CLI::App* sub = subs.empty() ? nullptr : subs.front();
  const std::string command = sub == nullptr ? "berth" : "berth " + sub->get_name();
  const std::string what = about(app, sub, error);
  return {Errc::invalid_argument, (sub == nullptr ? "" : sub->get_name() + ": ") + what +
                                      (what.ends_with('?') ? " " : "; ") + command +
                                      " --help shows how it is used"};
}

Error empty_operand(const std::string& command) {
  return {Errc::invalid_argument, command +
                                      ": an operand is empty, as an unset variable of the shell "
                                      "makes it; berth " +
                                      command + " --help shows how it is used"};
}

Error pasted_url(std::string_view text) {
  const std::size_t end = text.find("://");
  const std::string_view scheme = text.substr(0, end);
  std::string_view rest = text.substr(end + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  std::string_view host = rest.substr(0, rest.find('/'));
  // Not repeated: it would be a password.
  if (const std::size_t at = host.rfind('@'); at != std::string_view::npos) {
    rest.remove_prefix(at + 1);
    host = rest.substr(0, rest.find('/'));
  }
  // What a browser or curl shows: /v2/NAME/..., which is no part of the name.
  std::string place(rest);
  const std::string_view path = rest.substr(host.size());
  if (path == "/v2" || path.starts_with("/v2/")) {
    place = std::string(host) + std::string(path.substr(3));
  }
  while (place.ends_with('/')) place.pop_back();
  return {Errc::invalid_argument,
          "a place is written without " + std::string(scheme) + "://" +
              (place.empty() ? "" : ": did you mean " + text::escape_for_terminal(place) + "?") +
              (scheme == "http" ? " (http instead of https is asked for by --plain-http)" : "")};
}

}  // namespace berth::cli
