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

    def test_a_registry_that_lists_no_repositories_is_said_to(self):
        # S454
        r = self.fake_registry("--catalogue", "off", "--sample")
        note = f"berth: repositories of {r.host}: this registry does not list its repositories; name the repository\n"
        for command, shown in (("ls", ""), ("tree", f"{r.host}\n")):
            said = self.berth(command, r.host)
            self.assertEqual((said.stdout, said.stderr), (shown, note))
        said = self.berth("ls", "--json", r.host)
        self.assertEqual((json.loads(said.stdout), said.stderr), ([], ""))
        said = self.berth("ls", f"{r.host}/library/hello")
        self.assertNotEqual(said.stdout, "")
        self.assertEqual(said.stderr, "", "all its tags are there")
        for place, shown in (("", "library\n"), ("/library", "hello\n")):
            said = self.berth("ls", r.host + place)
            self.assertEqual((said.stdout, said.stderr), (shown, note), place)


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

    def test_findings_are_printed_as_they_are_made(self):
        """S419"""
        docker, gate = self.folder / "docker", self.folder / "gate"
        helper = self.folder / "docker-credential-slow"
        docker.mkdir()
        (docker / "config.json").write_text(json.dumps({"auths": {"a.example": {"auth": base64.b64encode(b"u:p").decode()}},
                                                        "credHelpers": {"b.example": "slow"}}))
        os.mkfifo(gate)
        helper.write_text(f"#!/bin/sh\ncat {gate}\n")
        helper.chmod(0o755)
        process = self.start("--config", docker, "doctor", env={"PATH": f"{self.folder}:{self.env['PATH']}"}, text=True)
        lines = []
        while not any("a.example" in line for line in lines):
            lines.append(process.stdout.readline())
            self.assertTrue(lines[-1], "it ended")
        gate.write_text('{"ServerURL": "", "Username": "v", "Secret": "p"}')
        rest = process.communicate(timeout=60)[0]
        self.assertRegex(rest, r"b\.example gets the credential from .* \(user v\)")


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


