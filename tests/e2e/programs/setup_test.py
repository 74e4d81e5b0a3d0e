# SPDX-License-Identifier: Apache-2.0
"""`berth setup`: what it writes into the configuration of tools, what it shows of that before, and how it is taken back."""
import json
import os
import subprocess
import unittest

from credential_case import HELPER, CredentialCase


class Setup(CredentialCase):
    # S250
    def test_docker_keeps_what_it_does_not_know_and_its_order_and_undo_gives_it_back(self):
        before = '{\n\t"zeta": {"a": [1, 2]},\n\t"credsStore": "pass",\n\t"auths": {},\n\t"alpha": "x"\n}\n'
        config = self.write("home/.docker/config.json", before)
        shown = self.berth("setup", "docker", "--dry-run").stdout
        self.assertIn('+ \t"credsStore": "berth"', shown.replace("\\x09", "\t"))
        self.assertEqual(config.read_text(), before)
        self.assertIn('store = "pass"', self.berth("setup", "docker").stdout)
        after = json.loads(config.read_text())
        self.assertEqual(list(after), ["zeta", "credsStore", "auths", "alpha"])
        self.assertEqual(after["credsStore"], "berth")
        self.assertEqual(config.stat().st_mode & 0o777, 0o600)
        self.assertIn("set up already", self.berth("setup", "docker").stdout)
        self.berth("setup", "docker", "--undo")
        self.assertEqual(json.loads(config.read_text()), json.loads(before))
        self.assertFalse((self.home / ".docker/cli-plugins/docker-berth").exists())
        self.assertFalse((self.home / ".docker/config.json.berth-undo").exists())

    def test_docker_for_one_registry_and_no_patterns(self):
        self.berth("setup", "docker", "--registry", "my.azurecr.io", "--registry", "docker.io")
        self.assertEqual(json.loads((self.home / ".docker/config.json").read_text()),
                         {"credHelpers": {"my.azurecr.io": "berth", "https://index.docker.io/v1/": "berth"}})
        self.assertIn("knows no patterns", self.berth("setup", "docker", "--registry", "*.azurecr.io", status=2).stderr)
        self.berth("setup", "docker", "--undo")
        self.assertEqual(json.loads((self.home / ".docker/config.json").read_text()), {})

    def test_a_linked_configuration_stays_a_link(self):
        real = self.write("dotfiles/config.json", "{}")
        (self.home / ".docker").mkdir()
        (self.home / ".docker/config.json").symlink_to(real)
        self.berth("setup", "docker")
        self.assertTrue((self.home / ".docker/config.json").is_symlink())
        self.assertEqual(json.loads(real.read_text())["credsStore"], "berth")

    def test_a_broken_configuration_is_left_alone(self):
        config = self.write("home/.docker/config.json", '{"auths": ')
        self.assertIn("not valid JSON (line 1", self.berth("setup", "docker", status=1).stderr)
        self.assertEqual(config.read_text(), '{"auths": ')

    def test_a_read_only_folder_is_said(self):
        if os.geteuid() == 0:
            folder = self.folder / "ro"
            folder.mkdir()
            self.run_tool("mount", "-t", "tmpfs", "-o", "ro", "none", folder)
            self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], capture_output=True)
        else:
            folder = self.folder / "ro"
            folder.mkdir(mode=0o500)
        done = self.berth("setup", "docker", env={"DOCKER_CONFIG": str(folder)}, status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(folder), done.stderr)
        env = {"XDG_DATA_HOME": str(folder)}
        done = self.run_tool(HELPER, "store", input='{"ServerURL":"a.example","Username":"u","Secret":"s3cret"}', env=env, status=1)
        self.assertIn(str(folder), done.stdout)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        self.assertEqual(self.run_tool(HELPER, "get", input="a.example", env=env, status=1).stdout, "credentials not found in native keychain\n")

    def test_podman_by_a_file_of_berths_own(self):
        self.berth("setup", "podman")
        drop_in = self.home / ".config/containers/registries.conf.d/50-berth.conf"
        self.assertIn('credential-helpers = ["containers-auth.json", "berth"]', drop_in.read_text())
        self.berth("setup", "podman", "--undo")
        self.assertFalse(drop_in.exists())
        auth = self.write("home/.config/containers/auth.json", '{\n  "auths": {"x.example": {"auth": "YTpi"}}\n}\n')
        self.berth("setup", "podman", "--registry", "my.azurecr.io")
        self.assertEqual(json.loads(auth.read_text()), {"auths": {"x.example": {"auth": "YTpi"}}, "credHelpers": {"my.azurecr.io": "berth"}})
        self.berth("setup", "podman", "--undo")
        self.assertEqual(json.loads(auth.read_text()), {"auths": {"x.example": {"auth": "YTpi"}}})

    # S251
    def test_kubelet_goes_between_two_comments_and_keeps_the_other_providers(self):
        config = self.folder / "provider.yaml"
        self.berth("setup", "kubelet", "--file", config)
        self.assertIn("- name: berth-credential-provider", config.read_text())
        self.assertIn('- "*.azurecr.io"', config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--undo")
        self.assertFalse(config.exists())
        before = ("# ours\nkind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n- name: ecr # theirs\n"
                  "  matchImages: ['*.ecr']\n")
        config.write_text(before)
        self.berth("setup", "kubelet", "--file", config, "--registry", "*.example")
        self.assertIn('\n- name: berth-credential-provider', config.read_text())
        self.assertIn("- name: ecr # theirs", config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--registry", "*.other")
        self.assertNotIn("*.example", config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--undo")
        self.assertEqual(config.read_text(), before)
        config.write_text("providers: []\n")
        self.assertIn("by hand", self.berth("setup", "kubelet", "--file", config, status=1).stderr)


if __name__ == "__main__":
    unittest.main()
