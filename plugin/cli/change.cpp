// SPDX-License-Identifier: Apache-2.0
// tag, untag, rm: what changes a registry. Each prints the object that it resolved.
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/content/copy.hpp"
#include "berth/content/remove.hpp"
#include "berth/json/writer.hpp"
#include "berth/oci/reference.hpp"

#include "commands.hpp"
#include "exit_status.hpp"

namespace berth::cli {

namespace {

constexpr int kJobs = 16;

/// "a, b": so many are named in a message; more are counted.
std::string listed(const std::vector<std::string>& all) {
  constexpr std::size_t kNamed = 5;
  std::string names;
  for (std::size_t i = 0; i < std::min(all.size(), kNamed); ++i) {
    names += (i == 0 ? "" : ", ") + all[i];
  }
  return all.size() > kNamed ? names + " and " + std::to_string(all.size() - kNamed) + " more"
                             : names;
}

/// Lines for people, objects for --json.
class Report {
 public:
  explicit Report(Workspace& workspace)
      : workspace_(workspace) {}
  ~Report() {
    if (workspace_.options().json) workspace_.io().print(all_.to_text(2) + "\n");
  }
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void add(const char* verb, const std::string& object, const std::optional<Digest>& digest,
           const std::string& more = {}) {
    if (workspace_.options().json) {
      json::Node node = json::Node::object();
      node.set(verb, object);
      if (digest) node.set("digest", digest->text());
      all_.push_back(std::move(node));
      return;
    }
    workspace_.io().print(std::string(verb) + " " + text::escape_for_terminal(object) +
                          (digest ? " (" + digest->text() + ")" : "") + more + "\n");
  }

 private:
  Workspace& workspace_;
  json::Node all_ = json::Node::array();
};

/// A blob's link in a manifest's folder is that manifest's: the blob has a place of its own.
Result<void> check_not_a_link(const std::string& place, const Located& located,
                              const tree::Tree::Meaning& meaning) {
  if (!meaning.is_blob || located.found.node->type() != tree::Type::link) return {};
  const std::string& digest = meaning.digest->text();
  const std::size_t colon = digest.find(':');
  return Error{Errc::invalid_argument, place + " is a link of a manifest's folder: the blob is " +
                                           meaning.registry + "/" + meaning.repository +
                                           "/.blobs/" + digest.substr(0, colon) + "/" +
                                           digest.substr(colon + 1)};
}

/// `by_link`: a blob may be named by a link to it.
Result<tree::Tree::Meaning> resolve(Workspace& workspace, const std::string& place,
                                    bool by_link = true) {
  const Located located = TRY(workspace.locate(place, false));
  auto meaning = TRY(located.tree->meaning(located.found.node, workspace.context()));
  if (!by_link) TRY(check_not_a_link(place, located, meaning));
  return meaning;
}

std::string tagged(const tree::Tree::Meaning& meaning) {
  return meaning.registry + "/" + meaning.repository + ":" + meaning.tag;
}
std::string by_digest(const tree::Tree::Meaning& meaning) {
  return meaning.registry + "/" + meaning.repository + "@" + meaning.digest->text();
}

/// What was learned of the repository before now holds no more.
void forget(Workspace& workspace, const tree::Tree::Meaning& meaning, bool deleted = false) {
  const auto hub = workspace.hub();
  if (!hub) return;
  content::Store& store = (*hub)->store();
  if (deleted) {
    store.cache().remembered().forget_seen(meaning.registry, meaning.repository, *meaning.digest);
  }
  store.note_change(meaning.registry, meaning.repository);
}

class Tagger {
 public:
  Tagger(Workspace& workspace, tree::Tree::Meaning meaning, Report& report)
      : workspace_(workspace),
        meaning_(std::move(meaning)),
        report_(report) {}

  Result<void> tag(const std::string& name) {
    if (oci::is_tag(name)) return tag_here(name);
    const auto target = oci::Reference::parse(name);
    if (!target || !target->tag || target->digest) {
      return Error{Errc::invalid_argument, "'" + text::escape_for_terminal(name) +
                                               "' is neither a tag nor REGISTRY/REPOSITORY:TAG"};
    }
    if (target->registry == meaning_.registry && target->repository == meaning_.repository) {
      return tag_here(*target->tag);
    }
    return copy(*target);
  }

 private:
  Result<void> tag_here(const std::string& name) {
    content::Changes* changes = TRY(meaning_.source->changes(workspace_.context()));
    const Digest digest =
        TRY(changes->tag(meaning_.repository, meaning_.digest->text(), name, workspace_.context()));
    forget(workspace_, meaning_);
    report_.add("tagged", meaning_.registry + "/" + meaning_.repository + ":" + name, digest);
    return {};
  }

  Result<void> copy(const oci::Reference& target) {
    content::Hub* hub = TRY(workspace_.hub());
    const auto to = TRY(hub->source(target.registry));
    const Digest digest = TRY(content::copy_to_registry(
        hub->store(), meaning_.source, meaning_.repository, *meaning_.digest, to, target.repository,
        *target.tag, {}, workspace_.context()));
    report_.add("tagged", target.text(), digest);
    return {};
  }

  Workspace& workspace_;
  const tree::Tree::Meaning meaning_;
  Report& report_;
};

Result<void> untag(Workspace& workspace, const tree::Tree::Meaning& meaning, Report& report) {
  content::Changes* changes = TRY(meaning.source->changes(workspace.context()));
  TRY(changes->delete_tag(meaning.repository, meaning.tag, workspace.context()));
  forget(workspace, meaning);
  report.add("untagged", tagged(meaning), meaning.digest);
  return {};
}

class Remover {
 public:
  Remover(const RmCommand& command, Workspace& workspace, Report& report)
      : command_(command),
        workspace_(workspace),
        report_(report) {}

