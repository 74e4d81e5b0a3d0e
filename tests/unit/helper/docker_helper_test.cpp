// SPDX-License-Identifier: Apache-2.0
// The protocol of docker-credential-helpers, string by string.
#include "docker_helper.hpp"

#include "unit/helper/helper_fixture.hpp"

namespace berth::helper {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr const char* kNotFound = "credentials not found in native keychain\n";
constexpr const char* kUsage = "Usage: docker-credential-berth <store|get|erase|list|version>\n";

class DockerHelperTest : public ::testing::Test {
 protected:
  DockerHelperTest() { config("[credential]\nstore = \"file\"\n"); }

  void config(const std::string& toml) const {
    home.folder.write("home/.config/berth/config.toml", toml);
  }
  Said run(const std::vector<std::string>& arguments, const std::string& input = "") const {
    return run_with_input(input, [&](const Streams& streams) {
      return run_docker_helper(arguments, streams, home.environment(), berth, Context());
    });
  }
  void store(const std::string& url, const std::string& user, const std::string& secret) const {
    const Said said = run({"store"}, R"({"ServerURL":")" + url + R"(","Username":")" + user +
                                         R"(","Secret":")" + secret + "\"}\n");
    EXPECT_EQ(said.status, 0) << said.out;
    EXPECT_EQ(said.out, "");
  }
  /// A `berth` that prints what it is told to.
  void fake_berth(const std::string& body) {
    const auto path = home.folder.write("bin/berth", "#!/bin/sh\n" + body + "\n");
    ::chmod(path.c_str(), 0755);
    berth = path.string();
  }
  std::string token_json(const std::string& token, std::chrono::seconds age,
                         std::chrono::seconds left) const {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return R"({"token":")" + token + R"(","issued":)" +
           std::to_string((now - std::chrono::milliseconds(age)).count()) + R"(,"expires":)" +
           std::to_string((now + std::chrono::milliseconds(left)).count()) + "}";
  }

  credential::Home home;
  std::string berth;
};

TEST_F(DockerHelperTest, WithoutOneActionPrintsTheUsageAndFails) {
  for (const auto& arguments : {std::vector<std::string>{}, {"get", "store"}, {"version", "x"}}) {
    const Said said = run(arguments);
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out, kUsage);
  }
}

TEST_F(DockerHelperTest, HelpAndVersionSucceed) {
  for (const char* help : {"--help", "-h"}) {
    const Said said = run({help});
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.out, kUsage);
  }
  for (const char* version : {"version", "--version", "-v"}) {
    const Said said = run({version});
    EXPECT_EQ(said.status, 0);
    EXPECT_THAT(said.out, ::testing::MatchesRegex(
                              "docker-credential-berth \\(berth\\) v[0-9]+\\.[0-9]+\\.[0-9]+\n"));
  }
}

TEST_F(DockerHelperTest, AnUnknownActionIsNamed) {
  const Said said = run({"bogus"});
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, "docker-credential-berth: unknown action: bogus\n");
}

TEST_F(DockerHelperTest, S230_WhatIsStoredIsAnsweredByOneObjectAndNothingElse) {
  store("https://y.example", "al", "p:w");
  const Said said = run({"get"}, "https://y.example");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out,
            "{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\"}\n");
  EXPECT_EQ(said.err, "");
}

TEST_F(DockerHelperTest, S231_AnUnknownRegistryIsNotFoundInTheProtocolsWordsAndNothingElse) {
  const Said said = run({"get"}, "nobody.example\n");
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, kNotFound);
  EXPECT_EQ(said.err, "");
}

