// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>

#include "berth/base/limit.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/oci/reference.hpp"

namespace berth::fuse {
namespace {

namespace fs = std::filesystem;

Error wrong(std::string message) { return {Errc::invalid_argument, std::move(message)}; }

Result<std::uint64_t> number(std::string_view name, std::string_view value, std::uint64_t least,
                             std::uint64_t most) {
  const auto parsed = text::parse_unsigned(value);
  if (!parsed || *parsed < least || *parsed > most) {
    return wrong(
        fmt::format("-o {}={}: a number from {} to {} is expected", name, value, least, most));
  }
  return *parsed;
}

fs::path absolute(std::string_view path) { return fs::absolute(path).lexically_normal(); }

/// One option of -o. `argument` is empty for a switch; a value in [] may be left out.
struct OptionRule {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
  Result<void> (*apply)(Options& options, std::string_view value);
};

template <auto Member>
Result<void> set(Options& options, std::string_view) {
  options.*Member = true;
  return {};
}

template <auto Member>
Result<void> set_path(Options& options, std::string_view value) {
  options.*Member = absolute(value).string();
  return {};
}

/// 0 would make a request of every name that a tool looks at, several times each: a second is as
/// good to a person, and one look at a folder costs what it costs.
Result<void> set_tag_ttl(Options& options, std::string_view value) {
  const std::uint64_t seconds = TRY(number("tag_ttl", value, 0, 365 * 24 * 3600));
  options.tag_ttl = std::chrono::seconds(std::max<std::uint64_t>(seconds, 1));
  return {};
}

Result<void> set_head_jobs(Options& options, std::string_view value) {
  options.head_jobs = static_cast<int>(TRY(number("head_jobs", value, 1, 256)));
  return {};
}

Result<void> set_timeout(Options& options, std::string_view value) {
  options.timeout = std::chrono::seconds(TRY(number("timeout", value, 1, 24 * 3600)));
  return {};
}

Result<void> set_list(Options& options, std::string_view value) {
  if (value != "all") return wrong(fmt::format("-o list={}: only list=all is known", value));
  options.list_all = true;
  return {};
}

Result<void> set_verify(Options& options, std::string_view value) {
  if (value != "full") return wrong(fmt::format("-o verify={}: only verify=full is known", value));
  options.verify_full = true;
  return {};
}

Result<void> set_passthrough(Options& options, std::string_view value) {
  if (value != "off" && value != "auto") {
    return wrong(fmt::format("-o passthrough={}: off or auto is expected", value));
  }
  options.passthrough = value == "auto";
  return {};
}

Result<void> set_platform(Options& options, std::string_view value) {
  options.platform = TRY(oci::Platform::parse(value));
  return {};
}

Result<void> set_cache_limit(Options& options, std::string_view value) {
  const auto limit = text::parse_limit(value);
  if (!limit) return wrong(fmt::format("-o cache_limit={}: {}", value, limit.error().message()));
  options.cache_limit = *limit;
  return {};
}

/// Alone it names the target's registry; that is known only when all is parsed: "" stands for it.
Result<void> add_plain_http(Options& options, std::string_view value) {
  if (!value.empty() && !oci::is_registry(value)) {
    return wrong(fmt::format("-o plain_http={}: a host is expected, as in localhost:5000", value));
  }
  options.plain_http.emplace_back(value);
  return {};
}

constexpr auto kRules = std::to_array<OptionRule>({
    {"tag_ttl", "SECONDS", "how long a tag or listing is believed (60; at least 1)", &set_tag_ttl},
    {"head_jobs", "N", "requests for the tags of a folder at once (16)", &set_head_jobs},
    {"timeout", "SECONDS", "longest wait of one call (60)", &set_timeout},
    {"list", "all", "list the folders that begin with a dot, too", &set_list},
    {"platform", "OS/ARCH", "of an index, show this platform's image (this machine's)",
     &set_platform},
    {"verify", "full", "give no byte of a blob before its digest was found right", &set_verify},
    {"passthrough", "off", "no blob is read by the kernel itself, past berthfs", &set_passthrough},
    {"offline", "", "ask no registry: show what was seen before", &set<&Options::offline>},
    {"authfile", "FILE", "credentials, as podman's auth.json", &set_path<&Options::auth_file>},
    {"config", "DIR", "docker's configuration folder (~/.docker)",
     &set_path<&Options::docker_config_dir>},
    {"cache", "DIR", "the cache's folder (~/.cache/berth; root's /var/cache/berth)",
     &set_path<&Options::cache>},
    {"cache_limit", "SIZE", "the cache's quota, as in 20GiB", &set_cache_limit},
    {"plain_http", "[HOST]", "speak http to this registry (the target's)", &add_plain_http},
    {"ca_file", "FILE", "certificates that the target's registry may be signed by",
     &set_path<&Options::ca_file>},
    {"cert_file", "FILE", "a client certificate for the target's registry",
     &set_path<&Options::cert_file>},
    {"key_file", "FILE", "its key, when it is in another file", &set_path<&Options::key_file>},
    {"key_password_file", "FILE", "its first line opens that key, or a PKCS#12 certificate",
     &set_path<&Options::key_password_file>},
    {"log_file", "FILE", "keep the log here, too (.berth/log shows its end)",
     &set_path<&Options::log_file>},
    {"rw", "", "allow changes (in fstab: writable, because mount(8) says rw to all)",
     &set<&Options::writable>},
    {"writable", "", "the same", &set<&Options::writable>},
    {"allow_other", "", "let every user of this machine see the mount",
     &set<&Options::allow_other>},
    {"debug", "", "log every call", &set<&Options::debug>},
});

/// What fstab(5) and mount(8) say to themselves or to the kernel, and what every berth mount is
/// anyway. "dev" and "suid" come from "defaults"; they change nothing here. Times of access are
/// never written, and libfuse knows few of their options.
constexpr auto kIgnored = std::to_array<std::string_view>(
    {"ro",       "nosuid",     "nodev",      "suid",          "dev",      "exec",
     "async",    "auto",       "noauto",     "user",          "nouser",   "users",
     "owner",    "group",      "nofail",     "defaults",      "_netdev",  "default_permissions",
     "atime",    "relatime",   "norelatime", "strictatime",   "diratime", "nodiratime",
     "lazytime", "nolazytime", "silent",     "nostrictatime", "loud",     "noiversion",
     "noowner",  "nogroup",    "nousers"});
constexpr auto kForKernel =
    std::to_array<std::string_view>({"noexec", "noatime", "dirsync", "sync"});
constexpr auto kSecrets = std::to_array<std::string_view>(
    {"password", "pass", "passwd", "pwd", "token", "identity_token", "registry_token", "secret",
     "username", "auth", "credential", "credentials"});

bool contains(auto& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Result<void> apply(const OptionRule& rule, Options& options, std::string_view value,
                   bool has_value) {
  const bool optional = rule.argument.starts_with('[');
  if (rule.argument.empty() && has_value) {
    return wrong(fmt::format("-o {} takes no value", rule.name));
  }
  if (!rule.argument.empty() && value.empty() && (has_value || !optional)) {
    return wrong(fmt::format("-o {} needs a value: {}={}", rule.name, rule.name, rule.argument));
  }
  return rule.apply(options, value);
}

Result<void> take_option(Options& options, std::string_view text, bool as_mount_helper,
                         bool sloppy) {
  const std::size_t equals = text.find('=');
  const bool has_value = equals != std::string_view::npos;
  const std::string_view name = text.substr(0, equals);
  const std::string_view value = has_value ? text.substr(equals + 1) : std::string_view{};
  if (name.empty()) return {};
  if (contains(kSecrets, name)) {
    return wrong(
        fmt::format("-o {}= is refused: every user of this machine could read it. Run "
                    "`docker login`, or name a file by -o authfile=",
                    name));
  }
  if (name == "ro") options.writable = false;  // the last word counts
  if ((name == "rw" && as_mount_helper) || (!has_value && contains(kIgnored, name)) ||
      name.starts_with("x-") || name.starts_with("comment") || (name == "user" && has_value)) {
    return {};
  }
  if (!has_value && contains(kForKernel, name)) {
    options.kernel_options.emplace_back(name);
    return {};
  }
  const auto rule = std::find_if(kRules.begin(), kRules.end(),
                                 [&](const OptionRule& known) { return known.name == name; });
  if (rule != kRules.end()) return apply(*rule, options, value, has_value);
  if (sloppy) return {};
  return wrong(fmt::format("unknown option -o {}: berthfs --help lists them", name));
}

/// A comma in a value is written "\,", as in fstab.
std::vector<std::string> split_list(std::string_view list) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '\\' && i + 1 < list.size() && list[i + 1] == ',') {
      parts.back() += list[++i];
    } else if (list[i] == ',') {
      parts.emplace_back();
    } else {
      parts.back() += list[i];
    }
  }
  return parts;
}