  Result<void> remove(const std::string& place) {
    auto meaning = resolve(workspace_, place, false);
    if (!meaning) {
      const bool gone = command_.force && meaning.error().code() == Errc::not_found;
      return gone ? Result<void>() : Result<void>(std::move(meaning).error());
    }
    if (!meaning->tag.empty()) return untag(workspace_, *meaning, report_);
    if (meaning->is_manifest) return manifest(*meaning);
    if (meaning->is_blob) return blob(*meaning);
    if (meaning->is_repository) return repository(place, *meaning);
    return Error{Errc::invalid_argument,
                 place +
                     " cannot be removed: tags, manifests (REGISTRY/REPOSITORY@DIGEST), blobs "
                     "and, with -r, repositories can"};
  }

 private:
  Result<void> manifest(const tree::Tree::Meaning& meaning) {
    const Context& context = workspace_.context();
    content::Changes* changes = TRY(meaning.source->changes(context));
    const auto tags = TRY(content::tags_leading_to(*meaning.source, meaning.repository,
                                                   *meaning.digest, kJobs, context));
    if (!tags.empty() && !command_.force) {
      return Error{Errc::conflict, by_digest(meaning) + " is what " + listed(tags) +
                                       (tags.size() == 1 ? " leads" : " lead") +
                                       " to: untag first, or use -f to delete it with its tags"};
    }
    TRY(changes->delete_manifest(meaning.repository, *meaning.digest, context));
    forget(workspace_, meaning, true);
    report_.add("deleted", by_digest(meaning), std::nullopt,
                tags.empty() ? "" : " with " + std::to_string(tags.size()) + " tags");
    return {};
  }

  Result<void> blob(const tree::Tree::Meaning& meaning) {
    const Context& context = workspace_.context();
    content::Changes* changes = TRY(meaning.source->changes(context));
    if (!command_.force) {
      const auto naming = TRY(content::manifests_naming(*meaning.source, meaning.repository,
                                                        *meaning.digest, kJobs, context));
      if (!naming.empty()) {
        std::vector<std::string> names;
        names.reserve(naming.size());
        for (const Digest& digest : naming) names.push_back(digest.text());
        return Error{Errc::conflict, "blob " + by_digest(meaning) + " is what " + listed(names) +
                                         (names.size() == 1 ? " needs" : " need") +
                                         ": delete that first, or use -f"};
      }
    }
    TRY(changes->delete_blob(meaning.repository, *meaning.digest, context));
    forget(workspace_, meaning, true);
    report_.add("deleted", "blob " + by_digest(meaning), std::nullopt);
    return {};
  }

  Result<void> repository(const std::string& place, const tree::Tree::Meaning& meaning) {
    if (!command_.recursive) {
      return Error{Errc::invalid_argument,
                   place + " is a repository: -r removes it with all its tags and manifests"};
    }
    const auto removed = TRY(content::remove_repository(*meaning.source, meaning.repository, kJobs,
                                                        workspace_.context()));
    if (const auto hub = workspace_.hub()) {
      cache::Remembered& remembered = (*hub)->store().cache().remembered();
      remembered.forget_repository(meaning.registry, meaning.repository);
      remembered.distrust(meaning.registry, "");
    }
    report_.add("deleted", "repository " + meaning.registry + "/" + meaning.repository,
                std::nullopt,
                removed.at_once ? ""
                                : " (" + std::to_string(removed.tags) + " tags, " +
                                      std::to_string(removed.manifests) + " manifests)");
    return {};
  }

  const RmCommand& command_;
  Workspace& workspace_;
  Report& report_;
};

template <class Each>
int for_each(Workspace& workspace, const std::vector<std::string>& operands, const Each& each) {
  int status = kDone;
  for (const std::string& operand : operands) {
    const Result<void> done = each(operand);
    if (done) continue;
    const int one = report(workspace, done.error());
    status = worse(status, one);
    if (one == kInterrupted) return one;
  }
  return status;
}

}  // namespace

int run_tag(const TagCommand& command, Workspace& workspace) {
  workspace.name_hosts({command.place});
  workspace.name_hosts(command.names);
  auto meaning = resolve(workspace, command.place);
  if (meaning && (!meaning->digest || (meaning->tag.empty() && !meaning->is_manifest))) {
    meaning = Error{Errc::invalid_argument,
                    command.place + " is no tag or manifest (REGISTRY/REPOSITORY:TAG)"};
  }
  if (!meaning) return report(workspace, meaning.error());
  Report lines(workspace);
  Tagger tagger(workspace, *std::move(meaning), lines);
  return for_each(workspace, command.names,
                  [&](const std::string& name) { return tagger.tag(name); });
}

int run_untag(const UntagCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  Report lines(workspace);
  return for_each(workspace, command.places, [&](const std::string& place) -> Result<void> {
    const auto meaning = TRY(resolve(workspace, place));
    if (meaning.tag.empty()) {
      return Error{Errc::invalid_argument, place + " is no tag (REGISTRY/REPOSITORY:TAG)"};
    }
    return untag(workspace, meaning, lines);
  });
}

int run_rm(const RmCommand& command, Workspace& workspace) {
  workspace.name_hosts(command.places);
  Report lines(workspace);
  Remover remover(command, workspace, lines);
  return for_each(workspace, command.places,
                  [&](const std::string& place) { return remover.remove(place); });
}

}  // namespace berth::cli
