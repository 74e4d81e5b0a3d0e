# SPDX-License-Identifier: Apache-2.0
"""Wrong credentials, missing things, killed processes, broken servers and disks: the right status, and a mount that goes on."""
import base64
import contextlib
import errno
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import Case, is_zombie, wait_until
from registry import digest_of, free_port


class Credentials(Case):
    def login(self, host, user="alice", password="wonder", **more):
        docker = self.home / ".docker"
        docker.mkdir(exist_ok=True)
        entry = {"auth": base64.b64encode(f"{user}:{password}".encode()).decode(), **more}
        (docker / "config.json").write_text(json.dumps({"auths": {host: entry}}))
        os.chmod(docker / "config.json", 0o600)

    def test_basic_from_dockers_file(self):
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        anonymous = self.berth("ls", f"{r.host}/private/app", status=4)
        self.assertIn("login", anonymous.stderr)
        self.assertIn(r.host, anonymous.stderr)
        self.login(r.host)
        self.assertEqual(self.berth("ls", f"{r.host}/private/app").stdout, "v1\n")
        self.login(r.host, password="wrong")
        refused = self.berth("ls", f"{r.host}/private/app", status=4, env={"BERTH_CACHE": str(self.folder / "other")})
        self.assertIn("config.json", refused.stderr, "the message names where the credential came from")
        self.assertNotIn("wrong", refused.stderr)
        self.berth("--username", "alice", "--password-stdin", "ls", f"{r.host}/private/app", input="wonder\n")

    def test_bearer_tokens_and_identity_tokens(self):
        r = self.registry("token")
        r.push_image("private/app", ["v1"], [b"layer"])
        self.login(r.host)
        self.assertEqual(self.berth("ls", f"{r.host}/private/app").stdout, "v1\n")
        self.login(r.host, user="00000000-0000-0000-0000-000000000000", password="", identitytoken="REFRESH-alice")
        self.assertEqual(self.berth("ls", f"{r.host}/private/app", env={"BERTH_TOKENS": str(self.folder / "t2"),
                                                                         "BERTH_CACHE": str(self.folder / "c2")}).stdout, "v1\n")
        self.login(r.host, password="wrong")
        self.berth("ls", f"{r.host}/private/app", status=4, env={"BERTH_TOKENS": str(self.folder / "t3"), "BERTH_CACHE": str(self.folder / "c3")})

    def test_helpers_and_podmans_file(self):
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        helper = self.folder / "bin/docker-credential-dummy"
        helper.parent.mkdir()
        helper.write_text('#!/bin/sh\nread url\necho "{\\"ServerURL\\":\\"$url\\",\\"Username\\":\\"alice\\",\\"Secret\\":\\"wonder\\"}"\n')
        helper.chmod(0o755)
        auth = self.folder / "auth.json"
        auth.write_text(json.dumps({"credHelpers": {r.host: "dummy"}}))
        path = {"PATH": f"{helper.parent}:{self.env['PATH']}"}
        self.assertEqual(self.berth("--authfile", auth, "ls", f"{r.host}/private/app", env=path).stdout, "v1\n")
        helper.write_text("#!/bin/sh\necho the keyring is locked; exit 1\n")
        failed = self.berth("--authfile", auth, "ls", f"{r.host}/private/app", env={**path, "BERTH_CACHE": str(self.folder / "c2")}, status=4)
        self.assertIn("the keyring is locked", failed.stderr)

    def test_a_broken_file_or_helper_of_credentials_is_permission_denied(self):
        """S402"""
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        auth = self.folder / "auth.json"
        for number, (text, said) in enumerate((("{", "is not valid JSON"), (json.dumps({"credHelpers": {r.host: "nowhere"}}), "docker-credential-nowhere"))):
            auth.write_text(text)
            mnt = self.mount(r.host, f"authfile={auth}", name=f"mnt{number}", env={"BERTH_CACHE": str(self.folder / f"cache{number}")})
            self.assert_errno(errno.EACCES, os.listdir, mnt / "private/app")
            self.assertIn(said, (mnt / ".berth/log").read_text())
            failed = self.berth("--authfile", auth, "ls", f"{r.host}/private/app", status=4)
            self.assertIn(said, failed.stderr)

    def test_a_broken_file_of_credentials_that_is_mended_leaves_nothing_behind(self):
        """S409"""
        for number, kind in enumerate(("--acr", "--no-referrers")):
            r = self.fake_registry(kind, "--auth", "bearer", "--sample")
            config = self.folder / f"config{number}.toml"
            config.write_text(f'[registry."{r.host}"]\nacr = {str(kind == "--acr").lower()}\nplain_http = true\n')
            auth = self.folder / f"auth{number}.json"
            auth.write_text("{")
            mnt = self.mount(r.host, f"authfile={auth}", name=f"mnt{number}", env={"BERTH_CONFIG": str(config), "BERTH_CACHE": str(self.folder / f"cache{number}")})
            folder = mnt / "library/hello"
            self.assert_errno(errno.EACCES, os.listdir, folder)
            auth.write_text(json.dumps({"auths": {r.host: {"auth": base64.b64encode(b"alice:wonder").decode()}}}))
            # At once: nothing waits for the end of a rest.
            self.assertEqual(sorted(os.listdir(folder)), ["latest", "v1"])
            self.assertEqual("can_read" in os.listdir(folder / ".tags/v1"), kind == "--acr")
            self.assertEqual((folder / ".properties").exists(), kind == "--acr")

    def test_a_mount_says_permission_denied_and_heals_when_credentials_come(self):
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        mnt = self.mount(r.host, "tag_ttl=1")
        with self.assertRaises(PermissionError):
            os.listdir(mnt / "private/app")
        self.login(r.host)
        self.berth("refresh", mnt)
        wait_until(lambda: _listed(mnt / "private/app") == ["v1"], what="the listing after login")


