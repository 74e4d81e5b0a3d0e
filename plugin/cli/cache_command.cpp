// SPDX-License-Identifier: Apache-2.0
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
    if (command_.verb == "status") return status(cache);
    if (command_.verb == "verify") return verify(cache);
    if (command_.verb == "prune") return prune(cache);
    return limit(cache);
  }

 private:
  Result<int> status(cache::Cache& cache) {
    const cache::Status status = TRY(cache.status());
    json::Node object = json::Node::object();
    object.set("folder", status.folder.string());
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
    json::Node object = json::Node::object();
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
    json::Node object = json::Node::object();
    object.set("freed", freed);
    print(object, text::format_size(freed) + " freed\n");
    return kDone;
  }

  Result<int> limit(cache::Cache& cache) {
    if (!command_.size.empty()) {
      const auto bytes = TRY(text::parse_size(command_.size));
      TRY(cache.set_limit(bytes, workspace_.context()));
    }
    json::Node object = json::Node::object();
    object.set("limit", cache.limit());
    print(object, text::format_size(cache.limit()) + "\n");
    return kDone;
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
