// SPDX-License-Identifier: Apache-2.0
// What a program sees of a registry that is wrong: each fault has its errno and a sentence in
// .berth/log, and when it is over the mount shows everything again.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "berth/base/fd.hpp"

#include "e2e/mounted.hpp"
#include "support/fake_registry.hpp"

namespace berth::test {
namespace {

using Auth = RegistryBehaviour::Auth;
using testing::HasSubstr;

constexpr std::size_t kMiB = 1024 * 1024;

/// The registry of a case, and what it holds.
struct Rig {
  FakeRegistry& registry;
  TempDir& home;
  FakeImage image;  ///< app:v1, one layer of 200,000 bytes
  FakeImage large;  ///< app:large, one of 9 MiB: given as it arrives

  /// By docker's file; `auth` is base64 of name:password.
  void log_in(const std::string& auth) const {
    home.write(".docker/config.json",
               R"({"auths":{")" + registry.host() + R"(":{"auth":")" + auth + R"("}}})");
  }
  void fault_blob(const FakeImage& of, Fault action, int times = 0) const {
    registry.fault({.method = "GET", .target = "*/blobs/" + of.layer_digests[0], .times = times},
                   std::move(action));
  }
  void fault_all(Fault action, int times = 0) const {
    registry.fault({.target = "/v2/app/*", .times = times}, std::move(action));
  }
};

struct FaultCase {
  const char* name;
  std::function<void(const Rig&)> breaks;
  const char* path;
  int number;        ///< errno; 0: the program sees nothing of it
  const char* said;  ///< in .berth/log; "": nothing need be said
  RegistryBehaviour behaviour{};
  bool tls = false;
};

void PrintTo(const FaultCase& one, std::ostream* out) { *out << one.name; }

/// Lists a folder or reads a file to its end, as `ls` and `cat` do. 0 or errno.
int look(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return errno;
  if (!S_ISDIR(info.st_mode)) {
    std::string got;
    const long count = read_file_to_end(path, got);
    return count < 0 ? static_cast<int>(-count) : 0;
  }
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr) return errno;
  do errno = 0;
  while (::readdir(folder) != nullptr);
  const int number = errno;
  ::closedir(folder);
  return number;
}

// Absence and failure are remembered for seconds, so that a broken registry is not hammered.
int look_until_good(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  for (;;) {
    const int number = look(path);
    if (number == 0 || std::chrono::steady_clock::now() > deadline) return number;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

constexpr const char* kLayer = "app/v1/layers/00.tar.gz";
constexpr const char* kLarge = "app/large/layers/00.tar.gz";
constexpr const char* kManifest = "app/v1/manifest.json";

const FaultCase kCases[] = {
    // Bytes that are not what was promised.
    {"WrongByteOfASmallBlob",
     [](const Rig& rig) { rig.fault_blob(rig.image, fault::flip_byte(7)); }, kLayer, EIO, "digest"},
    {"WrongByteOfALargeBlob",
     [](const Rig& rig) { rig.fault_blob(rig.large, fault::flip_byte(8 * kMiB)); }, kLarge, EIO,
     "digest"},
    {"WrongByteOfAManifest",
     [](const Rig& rig) {
       rig.registry.fault({.method = "GET", .target = "*/manifests/*", .times = 0},
                          fault::flip_byte(20));
     },
     kManifest, EIO, "digest"},
    {"BodyTooLong", [](const Rig& rig) { rig.fault_blob(rig.large, fault::longer()); }, kLarge, EIO,
     "promises"},
    {"BytesAfterTheBody", [](const Rig& rig) { rig.fault_blob(rig.large, fault::extra_bytes()); },
     kLarge, 0, ""},
    {"BodyCutShortOnce", [](const Rig& rig) { rig.fault_blob(rig.large, fault::cut(kMiB), 1); },
     kLarge, 0, ""},
    {"BodyCutShortForEver", [](const Rig& rig) { rig.fault_blob(rig.image, fault::cut(1000)); },
     kLayer, EHOSTDOWN, "blob"},
    {"RangeMoved",
     [](const Rig& rig) {
       rig.fault_blob(rig.large, fault::cut(kMiB), 1);
       rig.fault_blob(rig.large, fault::shift_content_range(1));
     },
     kLarge, EIO, "were asked for"},
    // Statuses.
    {"ServerErrorOnce", [](const Rig& rig) { rig.fault_all(fault::status(500), 1); }, kLayer, 0,
     ""},
    {"ServerErrorForEver", [](const Rig& rig) { rig.fault_all(fault::status(500)); }, kLayer,
     EHOSTDOWN, "HTTP 500"},
    {"BadGatewayOfABlob", [](const Rig& rig) { rig.fault_blob(rig.image, fault::status(502)); },
     kLayer, EHOSTDOWN, "HTTP 502"},
    {"TooManyRequestsOnce", [](const Rig& rig) { rig.fault_all(fault::too_many_requests("1"), 1); },
     kLayer, 0, ""},
    {"TooManyRequestsForEver", [](const Rig& rig) { rig.fault_all(fault::too_many_requests()); },
     kLayer, EBUSY, "HTTP 429"},
    {"TooManyRequestsForAnHour",
     [](const Rig& rig) { rig.fault_all(fault::too_many_requests("3600")); }, kLayer, EBUSY,
     "HTTP 429"},
    {"RefusedWithoutAChallenge", [](const Rig& rig) { rig.fault_all(fault::challenge("")); },
     kLayer, EACCES, "log in"},
    {"Forbidden", [](const Rig& rig) { rig.fault_all(fault::error(403, "DENIED")); }, kLayer,
     EACCES, "HTTP 403"},
    {"BlobIsGone", [](const Rig& rig) { rig.fault_blob(rig.image, fault::status(404)); }, kLayer,
     ENOENT, "HTTP 404"},
    {"NoCredential", [](const Rig&) {}, "app", EACCES, "docker login", {.auth = Auth::basic}},
    {"WrongPassword",
     [](const Rig& rig) { rig.log_in("YWxpY2U6d3Jvbmc="); },
     "app",
     EACCES,
     "config.json",
     {.auth = Auth::basic}},
    {"ConnectionsDropped", [](const Rig& rig) { rig.fault_all(fault::drop()); }, kLayer, EHOSTDOWN,
     "app"},
    // Where a server may lead.
    {"BlobsElsewhere", [](const Rig&) {}, kLarge, 0, "", {.redirect_blobs = true}},
    {"RedirectsInACircle",
     [](const Rig& rig) {
       rig.fault_blob(rig.image, fault::redirect("/v2/app/blobs/" + rig.image.layer_digests[0]));
     },
     kLayer, EIO, "redirects"},
    {"RedirectToHttp",
     [](const Rig& rig) { rig.fault_blob(rig.image, fault::redirect("http://127.0.0.1:9/x")); },
     kLayer,
     EPROTO,
     "not encrypted",
     {},
     true},
    {"RedirectToAnotherScheme",
     [](const Rig& rig) { rig.fault_blob(rig.image, fault::redirect("file:///etc/passwd")); },
     kLayer, EPROTO, "scheme 'file'"},
    {"RealmOverHttp",
     [](const Rig& rig) {
       rig.fault_all(fault::challenge(R"(Bearer realm="http://127.0.0.1:9/token",service="s")"));
     },
     kLayer,
     EPROTO,
     "not encrypted",
     {},
     true},
    {"NextPageElsewhere",
     [](const Rig& rig) {
       rig.registry.fault({.target = "*/tags/list*", .times = 0},
                          fault::link("http://localhost:9/v2/app/tags/list?last=v1"));
     },
     "app", EPROTO, "a list stays at its registry"},
    // What a registry cannot do.
    {"CannotListTheCatalogue",
     [](const Rig&) {},
     "",
     0,
     "does not list its repositories",
     {.catalogue = RegistryBehaviour::Catalogue::off}},
    {"ListsTagsWithoutACatalogue",
     [](const Rig&) {},
     "app",
     0,
     "does not list its repositories",
     {.catalogue = RegistryBehaviour::Catalogue::off}},
    {"RefusesTheCatalogue",
     [](const Rig&) {},
     "",
     EACCES,
     "HTTP 40",
     {.catalogue = RegistryBehaviour::Catalogue::denied}},
    {"NoHead", [](const Rig&) {}, kLayer, 0, "", {.head = false}},
    {"NoRanges",
     [](const Rig& rig) { rig.fault_blob(rig.large, fault::cut(kMiB), 1); },
     kLarge,
     0,
     "",
     {.ranges = false}},
    {"NoDigestHeader", [](const Rig&) {}, kLayer, 0, "", {.content_digest = false}},
};

class FaultTest : public testing::TestWithParam<FaultCase> {};

// S101
TEST_P(FaultTest, HasItsErrnoAndItsSentenceAndLeavesTheMountWorking) {
  const FaultCase& one = GetParam();
  HttpServerOptions server;
  if (one.tls) server.tls = std::make_shared<const TlsCertificates>();
  FakeRegistry registry(one.behaviour, server);
  const std::string small = pattern_bytes(200'000, 1);
  const std::string large = pattern_bytes((9 * kMiB) + 17, 2);
  const auto home = std::make_shared<TempDir>();
  const Rig rig{registry, *home, registry.add_image("app", "v1", {small}),
                registry.add_image("app", "large", {large})};
  one.breaks(rig);
  Mounted mount(home, registry.host(),
                one.tls ? "ca_file=" + server.tls->ca_file().string() : "plain_http");

  EXPECT_EQ(look(mount.path(one.path)), one.number);
  const auto log = berth::read_file(mount.path(".berth/log"), kMiB);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_THAT(*log, HasSubstr(one.said));
  EXPECT_FALSE(mount.server().wait(std::chrono::milliseconds(0))) << "berthfs ended";

  registry.clear_faults();
  registry.change([](RegistryBehaviour& behaviour) { behaviour = {}; });
  EXPECT_EQ(look_until_good(mount.path(one.path)), 0);
  for (const auto& [path, content] : {std::pair(kLayer, &small), std::pair(kLarge, &large)}) {
    EXPECT_EQ(look_until_good(mount.path(path)), 0);
    std::string got;
    EXPECT_EQ(read_file_to_end(mount.path(path), got), static_cast<long>(content->size()));
    EXPECT_TRUE(got == *content) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, FaultTest, testing::ValuesIn(kCases),
                         [](const auto& one) { return one.param.name; });

// S103
TEST(FaultTest, AFileWithAWrongByteAnswersEioFromThenOn) {
  FakeRegistry registry;
  const std::string content = pattern_bytes(9 * kMiB);
  const auto home = std::make_shared<TempDir>();
  const Rig rig{registry, *home, registry.add_image("app", "v1", {content}), {}};
  rig.fault_blob(rig.image, fault::flip_byte(8 * kMiB));
  const Mounted mount(home, registry.host(), "plain_http");
  const Fd file(::open(mount.path(kLayer).c_str(), O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  std::string buffer(128 * 1024, '\0');
  ssize_t got = 0;
  while ((got = ::read(file.get(), buffer.data(), buffer.size())) > 0) {
  }
  ASSERT_EQ(got, -1) << "the end came without an error";
  EXPECT_EQ(errno, EIO);
  registry.clear_faults();
  // Another open finds the right bytes; this one gave wrong ones, and says so wherever it is read.
  ASSERT_EQ(look_until_good(mount.path(kLayer)), 0);
  for (const off_t offset : {off_t{0}, static_cast<off_t>(kMiB), static_cast<off_t>(8 * kMiB)}) {
    ASSERT_EQ(::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED), 0);
    EXPECT_EQ(::pread(file.get(), buffer.data(), buffer.size(), offset), -1) << offset;
    EXPECT_EQ(errno, EIO);
  }
}

/// alice:wonder
constexpr const char* kAlice = "YWxpY2U6d29uZGVy";

TEST(FaultTest, AStorageElsewhereNeverSeesTheCredential) {
  FakeRegistry registry({.auth = Auth::basic, .redirect_blobs = true});
  const std::string content = pattern_bytes(9 * kMiB);
  const auto home = std::make_shared<TempDir>();
  const Rig rig{registry, *home, registry.add_image("app", "v1", {content}), {}};
  rig.log_in(kAlice);
  const Mounted mount(home, registry.host(), "plain_http");
  std::string got;
  EXPECT_EQ(read_file_to_end(mount.path(kLayer), got), static_cast<long>(content.size()));
  EXPECT_GT(registry.storage().requests(), 0);
  for (const HttpRequest& request : registry.storage().log()) {
    EXPECT_FALSE(request.has_header("Authorization")) << request.target;
  }
}

TEST(FaultTest, AHelperThatIsGoneForgetsNoTag) {
  FakeRegistry registry({.auth = Auth::basic});
  const auto home = std::make_shared<TempDir>();
  const Rig rig{registry, *home, registry.add_image("app", "v1", {pattern_bytes(1000)}), {}};
  rig.log_in(kAlice);
  const Mounted mount(home, registry.host(), "plain_http,tag_ttl=1");
  EXPECT_EQ(look(mount.path(kManifest)), 0);
  home->write(".docker/config.json", R"({"credsStore":"gone"})");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  int number = 0;
  while (number == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    number = look(mount.path("app/v1"));
  }
  EXPECT_EQ(number, EACCES) << "a missing program is no missing tag";
  rig.log_in(kAlice);
  rig.fault_all(fault::drop());
  EXPECT_EQ(look_until_good(mount.path(kManifest)), 0) << "the tag was forgotten";
}

// S456
TEST(FaultTest, APlatformThatIsPushedLaterAppears) {
  FakeRegistry registry;
  const auto push = [&] { return registry.add_image("app", "", {pattern_bytes(1000)}).digest; };
  const std::string child = push();
  registry.add_index("app", "idx", {child});
  registry.remove_manifest("app", child);
  const Mounted mount(registry.host(), "plain_http,platform=linux/amd64");
  for (const char* name : {"config.json", "layers", "files"}) {
    EXPECT_EQ(look(mount.path(std::string("app/idx/") + name)), ENOENT) << name;
  }
  push();
  EXPECT_EQ(look_until_good(mount.path("app/idx/config.json")), 0) << "the kernel kept its absence";
  EXPECT_EQ(look_until_good(mount.path("app/idx/layers/00.tar.gz")), 0);
}

TEST(FaultTest, ARealmOnAnotherHostNeverSeesThePassword) {
  FakeRegistry registry({.auth = Auth::bearer});
  // The same token server under another name: not the registry's host, not its known realm.
  registry.change([&](RegistryBehaviour& behaviour) {
    behaviour.realm = "http://localhost:" + std::to_string(registry.tokens().port()) + "/token";
  });
  const auto home = std::make_shared<TempDir>();
  const Rig rig{registry, *home, registry.add_image("app", "v1", {pattern_bytes(1000)}), {}};
  rig.log_in(kAlice);
  const Mounted mount(home, registry.host(), "plain_http");
  EXPECT_EQ(look(mount.path(kLayer)), EPROTO);
  EXPECT_EQ(registry.tokens().requests(), 0);
  const auto log = berth::read_file(mount.path(".berth/log"), kMiB);
  ASSERT_TRUE(log) << log.error().message();
  EXPECT_THAT(*log, HasSubstr("localhost"));

  registry.change([](RegistryBehaviour& behaviour) { behaviour.realm.clear(); });
  EXPECT_EQ(look_until_good(mount.path(kLayer)), 0);
  std::string got;
  EXPECT_EQ(read_file_to_end(mount.path(kLayer), got), 1000);
  EXPECT_TRUE(got == pattern_bytes(1000));
  EXPECT_GT(registry.tokens().requests(), 0);
}

}  // namespace
}  // namespace berth::test