def _listed(path):
    try:
        return os.listdir(path)
    except OSError:
        return None


class Tls(Case):
    def test_own_ca_by_option_and_by_dockers_folder(self):
        r = self.registry("tls")
        r.push_image("app", ["v1"], [b"layer"])
        untrusted = self.berth("ls", f"{r.host}/app", status=1)
        self.assertIn("--ca-file", untrusted.stderr)
        self.assertEqual(self.berth("--ca-file", r.ca, "ls", f"{r.host}/app").stdout, "v1\n")
        folder = self.home / ".config/containers/certs.d" / r.host
        folder.mkdir(parents=True)
        (folder / "ca.crt").write_bytes(pathlib.Path(r.ca).read_bytes())
        self.assertEqual(self.berth("ls", f"{r.host}/app").stdout, "v1\n")
        mnt = self.mount(r.host)
        self.assertEqual(os.listdir(mnt / "app"), ["v1"])


class Missing(Case):
    def test_exit_statuses_and_sentences(self):
        # S200, S202
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        self.assertIn("nothing", self.berth("ls", f"{r.host}/nothing", status=3).stderr)
        self.assertIn("v9", self.berth("cat", f"{r.host}/app:v9/manifest.json", status=3).stderr)
        self.assertIn("manifest.json", self.berth("cat", f"{r.host}/app:v1", status=2).stderr)
        self.assertIn("./app", self.berth("ls", "app", status=2).stderr)
        down = self.berth("ls", f"127.0.0.1:{free_port()}/app", status=1)
        self.assertRegex(down.stderr, r"^berth: 127\.0\.0\.1:\d+/app: [^\n]* cannot connect; look whether it runs, at the port, [^\n]*\n$")
        dns = self.berth("--timeout", "20", "ls", "registry.invalid/app", status=1)
        self.assertIn("the name registry.invalid cannot be resolved; look at its spelling and at DNS", dns.stderr)
        self.assertIn("exists", self.berth("cp", f"{r.host}/app:v1/manifest.json", self._file("there"), status=1).stderr)

    def _file(self, name):
        path = self.folder / name
        path.write_text("precious")
        return path

    def test_errnos_through_the_mount(self):
        # S100, S101
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        mnt = self.mount(r.host)
        for path, number in (("app/v9", errno.ENOENT), ("nothing", errno.ENOENT), (".git", errno.ENOENT), ("UPPER", errno.ENOENT)):
            with self.assertRaises(OSError) as raised:
                os.stat(mnt / path)
            self.assertEqual(raised.exception.errno, number, path)
        for change in (lambda: os.mkdir(mnt / "new"), lambda: os.unlink(mnt / "app/v1"), lambda: open(mnt / "app/v1/manifest.json", "w")):
            with self.assertRaises(OSError) as raised:
                change()
            self.assertEqual(raised.exception.errno, errno.EROFS)


