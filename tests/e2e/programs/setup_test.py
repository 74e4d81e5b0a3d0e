# SPDX-License-Identifier: Apache-2.0
"""`berth setup`: what it writes into the configuration of tools, what it shows of that before, and how it is taken back."""
import json
import os
import re
import subprocess
import unittest

from credential_case import HELPER, CredentialCase
from harness import BIN


class Setup(CredentialCase):
    def indents(self, text):
        """Of the entries of the list of providers: one, or it is no list."""
        entries = re.search(r"^providers:.*\n((?:[ \n#-].*\n|\n)*)", text, re.M).group(1)
        return set(re.findall(r"^( *)- name:", entries, re.M))

    # S250
    def test_docker_keeps_what_it_does_not_know_and_its_order_and_undo_gives_it_back(self):
        before = '{\n\t"zeta": {"a": [1, 2]},\n\t"credsStore": "pass",\n\t"auths": {},\n\t"alpha": "x"\n}\n'
        config = self.write("home/.docker/config.json", before)
        shown = self.berth("setup", "docker", "--dry-run").stdout
        self.assertIn('- "credsStore": "pass"\n+ "credsStore": "berth"\n', shown)
        self.assertEqual(config.read_text(), before)
        self.assertIn('store = "pass"', self.berth("setup", "docker").stdout)
        after = json.loads(config.read_text())
        self.assertEqual(list(after), ["zeta", "credsStore", "auths", "alpha"])
        self.assertEqual(after["credsStore"], "berth")
        self.assertEqual(config.stat().st_mode & 0o777, 0o600)
        self.assertIn("set up already", self.berth("setup", "docker").stdout)
        self.berth("setup", "docker", "--undo")
        self.assertEqual(config.read_text(), before)
        self.assertFalse((self.home / ".docker/cli-plugins/docker-berth").exists())
        self.assertFalse((self.home / ".docker/config.json.berth-undo").exists())

    # S320
    def test_no_secret_of_a_file_is_shown(self):
        line = '{"auths":{"ghcr.io":{"auth":"c2VjcmV0Om9uZQ=="},"x.example":{"identitytoken":"c2VjcmV0"}},"HttpHeaders":{"X-Key":"c2VjcmV0"}}'
        for form in (line, json.dumps(json.loads(line), indent=2), json.dumps(json.loads(line), indent="\t")):
            self.write("home/.docker/config.json", form)
            self.write("home/.config/containers/auth.json", form)
            for words in (("docker",), ("docker", "--registry", "my.azurecr.io"), ("podman", "--registry", "my.azurecr.io")):
                for more in ((), ("--json",)):
                    with self.subTest(words=words, more=more):
                        shown = self.berth("setup", *words, "--dry-run", *more).stdout
                        self.assertNotIn("c2VjcmV0", shown)
                        self.assertIn("berth", shown)
            for words in (("docker",), ("podman", "--registry", "my.azurecr.io")):
                self.assertNotIn("c2VjcmV0", self.berth("setup", *words, "--yes").stdout)
                self.assertNotIn("c2VjcmV0", self.berth("setup", words[0], "--undo", "--yes").stdout)
            self.assertEqual((self.home / ".docker/config.json").read_text(), form)
            self.assertEqual((self.home / ".config/containers/auth.json").read_text(), form)

    # S321
    def test_no_byte_changes_but_those_of_berths_member(self):
        before = '{ "psFormat" : 1.10, "big": 123456789012345678901234567890, "exp":1e5,\r\n  "twice": 1, "twice": 2, "ä\\u0041": "\\/" }'
        config = self.write("home/.docker/config.json", before)
        self.berth("setup", "docker", "--yes")
        self.assertEqual(config.read_bytes().decode(), before[:-2] + ', "credsStore" : "berth" }')
        self.berth("setup", "docker", "--undo")
        self.assertEqual(config.read_bytes().decode(), before)
        for text, words in (('{"credsStore":"a","CREDSSTORE":"b"}', '"credsStore" stands there twice'), ('{"credHelpers":[1]}', '"credHelpers" must be'),
                            ('{"credsStore":{"a":"c2VjcmV0"}}', '"credsStore" must be a text')):
            config.write_text(text)
            more = ("--registry", "a.example") if "Helpers" in text else ()
            said = self.berth("setup", "docker", *more, status=1).stderr
            self.assertIn(words, said)
            self.assertIn(str(config), said)
            self.assertNotIn("c2VjcmV0", said)
            self.assertEqual(config.read_text(), text)

    # S322
    def test_dockers_link_is_berths_or_left_alone(self):
        link = self.home / ".docker/cli-plugins/docker-berth"
        link.parent.mkdir(parents=True)
        config = self.home / ".docker/config.json"
        for make, words in ((lambda: link.symlink_to("/nowhere"), "leads to /nowhere"), (lambda: link.write_text("theirs"), "not berth's")):
            make()
            said = self.berth("setup", "docker", "--yes", status=1).stderr
            self.assertIn(words, said)
            self.assertFalse(config.exists(), "the link is looked at before anything is written")
            self.berth("setup", "docker", "--undo")
            self.assertTrue(os.path.lexists(link))
            link.unlink()
        link.symlink_to("/opt/berth-1/bin/berth")
        self.assertIn("(was /opt/berth-1/bin/berth)", self.berth("setup", "docker", "--yes").stdout)
        self.assertEqual(os.readlink(link), str(BIN / "berth"))
        self.assertEqual(os.listdir(link.parent), ["docker-berth"])
        self.assertIn("set up already", self.berth("setup", "docker", "--yes").stdout)
        self.assertIn(f"{link} (removed)", self.berth("setup", "docker", "--undo").stdout)
        self.assertFalse(os.path.lexists(link))

    def test_a_file_of_ones_own_is_the_kubelets_alone(self):
        for name in ("docker", "podman"):
            self.assertIn("--file is for the kubelet", self.berth("setup", name, "--file", self.folder / "x", "--yes", status=2).stderr)

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

    def test_podman_has_a_name_of_its_own_for_docker_hub(self):
        self.berth("setup", "podman", "--registry", "docker.io", "--registry", "https://index.docker.io/v1/")
        self.assertEqual(json.loads((self.home / ".config/containers/auth.json").read_text()), {"credHelpers": {"docker.io": "berth"}})

    def test_other_helpers_of_podmans_are_noticed(self):
        folder = self.home / ".config/containers"
        self.write("home/.config/containers/registries.conf", 'unqualified-search-registries = []\ncredential-helpers = ["pass"]\n')
        self.write("home/.config/containers/registries.conf.d/90-mine.conf", 'credential-helpers = ["pass"]\n')
        said = self.berth("setup", "podman", "--yes").stdout
        self.assertIn("~/.config/containers/registries.conf names credential-helpers too, which podman will not ask any more", said)
        self.assertIn("90-mine.conf names credential-helpers too, and is read after berth's file", said)
        self.assertTrue((folder / "registries.conf.d/50-berth.conf").exists())

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
        for text in ("providers:\n# first\n- name: ecr\n", "\n\n\nproviders:\n\n    # first\n    - name: ecr\n", "providers: # all\n- name: ecr\n",
                     "kind: X\nproviders:\n  - name: ecr\nproviders2:\n- a\n", "providers:\nother: 1\n"):
            with self.subTest(text=text):
                config.write_text(text)
                self.berth("setup", "kubelet", "--file", config)
                self.assertEqual(self.indents(config.read_text()), self.indents(text) or {"  "})
                self.berth("setup", "kubelet", "--file", config, "--undo")
                self.assertEqual(config.read_text(), text)
        for pattern in ("not a pattern", "https://x", '*.azurecr.io"\n  evil', 'a.example/"x', ""):
            said = self.berth("setup", "kubelet", "--file", config, "--registry", pattern, status=2).stderr
            self.assertIn("pattern" if '"x' not in pattern else "no image's name", said)
            self.assertEqual(config.read_text(), text)
        for pattern in ("*", "a.example:*", "a.example/team-*"):
            said = self.berth("setup", "kubelet", "--file", config, "--registry", pattern, status=2).stderr
            self.assertIn("would match no image", said)
        config.write_text("providers: []\n")
        self.assertIn("by hand", self.berth("setup", "kubelet", "--file", config, status=1).stderr)


if __name__ == "__main__":
    unittest.main()
