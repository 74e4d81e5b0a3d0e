// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <sstream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "berth/base/text.hpp"

#include "exit_status.hpp"
#include "wrong_use.hpp"

namespace berth::cli {

namespace {

void add_common(CLI::App& app, CommonOptions& common) {
  app.add_flag("--json", common.json, "print JSON")->group("Every command");
  app.add_flag("-v,--verbose", common.verbose, "say what is done; twice: each request")
      ->group("Every command");
  app.add_flag("--offline", common.offline, "ask no registry; answer from the cache")
      ->group("Every command");
  app.add_flag("--plain-http", common.plain_http, "speak http to the registry that is named here")
      ->group("Every command");
  app.add_flag("--no-progress", common.no_progress, "draw no progress bar")->group("Every command");
  app.add_option("--authfile", common.auth_file,
                 "podman's credentials file, instead of the usual ones")
      ->type_name("FILE")
      ->group("Every command");
  app.add_option("--config", common.docker_config,
                 "docker's configuration folder, instead of ~/.docker")
      ->type_name("DIR")
      ->group("Every command");
  app.add_option("--ca-file", common.ca_file, "trust this CA besides the system's")
      ->type_name("PEM")
      ->group("Every command");
  app.add_option("--cert-file", common.cert_file, "client certificate")
      ->type_name("PEM")
      ->group("Every command");
  app.add_option("--key-file", common.key_file, "key of the client certificate")
      ->type_name("PEM")
      ->group("Every command");
  app.add_option("--key-password-file", common.key_password_file,
                 "its first line is the password of that key, or of a PKCS#12 certificate")
      ->type_name("FILE")
      ->group("Every command");
  auto* user = app.add_option("-u,--username", common.username,
                              "user name; the password comes by --password-stdin")
                   ->type_name("NAME")
                   ->group("Every command");
  app.add_flag("--password-stdin", common.password_stdin, "read the password from standard input")
      ->needs(user)
      ->group("Every command");
  app.add_option("--platform", common.platform, "of an index, this one (linux/arm64/v8)")
      ->type_name("OS/ARCH[/VARIANT]")
      ->group("Every command");
  app.add_option("--cache", common.cache,
                 "cache folder, instead of $BERTH_CACHE or ~/.cache/berth (root's mounts: "
                 "/var/cache/berth)")
      ->type_name("DIR")
      ->group("Every command");
  app.add_option("--timeout", common.timeout, "give up after so many seconds")
      ->type_name("SECONDS")
      ->group("Every command");
}

class Parser {
 public:
  explicit Parser(const std::string& version)
      : app_(
            "berth: a container registry, mounted.\n\n"
            "A PLACE is REGISTRY[/NAME...], as in localhost:5000/library/hello:v1/config.json: "
            "what the mounted tree shows\n"
            "under that path; or oci:DIR[:TAG|@DIGEST][/...], a local OCI image layout. A local "
            "path "
            "begins with / ./ or ../.",
            "berth") {
    app_.set_version_flag("--version", "berth " + version);
    app_.require_subcommand(1);
    app_.fallthrough();
    add_common(app_, invocation_.common);
    add_reading();
    add_changing();
    add_managing();
    add_mounting();
    add_housekeeping();
    add_accounts();
  }

  std::vector<std::string> options_of(const std::string& command) const {
    std::vector<std::string> names;
    const auto found =
        app_.get_subcommands([&](const CLI::App* sub) { return sub->check_name(command); });
    std::vector<const CLI::App*> apps{&app_};
    if (!found.empty()) apps.push_back(found.front());
    for (const CLI::App* app : apps) {
      const auto shown = app->get_options([&](const CLI::Option* option) {
        const bool is_of_none = !found.empty() && option->get_name() == "--version";
        return !option->get_group().empty() && !is_of_none;
      });
      for (const CLI::Option* option : shown) {
        for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
      }
    }
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    return names;
  }