class Outages(Case):
    def test_the_mount_survives_the_registrys_death_and_serves_what_is_cached(self):
        r = self.registry()
        r.push_image("app", ["v1", "v2"], [os.urandom(100_000)])
        mnt = self.mount(r.host, "tag_ttl=1")
        layer = (mnt / "app/v1/layers/00.tar.gz").read_bytes()
        self.sh(f"ls -l {mnt}/app")
        r.kill()
        time.sleep(1.2)  # past the time to live
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), layer)
        self.assertEqual(sorted(os.listdir(mnt / "app")), ["v1", "v2"])
        self.assertNotEqual((mnt / ".berth/offline").read_text().strip(), "")
        with self.assertRaises(OSError):
            os.stat(mnt / "unknown/repository")
        r.start()
        r.push_image("app", ["v3"], [b"new"])
        wait_until(lambda: "v3" in os.listdir(mnt / "app"), what="the new tag")

    def test_offline_serves_what_was_seen_and_says_so_of_the_rest(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        r.push_image("other", ["v1"], [b"other"])
        text = self.berth("cat", f"{r.host}/app:v1/manifest.json").stdout
        before = r.requests()
        self.assertEqual(self.berth("--offline", "cat", f"{r.host}/app:v1/manifest.json").stdout, text)
        self.assertEqual(r.requests(), before)
        self.assertIn("offline", self.berth("--offline", "cat", f"{r.host}/other:v1/manifest.json", status=1).stderr)

    def test_a_folder_whose_registry_wants_fewer_requests_fails_at_once(self):
        """S400"""
        r = self.fake_registry("--sample", faults=[{"method": "HEAD", "target": "*/manifests/*", "times": 0, "action": "too_many_requests",
                                                    "retry_after": "300"}])
        mnt = self.mount(r.host)
        folder = mnt / "library/hello"
        names = os.listdir(folder)
        self.assertEqual(sorted(names), ["latest", "v1"])
        for name in 3 * names:
            self.assert_errno(errno.EBUSY, os.readlink, folder / name)
        # What is asked ahead ends with the mount: then all of it is counted.
        self.unmount(mnt)
        self.assertLessEqual(sum(method == "HEAD" for _, method, _ in r.requests()), 2)
        said = self.berth("ls", "-l", f"{r.host}/library/hello", status=1)
        self.assertEqual(len(re.findall(r"(?m)^l +\? .*\b(?:latest|v1)$", said.stdout)), 2, said.stdout)
        self.assertLessEqual(sum(method == "HEAD" for _, method, _ in r.requests()), 2)

    def test_one_broken_tag_takes_no_other_of_its_folder_with_it(self):
        """S408"""
        for number, action in enumerate(({"action": "drop"}, {"action": "status", "status": 503})):
            r = self.fake_registry("--tags", "400", faults=[{"method": "HEAD", "target": "*/manifests/v17", "times": 0, **action}])
            folder = self.mount(r.host, name=f"mnt{number}") / "library/many"
            self.assertEqual([name for name in sorted(os.listdir(folder)) if not is_link(folder / name)], ["v17"])
            cache = {"BERTH_CACHE": str(self.folder / f"cache{number}")}
            said = self.berth("ls", "-l", f"{r.host}/library/many", env=cache, status=1)
            self.assertEqual(re.findall(r"(?m)^l +\? .*\b(v\d+)$", said.stdout), ["v17"], said.stdout)
            self.assertEqual(len(said.stdout.splitlines()), 400)
            self.assertEqual(len(re.findall(r"(?m)^berth: ", said.stderr)), 1, said.stderr)

    def test_writing_to_a_full_disk_names_what_was_written_to(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        full = subprocess.run(f"berth cat {r.host}/app:v1/manifest.json >/dev/full", shell=True, env=self.env, capture_output=True, text=True)
        self.assertEqual(full.returncode, 1)
        self.assertIn("cannot write '/dev/full': No space left on device", full.stderr)
        r.push_image("big", ["v1"], [os.urandom(2 << 20)])
        small = self.folder / "small"
        small.mkdir()
        self.sh(f"mount -t tmpfs -o size=1m berth-test {small}")
        self.mounts.append(small)
        full = self.berth("cp", f"{r.host}/big:v1/layers/00.tar.gz", small / "layer", status=1)
        self.assertIn(f"cannot write '{small}/layer': No space left on device", full.stderr)
        self.assertEqual(os.listdir(small), [])

    def test_what_cannot_be_read_is_not_said_to_be_unwritten(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        self.berth("cat", f"{r.host}/app:v1/manifest.json")
        r.kill()
        said = self.berth("cp", f"{r.host}/app:v1/layers/00.tar.gz", self.folder / "out", status=1).stderr
        self.assertIn("cannot connect", said)
        self.assertNotIn(str(self.folder / "out"), said)

    def test_a_cached_manifest_costs_no_request(self):
        # S205
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        self.berth("cat", f"{r.host}/app:v1/manifest.json")
        before = r.requests()
        self.berth("cat", f"{r.host}/app:v1/manifest.json")
        self.assertEqual(r.requests(), before)


def is_link(path):
    try:
        return bool(os.readlink(path))
    except OSError:
        return False


def kill_and_wait(process):
    process.kill()
    process.communicate()


class Interrupted(Case):
    SIZE = 96 << 20

    def big(self, r):
        path = self.folder / "big"
        with open(path, "wb") as file:
            for _ in range(self.SIZE >> 20):
                file.write(os.urandom(1 << 20))
        self.blob = r.push_blob("big", path)
        r.push_image("big", ["v1"], [self.blob])
        return path

    def partial_bytes(self):
        return json.loads(self.berth("--json", "cache", "status").stdout)["partial_bytes"]

    def stalled(self, *words):
        """A copy of 96 MiB (or what `words` do with them) that stands still in its middle, all by the registry's will: the first answer with bytes ends no more, and the
        connections that berth opens beside a slow one, as on a busy machine, give none. Until the faults are cleared."""
        r = self.fake_registry("--big", self.SIZE, faults=[
            {"method": "GET", "target": "*/blobs/*", "from": 2, "times": 1, "action": "stall_body", "at": self.SIZE // 3},
            {"method": "GET", "target": "*/blobs/*", "from": 2, "times": 0, "action": "stall_body", "at": 0}])
        place = f"{r.host}/library/big:latest"
        digest = json.loads(self.berth("cat", f"{place}/manifest.json").stdout)["layers"][0]["digest"]
        self.berth("cat", f"{place}/config.json")  # the first blob
        arguments = words or ("cp", "$LAYER", str(self.folder / "out"))
        running = self.start(*(word.replace("$LAYER", f"{place}/layers/00.tar.gz") for word in arguments))
        wait_until(lambda: self.kept() > (8 << 20), what="some bytes")
        self.assertIsNone(running.poll())
        self.addCleanup(kill_and_wait, running)
        return r, place, digest, running

    def kept(self):
        return sum(f.stat().st_blocks * 512 for f in (self.folder / "cache/ingest").rglob("data") if f.exists())

    # S204
    def test_ctrl_c_leaves_a_partial_blob_that_the_next_command_takes_up(self):
        r, place, digest, running = self.stalled()
        running.send_signal(signal.SIGINT)
        _, words = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130, words)
        self.assertIn(b"takes it up", words)
        self.assertFalse((self.folder / "out").exists())
        kept = self.partial_bytes()
        self.assertGreater(kept, 8 << 20)
        r.clear_faults()
        asked = self.berth("-vv", "cp", f"{place}/layers/00.tar.gz", self.folder / "out").stderr
        statuses = re.findall(rf"GET \S+/blobs/{digest}: (\d+)", asked)
        self.assertEqual(set(statuses), {"206"}, "taken up by range, not begun again")
        self.assertEqual(digest_of((self.folder / "out").read_bytes()), digest)
        self.assertEqual(self.partial_bytes(), 0)

    # S394
    def test_cat_says_after_ctrl_c_that_what_came_is_kept_and_takes_it_up(self):
        r, place, digest, running = self.stalled("cat", "$LAYER", "r.invalid/never/asked")
        reading = threading.Thread(target=running.stdout.read)  # the pipe is not what it waits for
        reading.start()
        running.send_signal(signal.SIGINT)
        words = running.stderr.read()
        self.assertEqual(running.wait(60), 130, words)
        reading.join(60)
        self.assertIn(b"what came so far is kept: the same command takes it up", words)
        self.assertNotIn(b"r.invalid", words, "the next is not begun")
        self.assertGreater(self.partial_bytes(), 8 << 20)
        r.clear_faults()
        with open(self.folder / "out", "wb") as out:
            again = self.start("-vv", "cat", f"{place}/layers/00.tar.gz", stdout=out)
            _, asked = again.communicate(timeout=60)
        self.assertEqual(again.returncode, 0, asked)
        self.assertEqual(set(re.findall(rf"GET \S+/blobs/{digest}: (\d+)", asked.decode())), {"206"}, "taken up by range")
        self.assertEqual(digest_of((self.folder / "out").read_bytes()), digest)

    def test_kill_minus_nine_of_a_reader_of_berthfs_and_of_a_second_berthfs(self):
        r = self.registry()
        plain = self.big(r)
        first = self.mount(r.host, name="one")
        second = self.mount(r.host, name="two")
        path = f"big/.blobs/sha256/{self.blob['digest'].split(':')[1]}"
        reader = subprocess.Popen(["cat", str(first / path)], stdout=subprocess.PIPE)
        other = subprocess.Popen(["cat", str(second / path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for one in (reader, other):  # in the middle of it: they have read, and wait for the pipe to be emptied
            self.assertEqual(len(one.stdout.read(1 << 20)), 1 << 20)
        reader.kill()
        reader.communicate()
        os.kill(self.daemon(second), signal.SIGKILL)
        other.communicate(timeout=30)
        self.assertNotEqual(other.returncode, 0, "its server died in the middle")
        self.assertEqual((first / path).read_bytes(), plain.read_bytes())
        # A dead mount point is cleaned by the next mount.
        self.assert_errno(errno.ENOTCONN, os.listdir, second)
        self.mounts.remove(second)
        self.mount(r.host, name="two")
        self.assertEqual((second / path).read_bytes(), plain.read_bytes())

    def test_ctrl_z_of_the_downloading_process_holds_nobody_up(self):
        r, place, digest, running = self.stalled()
        running.send_signal(signal.SIGSTOP)
        r.clear_faults()
        try:
            mnt = self.mount(r.host)
            path = mnt / f"library/big/.blobs/sha256/{digest[7:]}"
            self.assertEqual(digest_of(path.read_bytes()), digest)
        finally:
            running.send_signal(signal.SIGCONT)
        # It stood in the middle of the bytes, and ends well all the same, with the bytes that another one fetched.
        _, words = running.communicate(timeout=120)
        self.assertEqual(running.returncode, 0, words)
        self.assertEqual(digest_of((self.folder / "out").read_bytes()), digest)
        self.assertEqual(json.loads(self.berth("--json", "cache", "verify").stdout)["bad"], [])

    def test_two_hundred_kills_leave_no_unverified_blob(self):
        r = self.registry()
        # Small pieces, so that some are complete when the process dies.
        layers = [r.push_blob("kills", os.urandom(2 << 20)) for _ in range(24)]
        r.push_image("kills", ["v1"], layers)
        import random
        rng = random.Random(20260101)
        blobs = self.folder / "cache/blobs/sha256"
        ingest = self.folder / "cache/ingest"
        checked = set()
        cut = 0
        for turn in range(200):
            # Else all is cached after a few turns; but some take up what the last one left.
            if turn % 4 == 0:
                self.sh(f"rm -rf {self.folder}/cache")
            running = self.start("cp", f"{r.host}/kills:v1", f"oci:{self.folder}/layout{turn}:v1", stdout=subprocess.DEVNULL)
            # Some die while they begin; most in the middle, however slow the machine is.
            if turn % 4:
                wait_until(lambda: running.poll() is not None or any(ingest.glob("sha256-*/data")), what="a download")
            time.sleep(rng.uniform(0.0, 0.04 if turn % 4 else 0.12))
            running.kill()
            running.communicate()
            cut += running.returncode == -signal.SIGKILL and any(ingest.glob("sha256-*/data"))
            for file in blobs.glob("*") if blobs.exists() else []:
                # What is there is right already now: nobody cleaned up after the kill. Nothing under blobs/ ever changes.
                key = (file.name, file.stat().st_ino, file.stat().st_mtime_ns)
                if key not in checked:
                    self.assertEqual(digest_of(file.read_bytes()), "sha256:" + file.name)
                    checked.add(key)
        self.assertGreater(len(checked), 10, "some were complete when the process died")
        self.assertGreater(cut, 30, "many died while they downloaded")
        self.berth("cp", f"{r.host}/kills:v1", f"oci:{self.folder}/last:v1")
        self.assertEqual(json.loads(self.berth("--json", "cache", "verify").stdout)["bad"], [])


    def test_two_hundred_kills_of_the_daemon_leave_no_unverified_blob(self):
        import random
        r = self.registry()
        layers = [r.push_blob("kills", os.urandom(1 << 20)) for _ in range(24)]
        r.push_image("kills", ["v1"], layers)
        rng = random.Random(20260102)
        blobs = self.folder / "cache/blobs/sha256"
        mnt = self.folder / "mnt"
        checked = set()
        cut = 0
        for turn in range(200):
            # Else all is cached after a few turns, and an idle daemon is killed.
            self.berth("cache", "prune")
            self.mount(r.host)
            reader = subprocess.Popen(["bash", "-c", f"cat {mnt}/kills/.blobs/sha256/{{{','.join(b['digest'][7:] for b in rng.sample(layers, 6))}}}"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.0, 0.25))
            os.kill(self.daemon(mnt), signal.SIGKILL)
            cut += reader.wait(timeout=30) != 0
            self.mounts.remove(mnt)
            for file in blobs.glob("*") if blobs.exists() else []:
                # The same inode was looked at before: nothing under blobs/ ever changes.
                key = (file.name, file.stat().st_ino, file.stat().st_mtime_ns)
                if key not in checked:
                    self.assertEqual(digest_of(file.read_bytes()), "sha256:" + file.name)
                    checked.add(key)
        self.assertGreater(len(checked), 10, "some were complete when the process died")
        self.assertGreater(cut, 50, "most died while they were read from")
        self.mount(r.host)
        self.assertEqual(json.loads(self.berth("--json", "cache", "verify").stdout)["bad"], [])

    def test_wrong_options_are_said(self):
        r = self.registry("tls", name="tls")
        r.push_image("app", ["v1"], [b"layer"])
        self.assertIn("/nope", self.berth("--ca-file", "/nope", "ls", r.host, status=2).stderr)
        self.assertIn("lss", self.berth("lss", status=2).stderr)


class SlowLine:
    """A way to a registry on this machine by which answers come at so many bytes a second."""

    def __init__(self, port, rate):
        self.target, self.rate, self.sent = port, rate, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self.carry, args=(client, server, None), daemon=True).start()
                threading.Thread(target=self.carry, args=(server, client, self.rate), daemon=True).start()

    def carry(self, source, sink, rate):
        with contextlib.suppress(OSError):
            while data := source.recv(8192 if rate else 65536):
                sink.sendall(data)
                if rate:
                    self.sent += len(data)
                    time.sleep(len(data) / rate)
        # Also wakes the other direction, which closes what it reads from.
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()

    def close(self):
        self.listener.close()


class Cache(Case):
    def test_a_full_quota_and_a_full_disk_bypass_the_cache(self):
        r = self.registry()
        data = os.urandom(24 << 20)
        blob = r.push_blob("app", data)
        r.push_image("app", ["v1"], [blob])
        self.berth("cache", "limit", "6MiB")
        self.assertEqual(self.cat_past_the_cache(r), blob["digest"].split(":")[1])
        self.assertLessEqual(json.loads(self.berth("--json", "cache", "status").stdout)["used"], 6 << 20)
        small = self.folder / "small"
        small.mkdir()
        self.sh(f"mount -t tmpfs -o size=8m,mode=0700 berth-test {small}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(small)]))
        env = {"BERTH_CACHE": str(small / "cache")}
        self.assertEqual(self.cat_past_the_cache(r, **env), blob["digest"].split(":")[1])
        mnt = self.mount(r.host, env=env)
        self.assertEqual(self.sh(f"sha256sum < {mnt}/app/v1/layers/00.tar.gz").split()[0], blob["digest"].split(":")[1])
        self.assertIn("is read past the cache, and not kept", (mnt / ".berth/log").read_text())

    def cat_past_the_cache(self, registry, **env):
        """The hash of the layer; it was not kept, and that was said."""
        words = self.folder / "words"
        hashed = self.sh(f"berth -v cat {registry.host}/app:v1/layers/00.tar.gz 2>{words} | sha256sum", **env).split()[0]
        self.assertIn("is read past the cache, and not kept", words.read_text())
        return hashed

    def test_a_far_read_beyond_what_a_full_cache_can_fetch_again_is_enospc(self):
        # S101
        r = self.fake_registry("--big", 96 << 20)
        mnt = self.mount(r.host, "cache_limit=16MiB")
        with open(mnt / "library/big/latest/layers/00.tar.gz", "rb", buffering=0) as file:
            self.assertTrue(file.read(4096))
            self.assert_errno(errno.ENOSPC, os.pread, file.fileno(), 4096, 90 << 20)
        self.assertIn("cache limit", (mnt / ".berth/log").read_text())
        # From start to end it is given and verified all the same.
        digest = json.loads((mnt / "library/big/latest/manifest.json").read_text())["layers"][0]["digest"]
        self.assertEqual(self.sh(f"sha256sum < {mnt}/library/big/latest/layers/00.tar.gz").split()[0], digest[7:])

    def test_a_cache_folder_that_is_read_only(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"seen"])
        r.push_image("late", ["v1"], [b"later"])
        folder = self.folder / "ro"
        folder.mkdir()
        self.sh(f"mount -t tmpfs -o size=64m,mode=0700 berth-test {folder}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(folder)]))
        env = {"BERTH_CACHE": str(folder)}
        self.berth("cat", f"{r.host}/app:v1/layers/00.tar.gz", env=env)
        self.sh(f"mount -o remount,ro {folder}")
        for place, layer in (("app", "seen"), ("late", "later")):
            self.assertEqual(self.berth("cat", f"{r.host}/{place}:v1/layers/00.tar.gz", env=env).stdout, layer)
        self.assertRegex(self.berth("doctor", env=env, status=1).stdout, "problem +cache: .*is read-only")
        mnt = self.mount(r.host, env=env)
        for place, layer in (("app", b"seen"), ("late", b"later")):
            self.assertEqual((mnt / place / "v1/layers/00.tar.gz").read_bytes(), layer)
        self.assertIn("read-only", (mnt / ".berth/log").read_text().lower())

    def test_a_cache_that_others_may_read_is_refused_with_the_remedy(self):
        folder = self.folder / "open"
        folder.mkdir(mode=0o755)
        os.chmod(folder, 0o755)
        words = self.berth("cache", "status", env={"BERTH_CACHE": str(folder)}, status=4).stderr
        self.assertIn("chmod 700", words)
        (self.folder / "mnt").mkdir()
        words = self.berth("mount", "127.0.0.1:1", self.folder / "mnt", env={"BERTH_CACHE": str(folder)}, status=4).stderr
        self.assertIn("chmod 700", words)
        self.assertFalse(os.path.ismount(self.folder / "mnt"))

    def test_a_cache_removed_while_mounted_does_not_end_the_mount(self):
        r = self.registry()
        r.push_image("app", ["v1", "v2"], [os.urandom(200_000)])
        r.push_image("late", ["v1"], [b"later"])
        mnt = self.mount(r.host)
        first = (mnt / "app/v1/layers/00.tar.gz").read_bytes()
        self.sh(f"rm -rf {self.folder}/cache")
        self.assertEqual((mnt / "late/v1/layers/00.tar.gz").read_bytes(), b"later")
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), first)
        self.assertIn("was removed; making it again", (mnt / ".berth/log").read_text())
        self.assertTrue((self.folder / "cache/berth-cache").exists())

    def test_a_cache_opened_to_others_while_mounted_is_not_opened_anew(self):
        # S384
        r = self.registry()
        r.push_image("app", ["v1"], [b"seen"])
        r.push_image("late", ["v1"], [b"later"])
        mnt = self.mount(r.host)
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), b"seen")
        os.chmod(self.folder / "cache", 0o777)
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), b"seen")
        self.assertEqual((mnt / "late/v1/layers/00.tar.gz").read_bytes(), b"later", "what is in use goes on")
        said = (mnt / ".berth/log").read_text()
        self.assertIn("was opened to other users", said)
        self.assertEqual(said.count("chmod 700"), 1, "said once")
        self.assertIn("chmod 700", self.berth("cache", "status", status=4).stderr)
        os.chmod(self.folder / "cache", 0o700)
        self.berth("cache", "status")

    def test_a_cache_removed_after_unmounting_stays_removed(self):
        # S383
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        for _ in range(10):
            mnt = self.mount(r.host)
            self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), b"layer")
            daemon = self.daemon(mnt)
            self.mounts.remove(mnt)
            # At once, as a script does it.
            self.sh(f"berth unmount {mnt} && rm -rf {self.folder}/cache")
            self.assertIsNone(self.daemon(mnt), "unmount waits for the end of the server")
            self.assertFalse(pathlib.Path(f"/proc/{daemon}").exists() and not is_zombie(daemon))
            self.assertFalse((self.folder / "cache").exists())

    def test_a_process_on_a_slow_line_holds_up_nobody(self):
        # S380
        r = self.registry()
        blob = r.push_blob("app", os.urandom(24 << 20))
        r.push_image("app", ["v1"], [blob])
        slow = SlowLine(r.port, 200 << 10)
        self.addCleanup(slow.close)
        layer = "app:v1/layers/00.tar.gz"
        self.berth("cat", f"{slow.host}/app:v1/manifest.json")
        first = self.start("cat", f"{slow.host}/{layer}", stdout=subprocess.DEVNULL)
        self.addCleanup(first.communicate)
        self.addCleanup(first.kill)
        wait_until(lambda: list((self.folder / "cache/ingest").glob("sha256-*/map")) and slow.sent > 300_000, what="the slow download")
        begun = time.monotonic()
        self.assertEqual(self.sh(f"berth cat {r.host}/{layer} | sha256sum").split()[0], blob["digest"].split(":")[1])
        # Alone the slow line takes two minutes.
        self.assertLess(time.monotonic() - begun, 60)
        self.assertEqual(first.wait(timeout=60), 0, "it reads what the fast one brought")
        self.assertLess(slow.sent, 20 << 20)

    def test_a_wrong_byte_in_the_cache_is_found_by_verify(self):
        r = self.registry()
        data = os.urandom(200_000)
        r.push_image("app", ["v1"], [data])
        self.berth("cat", f"{r.host}/app:v1/config.json")
        self.sh(f"berth cat {r.host}/app:v1/layers/00.tar.gz >/dev/null")
        victim = self.folder / "cache/blobs/sha256" / digest_of(data).split(":")[1]
        os.chmod(victim, 0o644)
        with open(victim, "r+b") as file:
            file.write(b"wrong")
        report = json.loads(self.berth("--json", "cache", "verify", status=1).stdout)
        self.assertEqual(report["bad"], [digest_of(data)])
        self.assertEqual(self.sh(f"berth cat {r.host}/app:v1/layers/00.tar.gz | sha256sum").split()[0], victim.name)

    def test_prune_and_limit(self):
        r = self.registry()
        r.push_image("app", ["v1"], [os.urandom(3 << 20)])
        self.sh(f"berth cat {r.host}/app:v1/layers/00.tar.gz >/dev/null")
        self.assertGreater(json.loads(self.berth("--json", "cache", "prune").stdout)["freed"], 3 << 20)
        self.berth("cache", "limit", "1GiB")
        self.assertEqual(json.loads(self.berth("--json", "cache", "limit").stdout)["limit"], 1 << 30)

    def test_doctor_without_a_registry_looks_at_the_credentials_that_are_there(self):
        """S407"""
        docker = self.folder / "docker"
        docker.mkdir()
        (docker / "config.json").write_text(json.dumps({"auths": {"good.example": {"auth": "dTpw"}, "bad.example": {"auth": "!!!"}}}))
        said = self.berth("--config", docker, "doctor", status=1).stdout
        self.assertRegex(said, r"ok +credentials: good\.example gets the credential from .* \(user u\)")
        self.assertRegex(said, r"problem +credentials: .*bad\.example")
        self.assertIn("No registry was asked", said)

    def test_a_limit_that_was_not_meant_or_does_not_count_is_said(self):
        """S404"""
        self.assertIn("20 bytes are too small for a cache: say 20G", self.berth("cache", "limit", "20", status=2).stderr)
        config = self.folder / "berth.toml"
        config.write_text('[cache]\nlimit = "2GiB"\n')
        done = self.berth("cache", "limit", "1GiB", env={"BERTH_CONFIG": str(config)})
        self.assertIn(f'{config} says limit = "2GiB"', done.stderr)
        self.assertEqual(json.loads(self.berth("--json", "cache", "limit", env={"BERTH_CONFIG": str(config)}).stdout)["limit"], 2 << 30)
        self.assertEqual(self.berth("cache", "limit").stdout, "1.0 GiB\n")
        self.berth("cache", "limit", "0")
        self.assertNotEqual(self.berth("cache", "limit").stdout, "1.0 GiB\n")

    @unittest.skipUnless(os.geteuid() == 0, "root alone has two caches")
    def test_root_is_told_which_cache(self):
        """S405"""
        env = {**self.env, "HOME": str(self.folder), "XDG_CACHE_HOME": str(self.folder / "xdg")}
        del env["BERTH_CACHE"]
        cache = self.folder / "xdg/berth"
        run = lambda *words: subprocess.run(["berth", *words], env=env, capture_output=True, text=True)
        said = run("cache", "limit").stderr
        self.assertIn(str(cache), said)
        self.assertIn("--cache /var/cache/berth", said)
        self.assertEqual(json.loads(run("--json", "cache", "prune").stdout)["folder"], str(cache))
        self.assertNotIn("/var/cache", run("--cache", str(cache), "cache", "status").stderr)
        self.assertIn("root's mounts use /var/cache/berth", run("doctor").stdout)


if __name__ == "__main__":
    unittest.main()
