# SPDX-License-Identifier: Apache-2.0
"""An Azure container registry, as whoever Entra ID says that one is: the command and the mount."""
import errno
import os
import unittest

from harness import Case, FakeRegistry, closed_port, wait_until

TOKEN = "token-of-az"


class EntraId(Case):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        # Whether this very machine is one of Azure's, or somebody is logged in here, is nobody's business.
        self.env["PATH"] = f"{self.bin}:/usr/bin:/bin"
        self.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://127.0.0.1:{closed_port()}"

    def azure(self, *arguments) -> FakeRegistry:
        registry = self.fake_registry("--acr", "--auth", "bearer", "--sample", "--entra", TOKEN, *arguments)
        config = self.folder / "config.toml"
        config.write_text(f'[registry."{registry.host}"]\nacr = true\nplain_http = true\n')
        self.env["BERTH_CONFIG"] = str(config)
        return registry

    def log_in(self):
        az = self.bin / "az"
        az.write_text(f'#!/bin/sh\necho run >> {self.folder}/runs\necho \'{{"accessToken":"{TOKEN}","expires_on":4000000000}}\'\n')
        az.chmod(0o755)

    def can_list(self, folder):
        try:
            return "v1" in os.listdir(folder)
        except PermissionError:
            return False

    def runs(self):
        runs = self.folder / "runs"
        return runs.read_text().count("run") if runs.exists() else 0

    def test_whoever_is_logged_in_to_az_reads_and_mounts(self):
        registry = self.azure()
        self.log_in()
        self.assertIn("latest", self.berth("ls", f"{registry.host}/library/hello").stdout)
        mnt = self.mount(registry.host)
        self.assertEqual(sorted(os.listdir(mnt / "library/hello")), ["latest", "v1"])
        self.assertEqual((mnt / "library/artifact/latest/files/hello.txt").read_text(), "hello\n")
        self.assertEqual(self.runs(), 1, "the refresh token lies in the folder of tokens")

    def test_nobody_is_told_of_all_that_was_tried(self):
        # S112
        registry = self.azure()
        said = self.berth("ls", f"{registry.host}/library/hello", status=4).stderr
        for words in ("az login", "EnvironmentCredential", "az is not installed", "ManagedIdentityCredential"):
            self.assertIn(words, said)
        mnt = self.mount(registry.host)
        self.assert_errno(errno.EACCES, os.listdir, mnt / "library/hello")
        self.assertIn("az login", (mnt / ".berth/log").read_text())
        self.log_in()
        (self.home / ".azure").mkdir()
        (self.home / ".azure/azureProfile.json").write_text("{}")
        wait_until(lambda: self.can_list(mnt / "library/hello"), what="a mount that sees who logs in later")

    def test_what_is_public_is_read_as_nobody(self):
        # S112
        registry = self.azure("--anonymous-pull")
        self.log_in()
        said = self.berth("-vv", "cat", f"{registry.host}/library/hello/latest/manifest.json").stderr
        # The list of repositories is not public there: one exchange and one token, for that alone.
        self.assertEqual(said.count("POST "), 2, said)
        self.assertLess(said.index("POST "), said.rindex("GET http://" + registry.host + "/oauth2/token"), said)


if __name__ == "__main__":
    unittest.main()