  ParseResult parse(const std::vector<std::string>& arguments) {
    // CLI11 would say that a sub-command is missing.
    if (!arguments.empty() && !arguments.front().starts_with('-')) {
      if (arguments.front() == "help") return parse({"--help"});
      const auto known = app_.get_subcommands(
          [&](const CLI::App* sub) { return sub->check_name(arguments.front()); });
      if (known.empty()) {
        return {.error = unknown_command(app_, arguments.front()), .exit_status = kWrongUse};
      }
    }
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    try {
      app_.parse(reversed);
    } catch (const CLI::ParseError& error) {
      if (error.get_exit_code() != 0) {
        return {.error = wrong_use(app_, error), .exit_status = kWrongUse};
      }
      std::ostringstream out;
      app_.exit(error, out, out);
      return {.text = out.str()};
    }
    for (const CLI::App* sub : app_.get_subcommands()) {
      // A word that is to be completed may have no letter yet.
      if (sub->get_group().empty() && sub->get_name() != "umount") continue;
      if (has_empty_operand(*sub)) {
        return {.error = empty_operand(sub->get_name()), .exit_status = kWrongUse};
      }
    }
    return {.invocation = std::move(invocation_)};
  }

 private:
  static bool has_empty_operand(const CLI::App& sub) {
    const auto positional = [](const CLI::Option* option) { return option->get_positional(); };
    for (const CLI::Option* option : sub.get_options(positional)) {
      const auto& words = option->results();
      if (std::ranges::find(words, "") != words.end()) return true;
    }
    return false;
  }

  template <class T>
  CLI::App* add(const std::string& name, const std::string& help, T& value) {
    CLI::App* sub = app_.add_subcommand(name, help);
    sub->callback([this, &value] { invocation_.command = value; });
    return sub;
  }

  void add_reading() {
    auto* ls = add("ls", "list repositories, tags, a manifest's files", ls_);
    ls->add_option("PLACE", ls_.places, "what to list; none: the registries that are known");
    ls->add_flag("-l,--long", ls_.long_format, "type, size, time, and the digest of a tag");
    ls->add_flag("-R,--recursive", ls_.recursive, "and everything below");
    ls->add_flag("-a,--all", ls_.all, "with the folders that begin with a dot");
    ls->add_flag("-1", ls_.one_column, "one name a line");
    ls->add_option("--sort", ls_.sort,
                   "name; updated: the newest first; size: the largest first (name)")
        ->type_name("KEY")
        ->check(CLI::IsMember({"name", "updated", "size"}));
    ls->add_flag("-r,--reverse", ls_.reverse, "in the other order");

    auto* tree = add("tree", "draw what stands below a place", tree_);
    tree->add_option("PLACE", tree_.places)->required();
    tree->add_option("-L,--level", tree_.depth, "how deep (3)")->type_name("N");

    add("cat", "write files to standard output", cat_)
        ->add_option("PLACE", cat_.places)
        ->required();
    add("stat", "show what is known of a place", stat_)
        ->add_option("PLACE", stat_.places)
        ->required();

    auto* cp = add(
        "cp", "copy: to files, a layout (oci:DIR[:TAG]), an archive (oci-archive:FILE), a registry",
        cp_);
    cp->add_option("PLACES", cp_.sources, "one or more sources, then the target")
        ->required()
        ->expected(2, -1)
        ->type_name("SOURCE... TARGET");
    cp->add_flag("-r,-R,--recursive", cp_.recursive, "copy folders");
    cp->add_flag("-f,--force", cp_.force, "replace files that are there");
    cp->add_flag("--referrers", cp_.referrers, "of an image: with what refers to it");
    cp->add_option("-j,--jobs", cp_.jobs, "blobs at once (4)")
        ->type_name("N")
        ->check(CLI::Range(1, 64));
    cp->callback([this] {
      cp_.target = cp_.sources.back();
      cp_.sources.pop_back();
      invocation_.command = cp_;
    });
  }

  void add_changing() {
    auto* tag = add("tag", "give an image another tag, without a pull", tag_);
    tag->add_option("PLACE", tag_.place, "a tag or manifest (REGISTRY/REPOSITORY:TAG)")->required();
    tag->add_option("NAME", tag_.names, "a tag, or REGISTRY/REPOSITORY:TAG")->required();
    add("untag", "take tags away; their manifests stay", untag_)
        ->add_option("PLACE", untag_.places, "REGISTRY/REPOSITORY:TAG")
        ->required();
    auto* rm = add("rm", "untag a tag; delete a manifest, a blob, or (-r) a repository", rm_);
    rm->add_option("PLACE", rm_.places, "what to remove")->required();
    rm->add_flag("-r,-R,--recursive", rm_.recursive, "a repository with all that is in it");
    rm->add_flag("-f,--force", rm_.force,
                 "a manifest with the tags that lead to it; what is not there is no error");
  }

