# SPDX-License-Identifier: Apache-2.0
"""Mounting as root, as an ordinary user, from fstab's helper, and ending: foreground, daemon, signals."""
import contextlib
import errno
import json
import os
import pathlib
import pwd
import signal
import subprocess
import time
import unittest

from harness import BIN, Case, is_zombie, wait_until

USER = "berthtest"


class Life(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.r.push_image("library/hello", ["v1", "v2"], [b"layer one", b"layer two"])

    # S108
    def test_foreground_ends_by_sigterm_and_sigint_and_leaves_nothing_mounted(self):
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        for number in (signal.SIGTERM, signal.SIGINT):
            running = self.start("mount", "-f", self.r.host, str(mnt))
            wait_until(lambda: os.path.ismount(mnt), what="the mount")
            held = os.open(mnt / "library/hello/v1/manifest.json", os.O_RDONLY)  # also a busy one
            self.assertEqual(sorted(os.listdir(mnt / "library/hello")), ["v1", "v2"])
            running.send_signal(number)
            running.communicate(timeout=20)
            self.assertEqual(running.returncode, 0)
            self.assertEqual(os.listdir(mnt), [], "unmounted")
            with contextlib.suppress(OSError):  # its server is gone
                os.close(held)

    def test_a_daemon_reports_failure_before_it_detaches(self):
        # S107, S109
        words = subprocess.run([str(BIN / "berth"), "mount", self.r.host, str(self.folder / "absent")], env=self.env, capture_output=True, text=True)
        self.assertEqual(words.returncode, 3)
        self.assertIn("absent", words.stderr)
        for options, word in (("frobnicate=1", "frobnicate"), ("password=x", "password"), ("tag_ttl=soon", "tag_ttl")):
            (self.folder / "mnt").mkdir(exist_ok=True)
            done = self.berth("mount", "-o", options, self.r.host, self.folder / "mnt", status=2)
            self.assertIn(word, done.stderr)

    def test_a_mount_does_not_need_the_network(self):
        # S110
        self.r.kill()
        mnt = self.mount(self.r.host)
        with self.assertRaises(OSError):
            os.listdir(mnt / "library/hello")
        self.r.start()
        self.berth("refresh", mnt)
        wait_until(lambda: _try_list(mnt / "library/hello") == ["v1", "v2"], what="the listing after the registry came")

    def test_what_does_not_exist_is_no_empty_folder(self):
        # S111
        def is_told(mnt):
            self.assert_errno(errno.ENXIO, os.listdir, mnt)
            self.assertIn("nope", (mnt / ".berth/log").read_text())
        is_told(self.mount(f"{self.r.host}/library/nope", name="nope0"))
        self.r.kill()
        tag = self.mount(f"{self.r.host}/library/hello:nope", name="nope1")
        self.r.start()
        self.berth("refresh", tag)
        wait_until(lambda: _list_errno(tag) == errno.ENXIO, what="the answer of the registry that came")
        is_told(tag)

    def test_a_tag_that_does_not_exist_is_not_mounted(self):
        # S211
        mnt = self.folder / "mnt"
        mnt.mkdir()
        done = self.berth("mount", f"{self.r.host}/library/hello:nope", mnt, status=3)
        self.assertIn(f"{self.r.host}/library/hello:nope is not mounted", done.stderr)
        self.assertFalse(os.path.ismount(mnt))
        # Who does not answer within a moment is no reason to wait, nor to fail: the mount may come before the network.
        slow = self.fake_registry("--sample", faults=[{"target": "*/manifests/*", "times": 0, "action": "stall_head"}])
        begin = time.monotonic()
        stalled = self.mount(f"{slow.host}/library/hello:v1", "timeout=1,plain_http", name="stalled")
        self.assertLess(time.monotonic() - begin, 8)
        self.assert_errno(errno.ETIMEDOUT, os.listdir, stalled)

    def test_refresh_shows_a_tag_that_moved(self):
        # S104
        mnt = self.mount(self.r.host, "tag_ttl=3600")
        before = os.readlink(mnt / "library/hello/v1")
        self.r.push_image("library/hello", ["v1", "v3"], [b"moved"])
        self.assertEqual(os.readlink(mnt / "library/hello/v1"), before)
        self.berth("refresh", mnt)
        wait_until(lambda: os.readlink(mnt / "library/hello/v1") != before, what="the move")
        wait_until(lambda: "v3" in os.listdir(mnt / "library/hello"), what="the new tag")
        # And a move that is learned without one, when the tag's time is over: the kernel kept the old target till then, and no longer.
        short = self.mount(self.r.host, "tag_ttl=1", name="short")
        before = os.readlink(short / "library/hello/v1")
        moved = self.r.push_image("library/hello", ["v1"], [b"moved again"])["digest"]
        wait_until(lambda: os.readlink(short / "library/hello/v1") == f".manifests/sha256/{moved[7:]}", what="the move")
        self.assertEqual((short / "library/hello/v1/layers/00.tar.gz").read_bytes(), b"moved again")

    def test_refresh_of_a_place_is_for_every_later_command(self):
        # S206
        place = f"{self.r.host}/library/hello"
        before = json.loads(self.berth("--json", "stat", f"{place}:v1").stdout)[0]["digest"]
        for target in (place, self.r.host):
            moved = self.r.push_image("library/hello", ["v1"], [target.encode()])["digest"]
            self.assertEqual(json.loads(self.berth("--json", "stat", f"{place}:v1").stdout)[0]["digest"], before, "believed for tag_ttl")
            self.berth("refresh", target)
            self.assertEqual(json.loads(self.berth("--json", "stat", f"{place}:v1").stdout)[0]["digest"], moved)
            before = moved
        self.r.kill()
        self.berth("refresh", place, status=None)
        self.assertEqual(json.loads(self.berth("--json", "--offline", "stat", f"{place}:v1").stdout)[0]["digest"], before, "kept for when it is away")

    def test_refresh_and_unmount_believe_only_mounts(self):
        # S206
        forged = self.folder / "forged"
        (forged / ".berth").mkdir(parents=True)
        bystander = subprocess.Popen(["sleep", "60"])
        self.addCleanup(bystander.wait)
        self.addCleanup(bystander.kill)
        for pid in (bystander.pid, 0, 4294967295, "x"):
            (forged / ".berth/pid").write_text(f"{pid}\n")
            self.assertIn("no mount", self.berth("refresh", forged, status=3).stderr)
        self.assertIsNone(bystander.poll())
        self.assertIn("no mount", self.berth("unmount", forged, status=3).stderr)

    def test_unmount_leaves_other_file_systems_alone(self):
        # S206
        other = self.folder / "other fs"
        other.mkdir()
        self.sh(f"mount -t tmpfs berth-test '{other}'")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(other)], capture_output=True))
        for more in ((), ("--lazy",)):
            self.assertIn("no mount of berth", self.berth("unmount", *more, other, status=3).stderr)
            self.assertIn("no mount of berth", self.berth("refresh", other, status=3).stderr)
        self.assertTrue(os.path.ismount(other))
        # And a mount of berth on such a name, by a link, is one.
        below = other / "mnt"
        below.mkdir()
        self.berth("mount", self.r.host, below)
        (self.folder / "link").symlink_to(below)
        self.assertEqual(json.loads(self.berth("--json", "refresh", self.folder / "link").stdout), {"refreshed": str(self.folder / "link")})
        with open(below / ".berth/version"):
            self.assertIn("--lazy", self.berth("unmount", below, status=1).stderr)
        self.assertEqual(json.loads(self.berth("--json", "unmount", self.folder / "link").stdout), {"unmounted": str(self.folder / "link")})
        self.assertFalse(os.path.ismount(below))

    def test_a_dead_mount_can_be_unmounted(self):
        # S206
        mnt = self.mount(self.r.host)
        pid = self.daemon(mnt)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: is_zombie(pid), what="the end of berthfs")
        with self.assertRaises(OSError) as raised:
            os.listdir(mnt)
        self.assertEqual(raised.exception.errno, errno.ENOTCONN)
        self.assertIn("mount it again", self.berth("refresh", mnt, status=3).stderr)
        self.berth("unmount", f"{mnt}/")
        self.assertEqual(os.listdir(mnt), [])

    def test_a_mount_that_fails_says_why(self):
        mnt = self.folder / "mnt"
        mnt.mkdir()
        (self.folder / "file").touch()
        for device, word in ((f"mount --bind {self.folder}/file /dev/fuse", "/dev/fuse is no device"), ("rm /dev/fuse", "modprobe fuse")):
            # With a /dev of its own: the real one is not touched.
            done = subprocess.run(["unshare", "-m", "sh", "-euc",
                                   f"mount -t tmpfs berth-test {mnt}; touch {mnt}/fuse; mount --bind {mnt} /dev; {device}; "
                                   f"mkdir {mnt}/m; exec berth mount {self.r.host} {mnt}/m"], env=self.env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn(f"cannot mount on {mnt}/m: ", done.stderr)
            self.assertIn("fuse:", done.stderr, "libfuse's own words")
            self.assertIn(word, done.stderr)
            self.assertNotIn("line before", done.stderr)

    def test_as_many_files_may_be_open_as_the_administrator_allows(self):
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        subprocess.run(["prlimit", "--nofile=256:3000", "berth", "mount", self.r.host, str(mnt)], env=self.env, check=True)
        limits = pathlib.Path(f"/proc/{self.daemon(mnt)}/limits").read_text()
        self.assertRegex(limits, r"Max open files\s+3000\s+3000")

    def test_options_about_times_of_access_are_accepted(self):
        # S109
        for number, word in enumerate(("nodiratime", "diratime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "norelatime", "noatime",
                                       "sync", "dirsync", "noexec")):
            self.unmount(self.mount(self.r.host, word, name=f"m{number}"))

    def test_a_folder_that_is_gone_is_an_error_and_no_crash(self):
        for words in ("mount $R m", "unmount m", "--cache here --authfile a mount $R m", "refresh ./m"):
            done = subprocess.run(["sh", "-c", f"mkdir gone; cd gone; rmdir ../gone; exec berth {words}"], cwd=self.folder,
                                  env={**self.env, "R": self.r.host}, capture_output=True, text=True)
            self.assertIn(done.returncode, (1, 3), done.stderr)
            self.assertRegex(done.stderr, "^berth")

    def test_the_helper_of_mount_8_takes_what_fstab_says(self):
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        helper = self.folder / "mount.berth"
        helper.symlink_to(BIN / "berthfs")
        subprocess.run([str(helper), self.r.host, str(mnt), "-o", "rw,ro,nosuid,nodev,_netdev,noauto,nofail,x-systemd.automount"],
                       env=self.env, check=True)
        self.assertEqual(sorted(os.listdir(mnt / "library/hello")), ["v1", "v2"])
        line = [l for l in pathlib.Path("/proc/mounts").read_text().splitlines() if str(mnt) in l][0]
        self.assertIn("fuse.berth", line)
        for word in ("ro", "nosuid", "nodev", "default_permissions"):
            self.assertIn(word, line.split()[3].split(","))

    def test_df_shows_the_quota_and_the_mount_its_state(self):
        # S106
        mnt = self.mount(self.r.host, "cache_limit=1GiB")
        self.assertEqual(self.sh(f"df --output=size -B1M {mnt} | tail -1").strip(), "1024")
        self.assertNotIn(".berth", os.listdir(mnt))
        self.assertRegex((mnt / ".berth/version").read_text(), r"\d+\.\d+")
        self.assertIn("requests", (mnt / ".berth/stats.json").read_text())
        self.assertIn("# TYPE", (mnt / ".berth/metrics").read_text())

    def test_recursive_tools_do_not_download_the_registry(self):
        mnt = self.mount(self.r.host)
        before = self.r.requests("GET /v2/.*/blobs/")
        self.sh(f"find {mnt} >/dev/null; du -s {mnt} >/dev/null; grep -r nothing {mnt} || true")
        self.assertEqual(self.r.requests("GET /v2/.*/blobs/"), before)


def _try_list(path):
    try:
        return sorted(os.listdir(path))
    except OSError:
        return None


def _list_errno(path):
    try:
        os.listdir(path)
        return 0
    except OSError as error:
        return error.errno


class OrdinaryUser(Case):
    """With a private /dev/fuse of mode 0666 in a mount namespace: the real one may be root's alone."""

    def run_as_user(self, script, conf="", others=()):
        """`others`: what follows in the same namespace, pairs of a user and a script."""
        try:
            pwd.getpwnam(USER)
        except KeyError:
            subprocess.run(["useradd", "-M", "-d", "/nonexistent", USER], check=True)
            self.addClassCleanup(subprocess.run, ["userdel", USER], capture_output=True)
        node = self.folder / "fuse"
        subprocess.run(["mknod", "-m", "666", str(node), "c", "10", "229"], check=True)
        (self.folder / "fuse.conf").write_text(conf)
        home = self.folder / "user"
        home.mkdir()
        os.chown(home, pwd.getpwnam(USER).pw_uid, -1)
        bin_copy = self.folder / "bin"
        bin_copy.mkdir()
        for name in ("berth", "berthfs"):  # the checkout may lie where the user cannot look
            subprocess.run(["cp", str(BIN / name), str(bin_copy / name)], check=True)
        outer = f"mount --bind {node} /dev/fuse\nmount --bind {self.folder}/fuse.conf /etc/fuse.conf\n"
        for number, (user, text) in enumerate([(USER, script), *others]):
            (self.folder / f"script{number}").write_text(text)
            outer += (f"setpriv --reuid {pwd.getpwnam(user).pw_uid} --regid {pwd.getpwnam(user).pw_gid} --clear-groups --inh-caps=-all "
                      f"env -i PATH={bin_copy}:/usr/bin:/bin HOME={home} LC_ALL=C.UTF-8 R={self.r.host} bash -eu {self.folder}/script{number} || failed=1\n")
        (self.folder / "outer").write_text(outer + "exit ${failed:-0}\n")
        return subprocess.run(["unshare", "-m", "bash", "-eu", str(self.folder / "outer")], capture_output=True, text=True, timeout=60)

    def setUp(self):
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest("becoming another user needs root")
        self.r = self.registry()
        self.r.push_image("library/hello", ["v1"], [b"layer"])

    SCRIPT = """
mkdir ~/m
berth mount {options} $R ~/m
trap 'berth unmount ~/m' EXIT
ls ~/m/library/hello
cat ~/m/library/hello/v1/layers/00.tar.gz
stat -c %U ~/m/library
"""

    def test_mounts_and_unmounts_through_fusermount(self):
        done = self.run_as_user(self.SCRIPT.format(options=""))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split(), ["v1", "layer" + USER])

    def test_allow_other_needs_the_line_in_fuse_conf(self):
        done = self.run_as_user(self.SCRIPT.format(options="-o allow_other"))
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("user_allow_other", done.stdout + done.stderr)

    def test_allow_other_with_the_line(self):  # S90
        look = "cat ~/m/library/hello/v1/layers/00.tar.gz ~/m/.berth/version ~/m/.berth/metrics; cat ~/m/.berth/log ~/m/.berth/stats.json"
        done = self.run_as_user("mkdir ~/m\nberth mount -o allow_other $R ~/m\n", "user_allow_other\n",
                                [("nobody", look + " || echo refused\n"), (USER, look + "\nberth unmount ~/m\n")])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        theirs, own = done.stdout.split("refused\n")
        for text in (theirs, own):
            self.assertTrue(text.startswith("layer"), text)
            self.assertIn("berth_start_time_seconds", text)
        self.assertNotIn('"started"', theirs)
        self.assertIn('"started"', own)
        for name in ("log", "stats.json"):
            self.assertRegex(done.stderr, rf"(?m)^cat: .*/\.berth/{name}: Permission denied$")
        self.assertEqual(done.stderr.count("Permission denied"), 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