/// The words of the command line, before they mean anything.
struct Words {
  std::vector<std::string> places;
  std::vector<std::string> options;
  bool sloppy = false;
};

Result<void> take_letter(char letter, Options& options, Words& words, bool as_mount_helper) {
  switch (letter) {
    case 'f':
      (as_mount_helper ? options.fake : options.foreground) = true;
      return {};
    case 'd':
      options.debug = options.foreground = true;
      return {};
    case 's':
      words.sloppy = true;
      return {};
    case 'n':
    case 'v':
      return {};
    case 'h':
      options.action = Options::Action::help;
      return {};
    case 'V':
      options.action = Options::Action::version;
      return {};
    default:
      return wrong(fmt::format("unknown option -{}: berthfs --help lists them", letter));
  }
}

Result<void> take_word(std::span<const std::string> arguments, std::size_t& i, Options& options,
                       Words& words, bool as_mount_helper) {
  const std::string& word = arguments[i];
  if (word == "--help") return take_letter('h', options, words, as_mount_helper);
  if (word == "--version") return take_letter('V', options, words, as_mount_helper);
  if (word == "--refresh") {
    options.action = Options::Action::refresh;
    return {};
  }
  if (word == "--unmount") {
    options.action = Options::Action::unmount;
    return {};
  }
  if (word == "--lazy") {
    options.lazy = true;
    return {};
  }
  if (word == "--") {
    // What follows are places, whatever they begin with.
    words.places.insert(words.places.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        arguments.end());
    i = arguments.size() - 1;
    return {};
  }
  if (word.starts_with("--")) return wrong("unknown option " + word);
  if (!word.starts_with('-') || word == "-") {
    words.places.push_back(word);
    return {};
  }
  for (std::size_t letter = 1; letter < word.size(); ++letter) {
    if (word[letter] != 'o' && word[letter] != 't' && word[letter] != 'N') {
      TRY(take_letter(word[letter], options, words, as_mount_helper));
      continue;
    }
    std::string value = word.substr(letter + 1);
    if (value.empty()) {
      if (++i == arguments.size()) return wrong(fmt::format("-{} needs a value", word[letter]));
      value = arguments[i];
    }
    if (word[letter] == 'o') words.options.push_back(value);
    break;
  }
  return {};
}

