// SPDX-License-Identifier: Apache-2.0
#include "berth/base/process.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "berth/base/fd.hpp"
#include "berth/base/open_file_limit.hpp"

#include "support/matchers.hpp"
#include "support/temp_dir.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;
using test::HasCode;
using test::IsOk;
using test::TempDir;
using testing::HasSubstr;
using SteadyClock = std::chrono::steady_clock;

/// A program that hangs fails its test, not the whole run.
Context soon() { return Context().with_timeout(20s); }

ProcessSpec shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script}, .input = {}, .env = {}, .extra_env = {}};
}

Result<ProcessResult> run_shell(const std::string& script) {
  return run_process(shell(script), soon());
}

std::filesystem::path make_script(const TempDir& dir, const std::string& name,
                                  const std::string& body) {
  const auto path = dir.write(name, body);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

/// Gone, or a zombie whose new parent has not come round to it.
bool is_dead(const std::string& pid) {
  const Result<std::string> status = read_file("/proc/" + pid + "/stat", 4096);
  return !status || status->find(") Z ") != std::string::npos ||
         status->find(") X ") != std::string::npos;
}

template <class Condition>
bool becomes_true(Condition condition) {
  const auto give_up = SteadyClock::now() + 10s;
  while (!condition()) {
    if (SteadyClock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(ProcessTest, GivesOutputAndExitCode) {
  const Result<ProcessResult> result = run_shell("echo hello; exit 3");
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "hello\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST(ProcessTest, RunsInAFolder) {
  const ProcessSpec spec{.argv = {"/bin/pwd"}, .folder = "/usr"};
  EXPECT_EQ(run_process(spec, Context()).value().output, "/usr\n");
  const ProcessSpec nowhere{.argv = {"/bin/pwd"}, .folder = "/no/such/folder"};
  EXPECT_FALSE(run_process(nowhere, Context()));
}

TEST(ProcessTest, FeedsMoreThanAPipeHoldsBothWays) {
  const std::string input(700'000, 'x');
  const Result<ProcessResult> result =
      run_process({.argv = {"cat"}, .input = input, .env = {}, .extra_env = {}}, soon());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, input);
}

TEST(ProcessTest, AProgramThatDoesNotReadItsInputIsNoError) {
  ProcessSpec spec = shell("exec 0<&-; echo done");
  spec.input = std::string(700'000, 'x');
  const Result<ProcessResult> result = run_process(spec, soon());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "done\n");
  sigset_t pending;
  ::sigpending(&pending);
  EXPECT_EQ(::sigismember(&pending, SIGPIPE), 0) << "the signal is left behind";
}

TEST(ProcessTest, NoInputIsAnEmptyInput) {
  const Result<ProcessResult> result = run_shell("wc -c");
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "0\n");
}

TEST(ProcessTest, CapturesStderrWhenAskedTo) {
  ProcessSpec spec = shell("echo out; echo err >&2");
  spec.inherit_stderr = false;
  const Result<ProcessResult> result = run_process(spec, soon());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "out\n");
  EXPECT_EQ(result->error_output, "err\n");
}

TEST(ProcessTest, TellsTheSignalThatKilledIt) {
  const Result<ProcessResult> result = run_shell("kill -TERM $$");
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->exit_code, 128 + SIGTERM);
}

TEST(ProcessTest, NamesAProgramThatIsNotThere) {
  const Result<ProcessResult> result = run_process(
      {.argv = {"berth-no-such-program"}, .input = {}, .env = {}, .extra_env = {}}, soon());
  ASSERT_THAT(result, HasCode(Errc::not_found));
  EXPECT_THAT(result.error().message(), HasSubstr("berth-no-such-program"));
  EXPECT_THAT(
      run_process({.argv = {"/no/such/program"}, .input = {}, .env = {}, .extra_env = {}}, soon()),
      HasCode(Errc::not_found));
}

TEST(ProcessTest, NeverRunsAShellForAFileWithoutInterpreter) {
  const TempDir dir;
  const auto path = make_script(dir, "plain", "echo this is no program\n");
  EXPECT_FALSE(
      run_process({.argv = {path.string()}, .input = {}, .env = {}, .extra_env = {}}, soon()));
}

TEST(ProcessTest, LooksForTheProgramInThePathThatItIsGiven) {
  const TempDir dir;
  make_script(dir, "helper", "#!/bin/sh\necho \"$1 $NAME\"\n");
  const ProcessSpec spec{.argv = {"helper", "get"},
                         .input = {},
                         .env = std::vector<std::string>{"NAME=old", "PATH=/nowhere"},
                         .extra_env = {"NAME=new", "PATH=" + dir.path().string()}};
  const Result<ProcessResult> result = run_process(spec, soon());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "get new\n");
}

TEST(ProcessTest, NeverLooksInTheCurrentFolder) {
  const TempDir dir;
  make_script(dir, "helper", "#!/bin/sh\necho found\n");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir.path());
  const Result<ProcessResult> result = run_process(
      {.argv = {"helper"}, .input = {}, .env = {}, .extra_env = {"PATH=.::relative"}}, soon());
  std::filesystem::current_path(before);
  EXPECT_THAT(result, HasCode(Errc::not_found));
}

TEST(ProcessTest, InheritsTheEnvironmentUnlessOneIsGiven) {
  const Result<ProcessResult> inherited = run_shell("echo ${PATH:+set}");
  ASSERT_THAT(inherited, IsOk());
  EXPECT_EQ(inherited->output, "set\n");
  ProcessSpec spec = shell("/usr/bin/env");
  spec.env = std::vector<std::string>{"ONLY=this"};
  const Result<ProcessResult> own = run_process(spec, soon());
  ASSERT_THAT(own, IsOk());
  EXPECT_THAT(own->output, HasSubstr("ONLY=this\n"));
  EXPECT_THAT(own->output, testing::Not(HasSubstr("HOME=")));
}