  void add_managing() {
    auto* set =
        add("set", "set properties: what may be done with a tag, manifest or repository", set_);
    set->add_option("PLACE", set_.place, "R/a:v1, R/a@sha256:..., or R/a")->required();
    set->add_option("PROPERTY", set_.changes,
                    "can_read, can_write, can_delete or can_list, =true or =false")
        ->required()
        ->type_name("NAME=BOOL...");

    auto* deleted = add("deleted", "list and restore what soft delete keeps", deleted_);
    deleted->add_option("VERB", deleted_.verb, "ls or restore")
        ->required()
        ->check(CLI::IsMember({"ls", "restore"}));
    deleted
        ->add_option("PLACE", deleted_.places,
                     "ls: a registry or a repository; restore: R/a:v1 or R/a@sha256:...")
        ->required();
    deleted->add_option("--tag", deleted_.tag, "restore of a digest: with this tag")
        ->type_name("TAG");
    deleted->add_flag("-f,--force", deleted_.force, "restore a tag that leads elsewhere by now");

    auto* purge = add("purge", "delete old tags and manifests, after showing which", purge_);
    purge->add_option("PLACE", purge_.place, "a registry, or a repository")->required();
    purge
        ->add_option("-f,--filter", purge_.filters,
                     "regular expressions: REPOSITORY:TAG of a registry, TAG of a repository")
        ->type_name("FILTER")
        ->take_all()
        ->allow_extra_args(false);
    purge
        ->add_option("--ago", purge_.ago,
                     "only what was last updated longer ago, as in 30d or 2d3h")
        ->type_name("DURATION");
    purge->add_option("--keep", purge_.keep, "of the tags that would go, the newest N stay")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    auto* untagged =
        purge->add_flag("--untagged", purge_.untagged, "and manifests that have no tag then");
    purge->add_flag("--untagged-only", purge_.untagged_only, "manifests without a tag, and no tags")
        ->excludes(untagged);
    purge->add_flag("--include-locked", purge_.include_locked, "unlock what is locked");
    purge->add_flag("--trust-lists", purge_.trust_lists,
                    "go by lists that hold less than the repository counts");
    purge
        ->add_option("--repository-page-size", purge_.repository_page_size,
                     "repositories in each page of their list (100)")
        ->type_name("N")
        ->check(CLI::Range(1, 1000));
    purge
        ->add_option("--filter-timeout-seconds", purge_.filter_timeout_seconds,
                     "how long all matching may take (60)")
        ->type_name("SECONDS")
        ->check(CLI::Range(0.001, 86'400.0));
    purge->add_flag("-n,--dry-run", purge_.dry_run, "show what would go, and delete nothing");
    purge->add_flag("-y,--yes", purge_.yes, "do not ask");
    purge->add_option("-j,--jobs,--concurrency", purge_.jobs, "requests at once (4)")
        ->type_name("N")
        ->check(CLI::Range(1, 32));
  }

  void add_mounting() {
    auto* mount = add(
        "mount", "mount a place, or every registry that is known, as folders and files", mount_);
    mount
        ->add_option("PLACE DIR", operands_,
                     "the place (none: every registry), and the folder to mount on")
        ->required()
        ->expected(1, 2);
    mount->add_option("-o", mount_.mount_options, "mount options, as of mount(8); see berthfs(8)")
        ->type_name("OPTION,...")
        ->take_all()
        ->allow_extra_args(false);
    mount->add_flag("-f,--foreground", mount_.foreground, "stay, and log to the terminal");
    mount->callback([this] {
      mount_.folder = operands_.back();
      if (operands_.size() == 2) mount_.place = operands_.front();
      invocation_.command = mount_;
    });
    for (const char* name : {"unmount", "umount"}) {
      auto* unmount = add(name, "unmount", unmount_);
      unmount->add_option("DIR", unmount_.folder)->required();
      unmount->add_flag("-z,--lazy", unmount_.lazy,
                        "now from sight, and for good when nobody uses it");
      if (std::string_view(name) == "umount") unmount->group("");
    }
    add("refresh", "forget listings and tags that may have changed: of a mount, or of a place",
        refresh_)
        ->add_option("DIR|PLACE", refresh_.target)
        ->required();
  }

  void add_housekeeping() {
    auto* cache = add("cache", "show, check and limit the cache", cache_);
    cache->add_option("VERB", cache_.verb, "status, verify, prune or limit")
        ->required()
        ->check(CLI::IsMember({"status", "verify", "prune", "limit"}));
    cache->add_option("SIZE", cache_.size,
                      "prune: what to keep (0); limit: the quota, as 20GiB; 0: the usual one");

    auto* doctor =
        add("doctor", "say in sentences what is wrong: FUSE, credentials, network, cache", doctor_);
    doctor
        ->add_option("REGISTRY", doctor_words_,
                     "the registry; `credentials REGISTRY` for the way to its credential alone")
        ->expected(0, 2)
        ->type_name("[credentials] REGISTRY");
    doctor->callback([this] {
      doctor_.credentials_only = !doctor_words_.empty() && doctor_words_.front() == "credentials";
      if (doctor_words_.size() != (doctor_.credentials_only ? 2U
                                   : doctor_words_.empty()  ? 0U
                                                            : 1U)) {
        throw CLI::ValidationError("doctor",
                                   "write doctor REGISTRY or doctor credentials REGISTRY");
      }
      if (!doctor_words_.empty()) doctor_.registry = doctor_words_.back();
      invocation_.command = doctor_;
    });
    add("completion", "print the completion script of a shell", completion_)
        ->add_option("SHELL", completion_.shell)
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
    auto* complete = add("__complete", "", complete_);
    complete->add_option("WORD", complete_.word);
    complete->add_option("--of", complete_.of);
    complete->group("");
    add("version", "print the version", version_);
  }

  void add_accounts() {
    auto* login =
        add("login", "check a user name and password with a registry and keep them", login_);
    login->add_option("REGISTRY", login_.registry)->required();
    login
        ->add_option("--store", login_.store,
                     "where to keep it: file, secretservice, pass or another helper's name")
        ->type_name("NAME");
    add("logout", "forget what berth keeps for a registry", logout_)
        ->add_option("REGISTRY", logout_.registry)
        ->required();
    add("whoami", "say as whom a registry is asked, and whether it agrees", whoami_)
        ->add_option("REGISTRY", whoami_.registry)
        ->required();
    auto* token = add("token", "print a registry's token for ctr, curl and scripts", token_);
    token->add_option("REGISTRY", token_.registry, "or REGISTRY/REPOSITORY: to pull from it")
        ->required();
    token->add_option("--scope", token_.scopes, "repository:NAME:pull,push; may be repeated")
        ->type_name("SCOPE");
    auto* header = token->add_flag("--header", token_.header, "print the header to send instead");
    token
        ->add_flag("--identity", token_.identity,
                   "print the identity or refresh token, for ctr --refresh")
        ->excludes(header)
        ->excludes("--scope");
    auto* helper = token->add_flag("--helper", token_.helper, "")->group("");
    token->add_flag("--workload-stdin", token_.workload_stdin, "")->group("")->needs(helper);

    auto* setup = add("setup", "have a tool ask berth for credentials", setup_);
    setup->add_option("TOOL", setup_.tool, "docker, podman or kubelet")
        ->required()
        ->check(CLI::IsMember({"docker", "podman", "kubelet"}));
    setup->add_option("--registry", setup_.registries, "for these alone; else for every registry")
        ->type_name("PATTERN");
    setup->add_option("--file", setup_.file, "kubelet: its CredentialProviderConfig")
        ->type_name("FILE");
    setup->add_flag("--undo", setup_.undo, "take back what setup did");
    setup->add_flag("-n,--dry-run", setup_.dry_run, "show the change and stop");
    setup->add_flag("-y,--yes", setup_.yes, "do not ask");
  }

  CLI::App app_;
  Invocation invocation_;
  LoginCommand login_;
  LogoutCommand logout_;
  WhoamiCommand whoami_;
  TokenCommand token_;
  SetupCommand setup_;
  LsCommand ls_;
  TreeCommand tree_;
  CatCommand cat_;
  StatCommand stat_;
  SetCommand set_;
  DeletedCommand deleted_;
  PurgeCommand purge_;
  CpCommand cp_;
  TagCommand tag_;
  UntagCommand untag_;
  RmCommand rm_;
  MountCommand mount_;
  std::vector<std::string> operands_;
  std::vector<std::string> doctor_words_;
  UnmountCommand unmount_;
  RefreshCommand refresh_;
  CacheCommand cache_;
  DoctorCommand doctor_;
  CompletionCommand completion_;
  CompleteCommand complete_;
  VersionCommand version_;
};

}  // namespace

ParseResult parse_command_line(const std::vector<std::string>& arguments,
                               const std::string& version) {
  return Parser(version).parse(arguments);
}

std::vector<std::string> options_of(const std::string& command) {
  return Parser({}).options_of(command);
}

}  // namespace berth::cli