TEST_F(DockerHelperTest, AnEmptyUrlOrUserNameHasWordsOfItsOwn) {
  for (const char* action : {"get", "erase"}) {
    const Said said = run({action}, " \n");
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out, "no credentials server URL\n");
    EXPECT_EQ(said.err, "");
  }
  Said said = run({"store"}, R"({"ServerURL":"","Username":"u","Secret":"s"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, "no credentials server URL\n");
  said = run({"store"}, R"({"ServerURL":"a.example","Username":"","Secret":"s"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, "no credentials username\n");
  store("a.example", "u", "");  // an empty secret is allowed
}

TEST_F(DockerHelperTest, S232_EveryFormOfAKeyFindsTheSameCredential) {
  store("https://index.docker.io/v1/", "hub", "s");
  store("h.example:5000", "u", "s");
  for (const char* form : {"docker.io", "index.docker.io", "https://registry-1.docker.io/v2/",
                           "https://index.docker.io/v1/", "docker.io/library/busybox"}) {
    EXPECT_THAT(run({"get"}, form).out, HasSubstr("\"hub\"")) << form;
  }
  for (const char* form : {"https://h.example:5000", "http://h.example:5000/", "H.example:5000",
                           "h.example:5000/lib/bb", "https://h.example:5000/v2/"}) {
    EXPECT_THAT(run({"get"}, form).out, HasSubstr("\"u\"")) << form;
  }
  EXPECT_EQ(run({"get"}, "https://index.docker.io/v1/access-token").out, kNotFound);
}

TEST_F(DockerHelperTest, S233_ControlCharactersSchemesAndUsersInAUrlAreRefused) {
  store("victim.example", "u", "secret");
  for (const char* bad : {"vic\ntim.example", "victim.example\tx", "ftp://victim.example",
                          "https://me@victim.example"}) {
    for (const char* action : {"get", "erase"}) {
      const Said said = run({action}, bad);
      EXPECT_EQ(said.status, 1) << bad;
      EXPECT_THAT(said.out, Not(HasSubstr("secret"))) << bad;
      EXPECT_THAT(said.out, Not(kNotFound)) << bad;
    }
  }
  EXPECT_EQ(run({"get"}, std::string("victim.example\0x", 16)).status, 1);
  EXPECT_THAT(run({"get"}, "victim.example").out, HasSubstr("secret"));
}

TEST_F(DockerHelperTest, UnicodeEscapesAreDecoded) {
  const Said said = run({"store"},
                        "{\"ServerURL\":\"t.example\",\"Username\":\"\\u003ctoken\\u003e\","
                        "\"Secret\":\"\\u00fc\"}\n");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(run({"get"}, "t.example").out,
            "{\"ServerURL\":\"t.example\",\"Username\":\"<token>\",\"Secret\":\"ü\"}\n");
}

TEST_F(DockerHelperTest, S234_ErasingSucceedsAlsoWhenThereIsNothing) {
  store("h.example", "u", "s");
  // What `docker logout` sends.
  for (const char* form : {"h.example", "h.example", "http://h.example", "https://h.example"}) {
    const Said said = run({"erase"}, form);
    EXPECT_EQ(said.status, 0);
    EXPECT_EQ(said.out + said.err, "");
  }
  EXPECT_EQ(run({"get"}, "h.example").out, kNotFound);
}

TEST_F(DockerHelperTest, S234_ErasingByARouteAsksTheHelperWhetherItHasAnything) {
  config("[credential.routes]\n\"*\" = \"helper:other\"\n");
  const std::string log = (home.folder / "log").string();
  // As docker-credential-pass: erasing what it does not have is a failure, in words of its own.
  home.helper("other",
              "echo \"$1 $url\" >> " + log +
                  "; test $1 = get && echo credentials not found in native keychain; exit 1");
  EXPECT_EQ(run({"erase"}, "a.r").status, 0);
  EXPECT_EQ(home.read("log"), "get a.r\n");
  home.helper("other",
              "echo \"$1 $url\" >> " + log +
                  "; test $1 = get && echo '{\"Username\":\"u\",\"Secret\":\"s\"}'; exit 0");
  EXPECT_EQ(run({"erase"}, "https://a.r").status, 0);
  EXPECT_THAT(home.read("log"), HasSubstr("erase a.r\n"));
}

TEST_F(DockerHelperTest, S235_ListIsAnObjectAndAHelperThatFailsDoesNotEndIt) {
  EXPECT_EQ(run({"list"}, "unused").out, "{}\n");
  store("docker.io", "hub", "s");
  store("h.example:5000", "u", "s");
  home.helper("broken", "echo boom; exit 1");
  home.helper("other", R"(echo '{"https://a.other":"o","https://h.example:5000":"not mine"}')");
  config(
      "[credential]\nstore = \"file\"\n[credential.routes]\n\"*.broken\" = \"helper:broken\"\n"
      "\"*.other\" = \"helper:other\"\n\"my.registry\" = \"entra\"\n");
  const Said said = run({"list"}, "unused");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out,
            "{\"h.example:5000\":\"u\",\"https://a.other\":\"o\",\"https://index.docker.io/v1/\":"
            "\"hub\",\"my.registry\":\"00000000-0000-0000-0000-000000000000\"}\n");
  EXPECT_THAT(said.err, HasSubstr("boom"));
}

TEST_F(DockerHelperTest, S236_ARouteLeadsToAnotherHelperWithItsSecretOrItsFailure) {
  config("[credential]\nstore = \"file\"\n[credential.routes]\n\"*.r\" = \"helper:other\"\n");
  home.helper("other", R"(echo "{\"Username\":\"u\",\"Secret\":\"for $url\"}")");
  EXPECT_EQ(run({"get"}, "a.r/repo").out,
            "{\"ServerURL\":\"a.r/repo\",\"Username\":\"u\",\"Secret\":\"for a.r\"}\n");
  home.helper("other", "echo boom; exit 1");
  const Said said = run({"get"}, "a.r");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("docker-credential-other failed for a.r (exit status 1): it "
                                  "said: boom\n"));
  EXPECT_THAT(said.err, StartsWith("docker-credential-berth: docker-credential-other failed"));
}

TEST_F(DockerHelperTest, S237_AHelperThatIsMissingPrintsRubbishOrHangsIsAnErrorThatNamesIt) {
  config(
      "[credential]\nstore = \"file\"\nhelper_timeout = 1\n"
      "[credential.routes]\n\"*\" = \"helper:other\"\n");
  EXPECT_THAT(run({"get"}, "a.r").out, HasSubstr("docker-credential-other is named"));
  home.helper("other", "echo not json");
  EXPECT_THAT(run({"get"}, "a.r").out,
              HasSubstr("the answer of docker-credential-other is not valid JSON"));
  home.helper("other", "sleep 60");
  EXPECT_THAT(run({"get"}, "a.r").out,
              HasSubstr("asking docker-credential-other for a.r: no answer in time"));
  EXPECT_EQ(run({"get"}, "a.r").status, 1);
}

TEST_F(DockerHelperTest, S238_ARouteToNowhereIsAnonymousAndKeepsNothing) {
  config("[credential]\nstore = \"file\"\n[credential.routes]\n\"*\" = \"anonymous\"\n");
  EXPECT_EQ(run({"get"}, "a.r").out, kNotFound);
  const Said said = run({"store"}, R"({"ServerURL":"a.r","Username":"u","Secret":"s3cret"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("berth's route \"*\" = \"anonymous\" says that it would never"));
  EXPECT_THAT(said.out, Not(HasSubstr("s3cret")));
}

TEST_F(DockerHelperTest, S239_HelpersThatRouteToEachOtherAreNamed) {
  config("[credential.routes]\n\"*\" = \"helper:other\"\n");
  // Another helper that asks berth again.
  home.variables["BERTH_HELPER_CHAIN"] = "berth -> other";
  Said said = run({"get"}, "a.r");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("in a circle (berth -> other -> berth)"));
  // A helper that asks berth, which asks it again.
  home.variables["BERTH_HELPER_CHAIN"] = "other";
  home.helper("other", "exit 0");
  said = run({"get"}, "a.r");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("in a circle (other -> berth -> other)"));
}