class BrokenEntries(Case):
    """Of the repositories hello is refused (403); of the tags of many v1 fails (500), and the manifest of artifact:latest is gone (404)."""

    def setUp(self):
        super().setUp()
        denied = json.dumps({"errors": [{"code": "DENIED", "message": "requested access is denied"}]})
        self.r = self.fake_registry("--sample", "--tags", 2, faults=[
            {"method": "", "target": f"/v2/library/{target}", "times": 0, "action": "status", "status": status, "body": body}
            for target, status, body in (("hello/*", 403, denied), ("many/manifests/v1", 500, ""), ("artifact/manifests/latest", 404, ""))])
        self.library = f"{self.r.host}/library"

    def assert_said(self, done, *wanted):
        """One line for each, in this order, that names it."""
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), len(wanted), done.stderr)
        for line, (place, words) in zip(lines, wanted):
            self.assertIn(place, line)
            self.assertIn(words, line)

    def refused(self):
        return f"{self.library}/hello", "403"

    def failed(self):
        return f"{self.library}/many:v1", "500"

    def gone(self):
        return f"{self.library}/artifact/latest", "there is no"

    def test_ls_l_shows_the_rest_and_question_marks(self):
        # S391
        done = self.berth("ls", "-l", f"{self.library}/many", status=1)
        self.assertRegex(done.stdout, r"\Al +\? +\? v1\nl +\d+ \S+ \S+ v2 -> \S+\n\Z")
        self.assert_said(done, self.failed())
        done = self.berth("--json", "ls", "-l", f"{self.library}/many", status=1)
        v1, v2 = json.loads(done.stdout)
        self.assertEqual(v1, {"name": "v1", "type": "link", "error": "unavailable"})
        self.assertRegex(v2["digest"], "^sha256:")
        self.assertEqual(json.loads(done.stderr)["error"]["http_status"], 500)
        # Sorted by what nobody knows of it, it is there too.
        self.assertEqual(self.berth("ls", "--sort", "updated", f"{self.library}/many", status=1).stdout, "v2\nv1\n")

    def test_ls_l_reports_a_tag_without_its_manifest(self):
        # S392
        done = self.berth("ls", "-l", f"{self.library}/artifact", status=3)
        self.assertRegex(done.stdout, r"\Al +\? +\? latest\n\Z")
        self.assert_said(done, self.gone())
        self.assertEqual(self.berth("ls", f"{self.library}/artifact").stdout, "latest\n")

    def test_ls_r_lists_what_stands_beside_and_below(self):
        # S391
        done = self.berth("ls", "-R", self.library, status=4)
        self.assertEqual(done.stdout, f"{self.library}:\nartifact\nhello\nmany\nmulti\n\n{self.library}/artifact:\nlatest\n\n"
                                      f"{self.library}/many:\nv1\nv2\n\n{self.library}/multi:\nlatest\n")
        self.assert_said(done, self.refused())
        # The first failure decides the status.
        done = self.berth("ls", "-lR", self.library, status=3)
        self.assert_said(done, self.gone(), self.refused(), self.failed())
        rows = json.loads(self.berth("--json", "ls", "-lR", self.library, status=3).stdout)
        self.assertEqual([row["name"] for row in rows], ["artifact", "hello", "many", "multi", "latest", "v1", "v2", "latest"])
        self.assertEqual([row.get("error") for row in rows if row["type"] == "link"], ["not_found", "unavailable", None, None])

    def test_tree_draws_the_rest(self):
        # S391
        done = self.berth("tree", self.library, status=4)
        self.assertEqual(done.stdout, f"{self.library}\n├── artifact\n│   └── latest\n├── hello\n├── many\n│   ├── v1\n│   └── v2\n"
                                      "└── multi\n    └── latest\n")
        self.assert_said(done, self.refused())
        done = self.berth("--json", "tree", self.library, status=4)
        drawn, = json.loads(done.stdout)
        self.assertEqual([(child["name"], child.get("error")) for child in drawn["children"]],
                         [("artifact", None), ("hello", "denied"), ("many", None), ("multi", None)])

    def test_cp_r_copies_the_rest(self):
        # S391
        done = self.berth("cp", "-r", self.library, self.folder / "out", status=3)
        self.assert_said(done, self.gone(), self.refused(), self.failed())
        for there in ("many/v2/manifest.json", "many/v2/layers/00.tar.gz", "multi/latest/manifest.json"):
            self.assertTrue((self.folder / "out" / there).is_file(), there)
        self.assertFalse((self.folder / "out/many/v1").exists())
        done = self.berth("--json", "cp", "-r", f"{self.library}/many", self.folder / "json", status=1)
        self.assertEqual(json.loads(done.stdout), [{"source": f"{self.library}/many", "target": str(self.folder / "json"), "failed": 1}])
        # A file that is there is not replaced, and keeps nothing else: into the folder as into a new one.
        shutil.copytree(self.folder / "json", self.folder / "json/many")
        (self.folder / "json/many/v2/config.json").unlink()
        self.berth("cp", "-r", f"{self.library}/many", self.folder / "json", status=1)
        self.assertTrue((self.folder / "json/many/v2/config.json").is_file())

    def test_what_befalls_all_ends_the_command_at_once(self):
        # S391
        for words in (("ls", "-lR"), ("tree",), ("cp", "-r")):
            target = [str(self.folder / "none")] if words[0] == "cp" else []
            done = self.berth(*words, f"127.0.0.1:{free_port()}/library", *target, status=1)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        # It goes away after the list of many tags was given: two are enough to see it.
        r = self.fake_registry("--tags", 20, faults=[{"method": "", "target": "/v2/library/many/manifests/*", "times": 0, "action": "drop"}])
        self.assertEqual(len(self.berth("ls", "-l", f"{r.host}/library/many", status=1).stderr.splitlines()), 2)
        # Of the registries that are known, one that is away keeps no other.
        config = self.folder / "config.toml"
        config.write_text("".join(f'[registry."{host}"]\nplain_http = true\n' for host in ("127.0.0.1:1", "127.0.0.1:2", self.r.host)))
        done = self.berth("ls", "-R", status=1, env={"BERTH_CONFIG": str(config)})
        self.assertIn(f"{self.library}/multi:\nlatest\n", done.stdout)
        self.assert_said(done, ("127.0.0.1:1", "connect"), ("127.0.0.1:2", "connect"), self.refused())
        # Offline, what was seen is there still.
        self.berth("ls", "-lR", self.library, status=3)
        done = self.berth("--offline", "ls", "-l", f"{self.library}/many", status=1)
        self.assertRegex(done.stdout, r"\Al +\? +\? v1\nl +\d+ \S+ \S+ v2 -> \S+\n\Z")


class EmptyOperands(Case):
    def test_an_unset_variable_is_told_and_nothing_is_done(self):
        # S393
        for words in (("ls", ""), ("tree", ""), ("cat", ""), ("stat", ""), ("cp", "", "out"), ("cp", "localhost:1/a:v1", ""), ("mount", "", str(self.folder))):
            done = self.berth(*words, status=2)
            self.assertEqual(done.stdout, "")
            self.assertIn(f"{words[0]}: an operand is empty, as an unset variable of the shell makes it", done.stderr)
        error = json.loads(self.berth("--json", "ls", "", status=2).stderr)["error"]
        self.assertEqual((error["code"], error["exit_status"]), ("invalid_argument", 2))
        self.berth("ls")


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