TEST(ProcessTest, GivesNoDescriptorAway) {
  const Fd leak(::dup(STDOUT_FILENO));  // dup(2) does not mark it close-on-exec
  ASSERT_GE(leak.get(), 3);
  const Result<ProcessResult> result = run_shell("ls /proc/self/fd | wc -l");
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->output, "4\n") << "0, 1, 2 and the folder that ls reads";
}

TEST(ProcessTest, KillsWhatPrintsTooMuch) {
  ProcessSpec spec = shell("while :; do echo xxxxxxxxxxxxxxxx; done");
  spec.output_limit = 1000;
  EXPECT_THAT(run_process(spec, soon()), HasCode(Errc::too_large));
  spec = shell("printf 1234");
  spec.output_limit = 4;
  EXPECT_THAT(run_process(spec, soon()), IsOk()) << "the limit itself is allowed";
}

TEST(ProcessTest, CutsStderrAndGoesOn) {
  ProcessSpec spec = shell("head -c 300000 /dev/zero >&2; echo done");
  spec.inherit_stderr = false;
  spec.output_limit = 1000;
  const Result<ProcessResult> result = run_process(spec, soon());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->error_output.size(), 1000U);
  EXPECT_EQ(result->output, "done\n");
}

TEST(ProcessTest, KillsWhatIsTooSlow) {
  const Result<ProcessResult> result = run_process(shell("sleep 60"), Context().with_timeout(50ms));
  ASSERT_THAT(result, HasCode(Errc::timeout));
  EXPECT_THAT(result.error().message(), HasSubstr("/bin/sh"));
}

TEST(ProcessTest, KillsTheWholeGroupWhenCancelled) {
  const TempDir dir;
  const auto pid_file = dir / "pid";
  std::stop_source source;
  std::string pid;
  std::jthread canceller([&] {
    EXPECT_TRUE(becomes_true([&] {
      pid = read_file(pid_file, 100).value_or("");
      return pid.ends_with('\n');
    }));
    source.request_stop();
  });
  const Result<ProcessResult> result =
      run_process(shell("trap '' TERM INT; sleep 60 & echo $! > " + pid_file.string() + "; wait"),
                  soon().with_stop(source.get_token()));
  canceller.join();
  EXPECT_THAT(result, HasCode(Errc::cancelled));
  pid.pop_back();
  EXPECT_TRUE(becomes_true([&] { return is_dead(pid); })) << "its child lives on";
}

TEST(ProcessTest, DoesNotWaitForAChildThatKeepsThePipe) {
  const auto start = SteadyClock::now();
  const Result<ProcessResult> result = run_shell("sleep 30 & echo $!");
  ASSERT_THAT(result, IsOk());
  EXPECT_LT(SteadyClock::now() - start, 10s);
  const pid_t left_behind = std::stoi(result->output);
  EXPECT_EQ(::kill(left_behind, 0), 0) << "what a helper leaves running is its own affair";
  ::kill(left_behind, SIGKILL);
}

TEST(ProcessTest, AnEndedOrNonblockingContextStartsNothing) {
  const TempDir dir;
  const ProcessSpec touch = shell("touch " + (dir / "a").string());
  EXPECT_THAT(run_process(touch, Context().with_timeout(-1s)), HasCode(Errc::timeout));
  EXPECT_THAT(run_process(touch, Context().nonblocking()), HasCode(Errc::would_block));
  EXPECT_FALSE(std::filesystem::exists(dir / "a"));
  EXPECT_THAT(run_process({}, soon()), HasCode(Errc::invalid_argument));
}

/// A soft limit below the hard one for as long as it lives.
class SmallFileLimit {
 public:
  SmallFileLimit() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    set(700);
  }
  ~SmallFileLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  static void set(rlim_t soft) {
    rlimit limit{};
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  static rlim_t soft() {
    rlimit limit{};
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
  }
  rlim_t hard() const { return before_.rlim_max; }

 private:
  rlimit before_{};
};

TEST(ProcessTest, ProgramsGetTheOpenFileLimitThatThisOneWasStartedWith) {
  const SmallFileLimit small;
  raise_open_file_limit();
  ASSERT_EQ(SmallFileLimit::soft(), small.hard());
  const auto done = run_shell("ulimit -S -n; ulimit -H -n");
  ASSERT_THAT(done, IsOk());
  EXPECT_EQ(done->output, "700\n" + std::to_string(small.hard()) + "\n");
  EXPECT_EQ(SmallFileLimit::soft(), small.hard()) << "and this one keeps its own";
  restore_open_file_limit();
  EXPECT_EQ(SmallFileLimit::soft(), 700U);
}

TEST(ProcessTest, WhoseDescriptorsAreManyKeepsItsLimitWhileItStartsAProgram) {
  const SmallFileLimit small;
  raise_open_file_limit();
  rlim_t meanwhile = 0;
  EXPECT_EQ(start_with_original_file_limit(350,
                                           [&] {
                                             meanwhile = SmallFileLimit::soft();
                                             return 5;
                                           }),
            5);
  EXPECT_EQ(meanwhile, small.hard());
  EXPECT_EQ(start_with_original_file_limit(349,
                                           [&] {
                                             meanwhile = SmallFileLimit::soft();
                                             return 0;
                                           }),
            0);
  EXPECT_EQ(meanwhile, 700U);
  restore_open_file_limit();
}

}  // namespace
}  // namespace berth