TEST_F(DockerHelperTest, S304_AnIdentityTokenThatIsEmptyIsNotKept) {
  Said said = run({"store"}, R"({"ServerURL":"a.r","Username":"<token>","Secret":""})");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("stands for an identity token, and there is none"));
  store("good.example", "u", "s");
  // One that somebody else damaged hides no other.
  home.secret_file("home/.local/share/berth/credentials.json",
                   R"({"auths":{"bad.example":{"auth":"Og=="},"good.example":{"auth":"dTpz"}}})");
  said = run({"list"}, "unused");
  EXPECT_EQ(said.out, "{\"good.example\":\"u\"}\n");
  EXPECT_THAT(said.err, HasSubstr("bad.example has no user name"));
  EXPECT_EQ(run({"get"}, "bad.example").status, 1);
}

TEST_F(DockerHelperTest, S305_WhatAFileCannotTellApartIsRefused) {
  Said said = run({"store"}, R"({"ServerURL":"a.r","Username":"a:b","Secret":"c"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("the user name has a colon"));
  said = run({"store"}, R"({"ServerURL":"a.r","Username":"a","Secret":"s3cret\u0000"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("ends with a NUL"));
  EXPECT_THAT(said.out + said.err, Not(HasSubstr("s3cret")));
  EXPECT_EQ(run({"get"}, "a.r").out, kNotFound);
  store("a.r", "a", "c:d");
  EXPECT_THAT(run({"get"}, "a.r").out, HasSubstr("\"Secret\":\"c:d\""));
}

TEST_F(DockerHelperTest, S306_WhatWasStoredLastIsAnsweredWhereverAnOlderOneLay) {
  store("a.r", "old", "s");
  config("");
  home.variables["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/there";
  const std::string ring = (home.folder / "ring").string();
  home.folder.write("bin/docker-credential-secretservice",
                    "#!/bin/sh\ncase $1 in store) cat > " + ring + ";; get) cat " + ring +
                        " 2>/dev/null || { echo credentials not found in native keychain; exit 1; "
                        "};; esac\n");
  ::chmod((home.folder / "bin/docker-credential-secretservice").c_str(), 0755);
  EXPECT_THAT(run({"get"}, "a.r").out, HasSubstr("\"old\""));
  store("a.r", "new", "s");
  EXPECT_THAT(home.read("ring"), HasSubstr("new"));
  EXPECT_THAT(run({"get"}, "a.r").out, HasSubstr("\"new\""));
}

TEST_F(DockerHelperTest, S307_AKeyRingThatNobodyNamedAndNobodyCanReachIsPassedOver) {
  config("");
  home.variables["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/there";
  const std::string log = (home.folder / "log").string();
  for (const char* words :
       {"Could not connect: Connection refused", "Cannot autolaunch D-Bus without X11 $DISPLAY",
        "GDBus.Error:org.freedesktop.DBus.Error.ServiceUnknown: The name org.freedesktop.secrets "
        "was not provided by any .service files"}) {
    home.helper("secretservice", "echo x >> " + log + "; echo '" + words + "'; exit 1");
    const Said said = run({"get"}, "h.example/a/b");
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out, kNotFound) << words;
    EXPECT_THAT(said.err, HasSubstr("the key ring is passed over")) << words;
    EXPECT_EQ(run({"list"}, "unused").out, "{}\n");
    EXPECT_EQ(run({"erase"}, "h.example").status, 0);
  }
  EXPECT_EQ(home.read("log"), "x\nx\nx\nx\nx\nx\nx\nx\nx\n");
  // What it cannot keep is said.
  EXPECT_EQ(run({"store"}, R"({"ServerURL":"a.r","Username":"u","Secret":"s"})").status, 1);
  // A locked one may hold what is asked for, and one that is named is meant.
  home.helper("secretservice", "echo 'Cannot unlock the collection'; exit 1");
  EXPECT_THAT(run({"get"}, "h.example").out, HasSubstr("Cannot unlock"));
  config("[credential]\nstore = \"secretservice\"\n");
  home.helper("secretservice", "echo 'Could not connect: Connection refused'; exit 1");
  EXPECT_THAT(run({"get"}, "h.example").out, HasSubstr("Could not connect"));
}

TEST_F(DockerHelperTest, S308_AHostThatNoRegistryCanHaveIsNotFound) {
  for (const char* odd : {"a.example.",
                          "\xEF\xBB\xBF"
                          "a.example",
                          "b\xC3\xBC"
                          "cher.example",
                          "a.example:99999", "https://a.example:99999/v2/", "a b"}) {
    EXPECT_EQ(run({"get"}, odd).out, kNotFound) << odd;
    EXPECT_EQ(run({"erase"}, odd).status, 0) << odd;
    const Said said = run({"store"}, R"({"ServerURL":")" + std::string(odd) +
                                         R"(","Username":"u","Secret":"s3cret"})");
    EXPECT_EQ(said.status, 1) << odd;
    EXPECT_THAT(said.out, HasSubstr("no host that can be one")) << odd;
  }
}

TEST_F(DockerHelperTest, S309_StandardInputThatDoesNotEndIsAnErrorInTime) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reading(ends[0]);
  const Fd writing(ends[1]);
  const Fd out(::memfd_create("out", MFD_CLOEXEC));
  const Streams streams{.in = reading.get(), .out = out.get(), .err = out.get()};
  for (const char* action : {"get", "store", "erase"}) {
    EXPECT_EQ(run_docker_helper({action}, streams, home.environment(), "",
                                Context().with_timeout(std::chrono::milliseconds(20))),
              1);
  }
  EXPECT_THAT(all_of(out.get()), HasSubstr("standard input did not end in time"));
}

