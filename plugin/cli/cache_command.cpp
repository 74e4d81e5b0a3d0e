// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "berth/base/limit.hpp"
#include "berth/base/log.hpp"
#include "berth/base/text.hpp"
#include "berth/base/try.hpp"
#include "berth/json/writer.hpp"

#include "commands.hpp"
#include "exit_status.hpp"
#include "progress.hpp"

namespace berth::cli {

namespace {

class CacheVerbs {
 public:
  CacheVerbs(const CacheCommand& command, Workspace& workspace)
      : command_(command),
        workspace_(workspace) {}

  Result<int> run() {
    content::Hub* hub = TRY(workspace_.hub());
    cache::Cache& cache = hub->cache();
    note_other_cache(cache.folder());
    if (command_.verb == "status") return status(cache);
    if (command_.verb == "verify") return verify(cache);
    if (command_.verb == "prune") return prune(cache);
    return limit(cache, hub->config());
  }

 private:
  /// Root has two: who limits the one must not think that it was the mounts' one.
  void note_other_cache(const std::filesystem::path& folder) {
    const auto other = workspace_.cache_of_mounts();
    if (!other || workspace_.options().json) return;
    workspace_.io().error_line(text::escape_for_terminal(fmt::format(
        "berth: this is {}, the cache of root's commands; root's mounts use {}: --cache {}",
        folder.string(), other->string(), other->string())));
  }

  Result<int> status(cache::Cache& cache) {
    const cache::Status status = TRY(cache.status());
    json::Node object = about(cache);
    object.set("used", status.used);
    object.set("limit", status.limit);
    object.set("blobs", status.blobs);
    object.set("partial", status.partial);
    object.set("partial_bytes", status.partial_bytes);
    print(object, "folder   " + status.folder.string() + "\nused     " +
                      text::format_size(status.used) + " of " + text::format_size(status.limit) +
                      "\nblobs    " + std::to_string(status.blobs) + "\npartial  " +
                      std::to_string(status.partial) + " (" +
                      text::format_size(status.partial_bytes) + ")\n");
    return kDone;
  }

  Result<int> verify(cache::Cache& cache) {
    const cache::Status before = TRY(cache.status());
    const std::uint64_t total = before.used;
    cache::VerifyReport report;
    {
      ProgressBar bar(workspace_, "verifying");
      report = TRY(
          cache.verify([&](std::uint64_t done) { bar.update(done, total); }, workspace_.context()));
    }
    json::Node object = about(cache);
    object.set("checked", report.checked);
    object.set("bytes", report.bytes);
    json::Node bad = json::Node::array();
    std::string lines;
    for (const Digest& digest : report.bad) {
      bad.push_back(digest.text());
      lines += digest.text() + " was wrong, and removed\n";
    }
    object.set("bad", std::move(bad));
    print(object, lines + std::to_string(report.checked) + " blobs, " +
                      text::format_size(report.bytes) + ", " + std::to_string(report.bad.size()) +
                      " wrong\n");
    return report.bad.empty() ? kDone : kFailed;
  }

  Result<int> prune(cache::Cache& cache) {
    unsigned long long keep = 0;
    if (!command_.size.empty()) keep = TRY(text::parse_size(command_.size));
    const std::uint64_t freed = TRY(cache.prune(keep, workspace_.context()));
    json::Node object = about(cache);
    object.set("freed", freed);
    print(object, text::format_size(freed) + " freed\n");
    return kDone;
  }

  Result<int> limit(cache::Cache& cache, const credential::Config& config) {
    if (!command_.size.empty()) {
      const std::uint64_t bytes = TRY(text::parse_limit(command_.size));
      TRY(cache.set_limit(bytes, workspace_.context()));
      if (!config.cache_limit.empty() && TRY(text::parse_limit(config.cache_limit)) != 0) {
        log::warning(fmt::format(
            "this is written down in the cache, but {} says limit = \"{}\", which goes before it: "
            "change it there",
            config.file.string(), config.cache_limit));
      }
    }
    json::Node object = about(cache);
    object.set("limit", cache.limit());
    print(object, text::format_size(cache.limit()) + "\n");
    return kDone;
  }

  static json::Node about(const cache::Cache& cache) {
    json::Node object = json::Node::object();
    object.set("folder", cache.folder().string());
    return object;
  }

  void print(const json::Node& object, const std::string& text) {
    workspace_.io().print(workspace_.options().json ? object.to_text(2) + "\n" : text);
  }

  const CacheCommand& command_;
  Workspace& workspace_;
};

}  // namespace

int run_cache(const CacheCommand& command, Workspace& workspace) {
  auto status = CacheVerbs(command, workspace).run();
  return status ? *status : report(workspace, status.error());
}

}  // namespace berth::cli
