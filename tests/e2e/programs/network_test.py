# SPDX-License-Identifier: Apache-2.0
"""Registries that cannot be reached, are not trusted, or lead where they must not: the errno of a mount, and its sentence."""
import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

from harness import BIN, Case, wait_until
from registry import free_port


class ThroughAMount(Case):
    def test_what_cannot_be_reached_or_trusted_has_its_errno_and_sentence(self):
        # S101
        tls = self.registry("tls")
        tls.push_image("app", ["v1"], [b"layer"])
        for number, (host, number_of_error, words) in enumerate((
                (tls.host, errno.EPROTO, ("not trusted", "ca_file")),
                ("registry.invalid", errno.EHOSTDOWN, ("the name registry.invalid cannot be resolved; look at its spelling and at DNS",)),
                (f"127.0.0.1:{free_port()}", errno.EHOSTDOWN, ("cannot connect; look whether it runs",)))):
            mnt = self.mount(host, name=f"mnt{number}")
            self.assert_errno(number_of_error, os.listdir, mnt / "app")
            log = (mnt / ".berth/log").read_text()
            for word in words:
                self.assertIn(word, log)
            self.assertTrue((mnt / ".berth/version").read_text(), "the mount goes on")

    def test_a_name_that_cannot_be_resolved_any_more_and_then_can(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        host = f"registry.test:{r.port}"
        hosts, mnt, out = self.folder / "hosts", self.folder / "mnt", self.folder / "out"
        mnt.mkdir()
        self.mounts.append(mnt)
        self.berth("ls", f"{r.host}/app")  # the cache is there
        # glibc reads /etc/hosts each time; in a mount namespace it is ours.
        script = f"""
            known() {{ printf '127.0.0.1 registry.test\\n' >{hosts}; }}
            known; mount --bind {hosts} /etc/hosts
            berth mount -o plain_http,tag_ttl=1 {host} {mnt}
            ls {mnt}/app; cat {mnt}/app/v1/layers/00.tar.gz; echo
            # A connection that stands needs no name, and a process keeps those that it knows for a minute.
            : >{hosts}; berth unmount {mnt}
            berth mount -o plain_http,tag_ttl=1 {host} {mnt}; berth refresh {mnt}
            ls {mnt}/app; cat {mnt}/app/v1/layers/00.tar.gz; echo
            stat {mnt}/other/repository 2>&1 || true
            grep -c 'registry.test cannot be resolved; look at its spelling and at DNS' {mnt}/.berth/log
            known
            for i in $(seq 100); do test -d {mnt}/app && ls {mnt}/none 2>&1 | grep -q 'No such file' && break; sleep 0.2; done
            ls {mnt}/none 2>&1 || true
            berth unmount {mnt}
        """
        done = subprocess.run(["unshare", "-m", "bash", "-euc", script], env=self.env, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[:4], ["v1", "layer", "v1", "layer"], "what was seen is served meanwhile")
        self.assertIn("Host is down", lines[4])
        self.assertGreater(int(lines[5]), 0)
        self.assertIn("No such file", lines[6])

    def test_a_registry_that_never_answers_costs_one_timeout(self):
        # S121, S122
        r = self.fake_registry("--sample")
        mnt = self.mount(r.host, "timeout=3,plain_http")
        self.assertEqual(os.listdir(mnt / "library"), ["artifact", "hello", "multi"])
        self.assertEqual(os.listdir(mnt / "library/hello"), ["latest", "v1"])
        # Its kernel goes on taking connections.
        os.kill(r.process.pid, signal.SIGSTOP)
        self.berth("refresh", mnt)
        longest = 0

        def says_so():
            nonlocal longest
            for place, names in (("library", ["artifact", "hello", "multi"]), ("library/hello", ["latest", "v1"])):
                begin = time.monotonic()
                self.assertEqual(os.listdir(mnt / place), names)
                longest = max(longest, time.monotonic() - begin)
            return "has not answered since" in (mnt / ".berth/offline").read_text()
        wait_until(says_so, what="the registry's being away")
        self.assertLess(longest, 5.5, "one timeout, and not two")
        self.assertNotIn("answers again", (mnt / ".berth/offline").read_text())


    def test_a_plain_registry_that_accepts_and_hangs_is_not_said_to_lack_tls(self):
        # S449
        r = self.fake_registry("--sample")
        os.kill(r.process.pid, signal.SIGSTOP)
        said = self.berth("--timeout", 2, "ls", f"{r.host}/library/hello", status=1).stderr
        self.assertIn(f"{r.host} does not answer, neither with TLS nor without it", said)
        self.assertNotIn("does not speak TLS", said)
        mnt = self.mount(r.host, "timeout=2")
        self.assert_errno(errno.ETIMEDOUT, os.listdir, mnt / "library/hello")
        log = (mnt / ".berth/log").read_text()
        self.assertIn("does not answer", log)
        self.assertNotIn("does not speak TLS", log)


class SystemTrust(Case):
    """The machine's certificates, in a mount namespace of this test's own."""

    def listed(self, name, hashed, bundle, *options):
        folder = self.folder / name
        folder.mkdir()
        certificate = pathlib.Path(self.tls.ca)
        other = next(each for each in pathlib.Path("/etc/ssl/certs").glob("*.0")).resolve().read_text()
        (folder / "ca-certificates.crt").write_text(other + (certificate.read_text() if bundle else ""))
        (folder / "01234567.0").write_text(other)
        if hashed:
            number = subprocess.run(["openssl", "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True).stdout.strip()
            (folder / f"{number}.0").write_text(certificate.read_text())
        script = 'mount --bind "$1" /etc/ssl/certs; shift; exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-euc", script, "-", str(folder), str(BIN / "berth"), "ls", *options, f"{self.tls.host}/app"],
                              env={**self.env, "BERTH_CACHE": str(self.folder / f"{name}-cache")}, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_a_ca_is_found_by_its_hash_and_in_the_bundle(self):
        self.tls = self.registry("tls")
        self.tls.push_image("app", ["v1"], [b"layer"])
        for name, hashed, bundle, *options in (("hashed", True, False), ("appended", False, True), ("both", True, True),
                                               ("own", False, False, "--ca-file", self.tls.ca)):
            self.assertEqual(self.listed(name, hashed, bundle, *options), (0, "v1\n", ""), name)
        status, out, words = self.listed("neither", False, False)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("--ca-file", words)


class PublicRegistry(Case):
    def test_a_public_registry_leads_nobody_into_the_inner_network(self):
        done = subprocess.run(["unshare", "-n", "-m", sys.executable, "-B", str(pathlib.Path(__file__).parent / "public_registry.py"), str(BIN), str(self.folder)],
                              env=self.env, capture_output=True, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stderr)
        for one in json.loads(done.stdout):
            what = f"{one['kind']} to {one['where']}: {one['stderr']}"
            # Storage at a private address may stand beside a registry, but not without TLS.
            allowed = one["kind"] == ""
            self.assertEqual(one["status"], 0 if allowed else 1, what)
            self.assertEqual(one["errno"], 0 if allowed else errno.EPROTO, what)
            self.assertEqual(one["after"], 0, what)
            if not allowed:
                self.assertEqual(one["reached"], 0, what)
                for text in (one["stderr"], one["log"]):
                    self.assertRegex(text, "127.0.0.1|169.254.169.254|10.1.2.3", what)


if __name__ == "__main__":
    unittest.main()