// Golden: what comes in is as large as it may be, larger, or lacks what must be there.
TEST_F(DockerHelperTest, LargeAndIncompleteInputs) {
  const std::string secret(100 * 1024, 'x');
  store("a.r", "u", secret);
  EXPECT_EQ(run({"get"}, "a.r").out,
            "{\"ServerURL\":\"a.r\",\"Username\":\"u\",\"Secret\":\"" + secret + "\"}\n");
  for (const char* action : {"store", "get", "erase"}) {
    const Said said = run({action}, std::string(1024 * 1024 + 1, 'y'));
    EXPECT_EQ(said.status, 1);
    EXPECT_EQ(said.out, "standard input gave more than 1 MiB\n") << action;
  }
  EXPECT_EQ(run({"get"}, std::string(3000, 'h')).out.find("too long") != std::string::npos, true);
  EXPECT_EQ(run({"store"}, R"({"Username":"u","Secret":"s"})").out, "no credentials server URL\n");
  EXPECT_EQ(run({"store"}, R"({"ServerURL":"a.r","Secret":"s"})").out, "no credentials username\n");
  EXPECT_EQ(run({"store"}, R"({"ServerURL":null,"Username":"u"})").out,
            "no credentials server URL\n");
  EXPECT_EQ(run({"store"}, "{}").out, "no credentials server URL\n");
  EXPECT_THAT(run({"store"}, "").out, HasSubstr("is not valid JSON"));
}

