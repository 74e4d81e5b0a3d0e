# SPDX-License-Identifier: Apache-2.0
"""Wrong use is told before anything is done, in words that help."""
import base64
import contextlib
import errno
import json
import os
import pty
import select
import shutil
import signal
import subprocess
import unittest

from harness import Case, wait_until
from registry import free_port


class LayoutTags(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        for repository in ("a", "b"):
            self.r.push_image(repository, ["v1"], [repository.encode()])
        self.layout = self.folder / "layout"

    def test_two_sources_for_one_tag_are_wrong_use(self):
        # S210
        a, b = f"{self.r.host}/a:v1", f"{self.r.host}/b:v1"
        for target in (f"oci:{self.layout}:x", f"oci:{self.layout}"):
            done = self.berth("cp", a, b, target, status=2)
            self.assertIn(b, done.stderr)
            self.assertIn("with a tag of its own", done.stderr)
            self.assertFalse(self.layout.exists(), "nothing is copied")

    def test_sources_of_different_tags_or_equal_digests_are_copied_together(self):
        # S210
        self.r.push_image("c", ["v1", "v2"], [b"a"])
        self.berth("cp", f"{self.r.host}/a:v1", f"{self.r.host}/c:v1", f"{self.r.host}/c:v2", f"oci:{self.layout}")
        tags = [m["annotations"]["org.opencontainers.image.ref.name"] for m in json.loads((self.layout / "index.json").read_text())["manifests"]]
        self.assertEqual(sorted(tags), ["v1", "v2"])
        # One that is absent does not keep the others.
        self.berth("cp", f"{self.r.host}/nope:v3", f"{self.r.host}/b:v1", f"oci:{self.folder}/other", status=3)
        self.assertTrue(os.path.exists(self.folder / "other/index.json"))


class Listing(Case):
    def test_all_shows_the_dot_folders_as_a_mount_does(self):
        # S209
        r = self.registry()
        r.push_image("library/hello", ["v1"], [b"layer"])
        self.assertEqual(self.berth("ls", f"{r.host}/library/hello").stdout, "v1\n")
        self.assertEqual(self.berth("ls", "-a", f"{r.host}/library/hello").stdout, ".blobs\n.manifests\n.tags\nv1\n")
        self.assertEqual(self.berth("ls", "-a", r.host).stdout, ".berth\nlibrary\n")
        mnt = self.mount(r.host, "list=all")
        for place in ("", "/library", "/library/hello"):
            self.assertEqual(self.berth("ls", "-a", r.host + place).stdout.split(), sorted(os.listdir(str(mnt) + place)), place)


class Doctor(Case):
    def login(self, host, password):
        folder = self.home / ".docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": base64.b64encode(f"alice:{password}".encode()).decode()}}}))
        os.chmod(folder / "config.json", 0o600)

    def network(self, host):
        done = self.berth("--json", "doctor", host, status=None, env={"BERTH_TOKENS": ""})
        return [(f["verdict"], f["sentence"]) for f in json.loads(done.stdout) if f["area"] == "network"]

    def test_a_wrong_password_is_a_problem_with_its_remedy(self):
        for kind in ("htpasswd", "token"):
            r = self.registry(kind, name=kind)
            self.login(r.host, "wonder")
            self.assertEqual([verdict for verdict, _ in self.network(r.host)], ["ok"], kind)
            self.login(r.host, "wrong")
            (verdict, sentence), = self.network(r.host)
            self.assertEqual(verdict, "problem", kind)
            self.assertIn(f"docker login {r.host}", sentence)
            self.assertNotIn("wrong", sentence)

    def test_of_a_read_only_cache_only_that_is_said(self):
        folder = self.folder / "ro"
        folder.mkdir()
        self.sh(f"mount -t tmpfs -o size=64m,mode=0700 berth-test {folder}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(folder)]))
        env = {"BERTH_CACHE": str(folder)}
        self.berth("cache", "status", env=env)
        self.sh(f"mount -o remount,ro {folder}")
        lines = [line for line in self.berth("doctor", env=env, status=1).stdout.splitlines() if " cache: " in line]
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("is read-only", lines[0])


class Cache(Case):
    def test_a_folder_that_cannot_be_made_is_a_failure_like_any_other(self):
        # S200
        (self.folder / "file").write_text("")
        env = {"BERTH_CACHE": str(self.folder / "file/cache")}
        for command in (("ls", "127.0.0.1:1/app"), ("cache", "status")):
            said = self.berth(*command, env=env, status=1).stderr
            self.assertIn(str(self.folder / "file/cache"), said)
            self.assertIn("set BERTH_CACHE", said)
        (self.folder / "mnt").mkdir()
        self.assertIn("set BERTH_CACHE", self.berth("mount", "127.0.0.1:1", self.folder / "mnt", env=env, status=1).stderr)
        # No home at all.
        self.assertIn("BERTH_CACHE", self.sh(f"env -u BERTH_CACHE -u HOME -u XDG_CACHE_HOME berth ls 127.0.0.1:1/app 2>&1", status=1))

    def test_the_disk_is_named_when_it_is_what_is_small(self):
        small = self.folder / "small"
        small.mkdir()
        self.sh(f"mount -t tmpfs -o size=16m,mode=0700 berth-test {small}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(small)]))
        r = self.fake_registry("--big", 96 << 20)
        mnt = self.mount(r.host, env={"BERTH_CACHE": str(small / "cache")})
        with open(mnt / "library/big/latest/layers/00.tar.gz", "rb", buffering=0) as file:
            self.assertTrue(file.read(4096))
            self.assert_errno(errno.ENOSPC, os.pread, file.fileno(), 4096, 90 << 20)
        log = (mnt / ".berth/log").read_text()
        self.assertIn(f"the disk of {small}/cache has", log)
        self.assertNotIn("berth cache limit", log)

    def test_a_message_blames_no_scheme_where_nobody_answers(self):
        said = self.berth("ls", f"127.0.0.1:{free_port()}/app", status=1).stderr
        self.assertNotIn("https", said)


class Helpers(Case):
    def test_helpers_get_the_limit_of_open_files_that_berth_was_started_with(self):
        r = self.registry("htpasswd")
        r.push_image("app", ["v1"], [b"layer"])
        helper = self.folder / "bin/docker-credential-limits"
        helper.parent.mkdir()
        helper.write_text(f'#!/bin/bash\nread url\nulimit -S -n >> {self.folder}/limits\n'
                          'echo "{\\"ServerURL\\":\\"$url\\",\\"Username\\":\\"alice\\",\\"Secret\\":\\"wonder\\"}"\n')
        helper.chmod(0o755)
        auth = self.folder / "auth.json"
        auth.write_text(json.dumps({"credHelpers": {r.host: "limits"}}))
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        path = {"PATH": f"{helper.parent}:{self.env['PATH']}"}
        self.sh(f"ulimit -S -n 777; berth --authfile {auth} ls {r.host}/app && berth --authfile {auth} --cache {self.folder}/other mount {r.host} {mnt}",
                **path)
        self.assertEqual(os.listdir(mnt / "app"), ["v1"])
        self.assertEqual(set((self.folder / "limits").read_text().split()), {"777"})


class Errors(Case):
    def test_with_json_every_line_of_standard_error_is_an_object(self):
        # S214
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        for status, code, arguments in ((3, "not_found", ("cat", f"{r.host}/app:v9/manifest.json")), (2, "invalid_argument", ("ls", "app")),
                                        (2, "invalid_argument", ("lss",)), (2, "invalid_argument", ("ls", "--jsno")),
                                        (1, "unavailable", ("ls", f"127.0.0.1:{free_port()}/app"))):
            done = self.berth("--json", *arguments, status=status)
            *others, last = [json.loads(line) for line in done.stderr.splitlines()]
            self.assertEqual((last["error"]["code"], last["error"]["exit_status"]), (code, status), done.stderr)
            self.assertTrue(all(set(other) <= {"warning", "error"} for other in others), done.stderr)
        loud = self.berth("--json", "-vv", "ls", f"{r.host}/app").stderr.splitlines()
        self.assertTrue(loud and all("log" in json.loads(line) for line in loud), loud)

    def test_what_was_meant_is_said(self):
        # S213
        self.assertIn("did you mean berth ls?", self.berth("sl", status=2).stderr)
        self.assertIn("did you mean r.io/app?", self.berth("ls", "https://r.io/app", status=2).stderr)
        self.assertIn("did you mean", self.berth("mount", "https://r.io/app", self.folder, status=2).stderr)


class Progress(Case):
    def test_a_transfer_that_stands_still_shows_its_bar(self):
        # S386
        r = self.fake_registry("--big", 9 << 20, faults=[{"method": "GET", "target": "*/blobs/*", "times": 0, "action": "stall_body", "at": 0}])
        mine, theirs = pty.openpty()
        self.addCleanup(os.close, mine)
        running = subprocess.Popen(["berth", "cp", f"{r.host}/library/big:latest/layers/00.tar.gz", str(self.folder / "copy")], env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
        os.close(theirs)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        shown = ""
        while shown.count("\r") < 3:
            self.assertTrue(select.select([mine], [], [], 20)[0], f"nothing is drawn: {shown!r}")
            shown += os.read(mine, 4096).decode()
        self.assertIn("big", shown)
        self.assertIn("0 B", shown, "and says that nothing comes")


class Completion(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.r.push_image("library/hello", ["v1.25"], [b"layer"])
        self.berth("ls", f"{self.r.host}/library/hello")
        self.word = f"{self.r.host}/library/hello:"

    def script(self, shell):
        if not shutil.which(shell):
            self.skipTest(f"{shell} is not installed")
        path = self.folder / f"completion.{shell}"
        path.write_text(self.berth("completion", shell).stdout)
        return path

    def press_tab(self, shell, arguments, set_up, typed):
        """What a terminal shows after the word was typed and Tab pressed."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.execvpe(shell, [shell, *arguments], {**self.env, "TERM": "vt100", "PS1": "$ "})
        try:
            os.set_blocking(terminal, False)
            os.write(terminal, f"{set_up}; echo rea''dy\n".encode())
            self.wait_for(terminal, "ready\r\n")
            os.write(terminal, f"{typed}\t".encode())
            return self.wait_for(terminal, "v1.25")
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)

    def wait_for(self, terminal, words):
        seen = ""

        def came():
            nonlocal seen
            with contextlib.suppress(BlockingIOError):
                seen += os.read(terminal, 65536).decode(errors="replace")
            return words in seen
        try:
            wait_until(came, what=f"{words!r} on the terminal")
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen!r}") from None
        return seen

    def test_bash_completes_tags_with_and_without_bash_completion(self):
        # S212
        script = self.script("bash")
        for more in ("", "source /usr/share/bash-completion/bash_completion 2>/dev/null; "):
            seen = self.press_tab("bash", ["--norc", "--noprofile", "-i"], f"{more}source {script}", f"berth ls {self.word}")
            self.assertIn(f"berth ls {self.word}v1.25", seen.replace("\r", ""))

    def test_zsh_completes_tags(self):
        # S212
        script = self.script("zsh")
        seen = self.press_tab("zsh", ["-f", "-i"], f"unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -D -u; source {script}",
                              f"berth ls {self.word}")
        self.assertIn("v1.25", seen)

    def test_fish_completes_tags(self):
        # S212
        script = self.script("fish")
        done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C 'berth ls {self.word}'"], env=self.env, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.stdout.split(), [f"{self.word}v1.25"], done.stderr)

    def test_places_are_completed_without_a_request(self):
        # S212
        self.r.kill()
        self.assertEqual(self.berth("__complete", "--", self.word).stdout, f"{self.word}v1.25\n")
        self.assertEqual(self.berth("__complete", "--", f"{self.word}v2").stdout, "")
        self.assertEqual(self.berth("__complete", "--", f"{self.r.host}/library/he").stdout, f"{self.r.host}/library/hello/\n")
        self.assertEqual(self.berth("__complete", "--", f"{self.r.host}/library/hello/").stdout, f"{self.r.host}/library/hello/v1.25/\n")


if __name__ == "__main__":
    unittest.main()
