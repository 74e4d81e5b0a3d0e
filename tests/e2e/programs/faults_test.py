# SPDX-License-Identifier: Apache-2.0
"""Wrong credentials, missing things, killed processes, broken servers and disks: the right status, and a mount that goes on."""
import errno
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

from harness import Case, is_zombie, wait_until
from registry import digest_of, free_port


class Credentials(Case):
    def login(self, host, user="alice", password="wonder", **more):
        import base64
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
        self.assertRegex(down.stderr, "(?i)connect|refused")
        dns = self.berth("--timeout", "20", "ls", "registry.invalid/app", status=1)
        self.assertIn("registry.invalid", dns.stderr)
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

    def test_a_cached_manifest_costs_no_request(self):
        # S205
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        self.berth("cat", f"{r.host}/app:v1/manifest.json")
        before = r.requests()
        self.berth("cat", f"{r.host}/app:v1/manifest.json")
        self.assertEqual(r.requests(), before)


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

    # S204
    def test_ctrl_c_leaves_a_partial_blob_that_the_next_command_takes_up(self):
        r = self.registry()
        plain = self.big(r)
        target = self.folder / "out"
        running = self.start("cp", f"{r.host}/big:v1/layers/00.tar.gz", str(target))
        ingest = self.folder / "cache/ingest"
        wait_until(lambda: sum(f.stat().st_blocks * 512 for f in ingest.rglob("data") if f.exists()) > (8 << 20), what="some bytes")
        running.send_signal(signal.SIGINT)
        _, words = running.communicate(timeout=20)
        if running.returncode == 0:
            self.skipTest("the copy was done before it could be interrupted")
        self.assertEqual(running.returncode, 130, words)
        self.assertFalse(target.exists())
        before = r.requests()
        self.berth("cp", f"{r.host}/big:v1/layers/00.tar.gz", target)
        self.assertEqual(target.read_bytes(), plain.read_bytes())
        gets = [line for line in r.lines()[before:] if f"GET /v2/big/blobs/{self.blob['digest']}" in line]
        self.assertEqual([l for l in gets if re.search(r'HTTP/1.1" 200', l)], [], "taken up by range, not begun again")

    def test_kill_minus_nine_of_a_reader_of_berthfs_and_of_a_second_berthfs(self):
        r = self.registry()
        plain = self.big(r)
        first = self.mount(r.host, name="one")
        second = self.mount(r.host, name="two")
        path = f"big/.blobs/sha256/{self.blob['digest'].split(':')[1]}"
        reader = subprocess.Popen(["cat", str(first / path)], stdout=subprocess.DEVNULL)
        other = subprocess.Popen(["cat", str(second / path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        reader.kill()
        reader.wait()
        os.kill(self.daemon(second), signal.SIGKILL)
        other.wait(timeout=30)
        self.assertEqual((first / path).read_bytes(), plain.read_bytes())
        # A dead mount point is cleaned by the next mount.
        with self.assertRaises(OSError) as raised:
            os.listdir(second)
        self.assertEqual(raised.exception.errno, errno.ENOTCONN)
        self.mounts.remove(second)
        self.mount(r.host, name="two")
        self.assertEqual((second / path).read_bytes(), plain.read_bytes())

    def test_ctrl_z_of_the_downloading_process_holds_nobody_up(self):
        r = self.registry()
        plain = self.big(r)
        running = self.start("cp", f"{r.host}/big:v1/layers/00.tar.gz", str(self.folder / "out"))
        ingest = self.folder / "cache/ingest"
        wait_until(lambda: sum(f.stat().st_blocks * 512 for f in ingest.rglob("data") if f.exists()) > (4 << 20), what="some bytes")
        running.send_signal(signal.SIGSTOP)
        try:
            mnt = self.mount(r.host)
            path = mnt / f"big/.blobs/sha256/{self.blob['digest'].split(':')[1]}"
            self.assertEqual(path.read_bytes(), plain.read_bytes())
        finally:
            running.send_signal(signal.SIGCONT)
        running.communicate(timeout=60)
        self.assertEqual(json.loads(self.berth("--json", "cache", "verify").stdout)["bad"], [])

    def test_two_hundred_kills_leave_no_unverified_blob(self):
        r = self.registry()
        # Small pieces, so that some are complete when the process dies.
        layers = [r.push_blob("kills", os.urandom(2 << 20)) for _ in range(24)]
        r.push_image("kills", ["v1"], layers)
        import random
        rng = random.Random(20260101)
        blobs = self.folder / "cache/blobs/sha256"
        for turn in range(200):
            if turn % 20 == 0:
                self.sh(f"rm -rf {self.folder}/cache")
            running = self.start("cp", f"{r.host}/kills:v1", f"oci:{self.folder}/layout{turn}:v1", stdout=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.0, 0.12))
            running.kill()
            running.communicate()
            for file in blobs.glob("*") if blobs.exists() else []:
                # What is there is right already now: nobody cleaned up after the kill.
                if turn % 10 == 9 or turn % 20 == 19:
                    self.assertEqual(digest_of(file.read_bytes()), "sha256:" + file.name)
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
        for turn in range(200):
            if turn % 25 == 24:
                self.berth("cache", "prune")
            self.mount(r.host)
            reader = subprocess.Popen(["bash", "-c", f"cat {mnt}/kills/.blobs/sha256/{{{','.join(b['digest'][7:] for b in rng.sample(layers, 6))}}}"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(0.0, 0.25))
            os.kill(self.daemon(mnt), signal.SIGKILL)
            reader.wait(timeout=30)
            self.mounts.remove(mnt)
            for file in blobs.glob("*") if blobs.exists() else []:
                # The same inode was looked at before: nothing under blobs/ ever changes.
                key = (file.name, file.stat().st_ino, file.stat().st_mtime_ns)
                if key not in checked:
                    self.assertEqual(digest_of(file.read_bytes()), "sha256:" + file.name)
                    checked.add(key)
        self.assertGreater(len(checked), 10, "some were complete when the process died")
        self.mount(r.host)
        self.assertEqual(json.loads(self.berth("--json", "cache", "verify").stdout)["bad"], [])

    def test_wrong_options_are_said(self):
        r = self.registry("tls", name="tls")
        r.push_image("app", ["v1"], [b"layer"])
        self.assertIn("/nope", self.berth("--ca-file", "/nope", "ls", r.host, status=2).stderr)
        self.assertIn("lss", self.berth("lss", status=2).stderr)


class Cache(Case):
    def test_a_full_quota_and_a_full_disk_bypass_the_cache(self):
        r = self.registry()
        data = os.urandom(24 << 20)
        blob = r.push_blob("app", data)
        r.push_image("app", ["v1"], [blob])
        self.berth("cache", "limit", "6MiB")
        self.assertEqual(self.sh(f"berth cat {r.host}/app:v1/layers/00.tar.gz | sha256sum").split()[0], blob["digest"].split(":")[1])
        self.assertLessEqual(json.loads(self.berth("--json", "cache", "status").stdout)["used"], 6 << 20)
        small = self.folder / "small"
        small.mkdir()
        self.sh(f"mount -t tmpfs -o size=8m,mode=0700 berth-test {small}")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(small)]))
        env = {"BERTH_CACHE": str(small / "cache")}
        self.assertEqual(self.sh(f"berth cat {r.host}/app:v1/layers/00.tar.gz | sha256sum", **env).split()[0], blob["digest"].split(":")[1])
        mnt = self.mount(r.host, env=env)
        self.assertEqual(self.sh(f"sha256sum < {mnt}/app/v1/layers/00.tar.gz").split()[0], blob["digest"].split(":")[1])

    def test_a_cache_that_others_may_read_is_refused_with_the_remedy(self):
        folder = self.folder / "open"
        folder.mkdir(mode=0o755)
        os.chmod(folder, 0o755)
        words = self.berth("cache", "status", env={"BERTH_CACHE": str(folder)}, status=4).stderr
        self.assertIn("chmod 700", words)

    def test_a_cache_removed_while_mounted_does_not_end_the_mount(self):
        r = self.registry()
        r.push_image("app", ["v1", "v2"], [os.urandom(200_000)])
        r.push_image("late", ["v1"], [b"later"])
        mnt = self.mount(r.host)
        first = (mnt / "app/v1/layers/00.tar.gz").read_bytes()
        self.sh(f"rm -rf {self.folder}/cache")
        self.assertEqual((mnt / "late/v1/layers/00.tar.gz").read_bytes(), b"later")
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), first)

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


if __name__ == "__main__":
    unittest.main()