Result<void> take_places(Options& options, const std::vector<std::string>& places) {
  const std::size_t most = options.action == Options::Action::mount ? 2 : 1;
  if (places.empty() || places.size() > most) {
    return wrong("a target and a mount point are expected: berthfs [TARGET] MOUNTPOINT");
  }
  if (places.size() == 2) options.target = TRY(parse_target(places[0]));
  if (places.back().empty()) return wrong("the mount point is empty");
  options.mount_point = absolute(places.back());
  if (!options.mount_point.has_filename()) options.mount_point = options.mount_point.parent_path();
  return {};
}

/// Settings of one registry need a registry to belong to.
Result<void> bind_to_target(Options& options) {
  const bool named = !options.target.registry.empty();
  const std::string files =
      options.ca_file + options.cert_file + options.key_file + options.key_password_file;
  if (!named && !files.empty()) {
    return wrong(
        "-o ca_file=, cert_file=, key_file= and key_password_file= are for the one registry that a "
        "mount "
        "names; for a mount of every registry write them into berth's configuration file");
  }
  if (options.cert_file.empty() && !options.key_file.empty()) {
    return wrong("-o key_file= needs -o cert_file=");
  }
  for (std::string& host : options.plain_http) {
    if (host.empty() && !named) {
      return wrong("-o plain_http needs a host here: plain_http=localhost:5000");
    }
    if (host.empty()) host = options.target.registry;
  }
  return {};
}

}  // namespace

Result<Options> parse_options(std::span<const std::string> arguments, bool as_mount_helper) {
  Options options;
  Words words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    TRY(take_word(arguments, i, options, words, as_mount_helper));
  }
  using Action = Options::Action;
  if (options.action == Action::help || options.action == Action::version) return options;
  for (const std::string& list : words.options) {
    for (const std::string& option : split_list(list)) {
      TRY(take_option(options, option, as_mount_helper, words.sloppy));
    }
  }
  TRY(take_places(options, words.places));
  TRY(bind_to_target(options));
  return options;
}

std::string help_text() {
  std::string text =
      "Usage: berthfs [-f] [-d] [-o OPTION[,OPTION...]] [TARGET] MOUNTPOINT\n"
      "       berthfs --refresh MOUNTPOINT\n"
      "       berthfs --unmount [--lazy] MOUNTPOINT\n"
      "Shows a container registry as a file system; read-only unless -o rw.\n\n"
      "TARGET  REGISTRY, REGISTRY/REPOSITORY, with :TAG or @DIGEST an image or artifact,\n"
      "        oci:DIR an OCI image layout (oci:DIR:TAG or oci:DIR@DIGEST one image of it),\n"
      "        all (or nothing) every registry that is known\n"
      "-f      stay in the foreground\n"
      "-d      the same, and log every call to standard error\n"
      "--refresh  forget what may have changed: tags, listings (as SIGHUP does)\n"
      "--unmount  unmount; --lazy: from sight at once, for good when nobody uses it\n\n"
      "Options of -o, besides those of fstab(5):\n";
  for (const OptionRule& rule : kRules) {
    const bool optional = rule.argument.starts_with('[');
    const std::string shown =
        rule.argument.empty() ? std::string(rule.name)
        : optional
            ? fmt::format("{}[={}]", rule.name, rule.argument.substr(1, rule.argument.size() - 2))
            : fmt::format("{}={}", rule.name, rule.argument);
    text += fmt::format("  {:<21} {}\n", shown, rule.help);
  }
  text += "\nUnmount with `berth unmount`, fusermount3 -u or umount.\n";
  return text;
}

}  // namespace berth::fuse