TEST_F(DockerHelperTest, WithoutAHomeItSaysSo) {
  home.variables.erase("HOME");
  for (const char* action : {"get", "store", "erase", "list"}) {
    const Said said = run({action}, "a.r");
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, StartsWith("HOME is not set")) << action;
  }
  EXPECT_EQ(run({"version"}).status, 0);
}

TEST_F(DockerHelperTest, S240_AFileThatOthersCanReadIsRefusedWithTheRemedy) {
  store("h.example", "u", "s3cret");
  const auto file = home.folder / "home/.local/share/berth/credentials.json";
  for (const mode_t mode : {mode_t{0640}, mode_t{0604}}) {
    ::chmod(file.c_str(), mode);
    const Said said = run({"get"}, "h.example");
    EXPECT_EQ(said.status, 1);
    EXPECT_THAT(said.out, HasSubstr("chmod 600"));
    EXPECT_THAT(said.out, Not(HasSubstr("s3cret")));
  }
  ::chmod(file.c_str(), 0600);
  EXPECT_EQ(run({"get"}, "h.example").status, 0);
}

TEST_F(DockerHelperTest, S241_WithoutAKeyRingASecretIsNotPutIntoAFileUnasked) {
  config("");
  home.variables["PATH"] = (home.folder / "bin").string();
  const Said said = run({"store"}, R"({"ServerURL":"a.r","Username":"u","Secret":"s3cret"})");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("write store = \"file\" under [credential]"));
  EXPECT_FALSE(std::filesystem::exists(home.folder / "home/.local/share/berth/credentials.json"));
  EXPECT_EQ(run({"get"}, "a.r").out, kNotFound);
}

TEST_F(DockerHelperTest, AMistakeInTheConfigurationIsSaidByFileAndLine) {
  config("[credential]\nstoer = \"file\"\n");
  const Said said = run({"get"}, "a.r");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("config.toml, line 2: unknown key \"stoer\""));
}

