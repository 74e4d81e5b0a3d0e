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
                (tls.host, errno.EPROTO, ("ca_file",)),
                ("registry.invalid", errno.EHOSTDOWN, ("registry.invalid",)),
                (f"127.0.0.1:{free_port()}", errno.EHOSTDOWN, ("127.0.0.1",)))):
            mnt = self.mount(host, name=f"mnt{number}")
            self.assert_errno(number_of_error, os.listdir, mnt / "app")
            log = (mnt / ".berth/log").read_text()
            for word in words:
                self.assertIn(word, log)
            self.assertTrue((mnt / ".berth/version").read_text(), "the mount goes on")

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
            if not allowed:
                self.assertEqual(one["reached"], 0, what)
                for text in (one["stderr"], one["log"]):
                    self.assertRegex(text, "127.0.0.1|169.254.169.254|10.1.2.3", what)


if __name__ == "__main__":
    unittest.main()