TEST_F(DockerHelperTest, S242_AnAcrHostIsAnsweredByTheNullGuidAndTheTokenWhichIsKept) {
  fake_berth("echo \"$@\" >> " + (home.folder / "asked").string() + "\necho '" +
             token_json("T1", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  for (int i = 0; i < 3; ++i) {
    const Said said = run({"get"}, "my.azurecr.io");
    EXPECT_EQ(said.status, 0) << said.out;
    EXPECT_EQ(said.out,
              "{\"ServerURL\":\"my.azurecr.io\",\"Username\":\"00000000-0000-0000-0000-"
              "000000000000\",\"Secret\":\"T1\"}\n");
  }
  EXPECT_EQ(home.read("asked"), "token --helper my.azurecr.io\n");
}

TEST_F(DockerHelperTest, S243_ATokenPastHalfItsLifeIsRenewedAndServesOnWhenThatFails) {
  fake_berth("echo '" + token_json("T1", std::chrono::hours(2), std::chrono::hours(1)) + "'");
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T1\""));
  fake_berth("echo 'berth: the authority is away' >&2; exit 1");
  const Said said = run({"get"}, "my.azurecr.io");
  EXPECT_THAT(said.out, HasSubstr("\"T1\""));
  EXPECT_THAT(said.err, HasSubstr("could not be renewed: the authority is away"));
  // The next one is not held up by what just failed.
  EXPECT_EQ(run({"get"}, "my.azurecr.io").err, "");
  for (const auto& entry : std::filesystem::directory_iterator(home.folder / "run/berth")) {
    if (entry.path().extension() == ".failed") std::filesystem::remove(entry.path());
  }
  fake_berth("echo '" + token_json("T2", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T2\""));
}

TEST_F(DockerHelperTest, S244_AnotherIdentityNeverGetsTheFirstOnesToken) {
  fake_berth("echo '" + token_json("T1", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  home.variables["AZURE_CLIENT_ID"] = "one";
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T1\""));
  fake_berth("echo '" + token_json("T2", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  home.variables["AZURE_CLIENT_ID"] = "two";
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T2\""));
  home.variables["AZURE_CLIENT_ID"] = "one";
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T1\""));
}

TEST_F(DockerHelperTest, WithoutAnIdentityAnAcrHostIsNotFoundAndAFailingOneIsSaid) {
  fake_berth("exit 3");
  EXPECT_EQ(run({"get"}, "my.azurecr.io").out, kNotFound);
  fake_berth("echo 'berth: the secret is wrong' >&2; exit 4");
  const Said said = run({"get"}, "my.azurecr.io");
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.out, "the secret is wrong\n");
}

TEST_F(DockerHelperTest, ALoginToAnAcrHostComesBeforeTheIdentityButNotBeforeAWrittenRoute) {
  fake_berth("echo '" + token_json("T1", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  store("my.azurecr.io", "repo-token", "s");
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"repo-token\""));
  config("[credential]\nstore=\"file\"\n[credential.routes]\n\"*.azurecr.io\" = \"entra\"\n");
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T1\""));
  // `az acr login` ends with this.
  store("my.azurecr.io", "00000000-0000-0000-0000-000000000000", "T0");
  EXPECT_THAT(run({"get"}, "my.azurecr.io").out, HasSubstr("\"T1\""));
}

TEST_F(DockerHelperTest, ATokensFolderThatOthersCanReadIsNotUsedAndSaid) {
  fake_berth("echo '" + token_json("T1", std::chrono::seconds(0), std::chrono::hours(3)) + "'");
  std::filesystem::create_directories(home.folder / "run/berth");
  ::chmod((home.folder / "run/berth").c_str(), 0755);
  const Said said = run({"get"}, "my.azurecr.io");
  EXPECT_THAT(said.out, HasSubstr("\"T1\""));
  EXPECT_THAT(said.err, HasSubstr("chmod 700"));
  EXPECT_TRUE(std::filesystem::is_empty(home.folder / "run/berth"));
}

}  // namespace
}  // namespace berth::helper
