# SPDX-License-Identifier: Apache-2.0
"""What people see when something is wrong with a credential: each failure through docker, which goes on without one, and skopeo, which stops."""
import json
import os
import subprocess
import time
import unittest

from credential_case import ENTRA_TOKEN, HELPER, SECRET, CredentialCase
from credential_tools import set_up, use
from harness import closed_port, tool


def odd_helper(body, more=""):
    def prepare(case):
        case.fake_helper("odd", f"cat >/dev/null; {body}")
        case.route("helper:odd", more)
    return prepare


def circle(case):
    case.fake_helper("odd", f'exec {HELPER} "$1"')
    case.route("helper:odd")


def store(name):
    def prepare(case):
        case.store = name
        case.configure(credential="helper_timeout = 5\n")
    return prepare


def locked_pass(case):
    """Its agent would ask for a passphrase at a screen that is not there."""
    for name in ("pass", "gpg", "docker-credential-pass"):
        tool(name)
    case.env["GNUPGHOME"] = str(case.home / ".gnupg")
    (case.home / ".gnupg").mkdir(mode=0o700)
    case.addCleanup(subprocess.run, ["gpgconf", "--kill", "gpg-agent"], env=dict(case.env), capture_output=True)
    case.run_tool("gpg", "--batch", "--pinentry-mode", "loopback", "--passphrase", "secret passphrase", "--quick-gen-key", "test@example.com")
    case.run_tool("pass", "init", "test@example.com")
    store("pass")(case)
    case.store_credential(case.host)
    case.run_tool("gpgconf", "--kill", "gpg-agent")


def open_file(case):
    case.write("home/.local/share/berth/credentials.json", "{}", 0o644)


def broken_file(case):
    case.write("home/.local/share/berth/credentials.json", '{"auths": ')


def broken_configuration(case):
    case.write("home/.config/berth/config.toml", '[credential]\nstore = "file\n')


def wrong_secret(case):
    case.store_credential(case.host, secret="not it")


# Failure -> what makes it, and what the helper says of it; None: the helper answers, and the registry refuses.
FAILURES = {
    "the helper of a route is missing": (lambda case: case.route("helper:nowhere"), "docker-credential-nowhere is named by the configuration"),
    "the helper of a route fails": (odd_helper("echo boom; exit 1"), "boom"),
    "the helper of a route prints rubbish": (odd_helper("echo rubbish"), "not valid JSON"),
    "the helper of a route hangs": (odd_helper("sleep 77", "helper_timeout = 1\n"), "no answer in time"),
    "helpers lead to each other": (circle, "berth -> odd -> berth"),
    "no session bus": (store("secretservice"), "docker-credential-secretservice"),
    "a key ring that is locked": (locked_pass, "docker-credential-pass"),
    "the key ring's program is missing": (store("nowhere"), "docker-credential-nowhere"),
    "the file is open to others": (open_file, "chmod 600"),
    "the file is broken": (broken_file, "not valid JSON"),
    "the configuration is broken": (broken_configuration, "config.toml"),
    "a wrong secret": (wrong_secret, None),
}


class ReactionCase(CredentialCase):
    def through(self, name, host):
        """The line of the documentation; what it printed, and its status."""
        for folder in (".docker", ".config/containers/registries.conf.d"):
            self.run_tool("rm", "-rf", self.home / folder)
        # `berth setup` would refuse a broken configuration: the tool was set up before that.
        kept = (self.home / ".config/berth/config.toml").read_text()
        self.configure()
        set_up(self, name, host)
        self.write("home/.config/berth/config.toml", kept)
        return self.run_tool(*use(name, host), status=None, input="")


class Reactions(ReactionCase):
    # S326
    def test_skopeo_stops_and_says_why_and_docker_goes_on_without_a_credential_and_says_why(self):
        protected, public = self.registry("htpasswd", name="protected"), self.registry(name="public")
        for registry in (protected, public):
            self.push_app(registry)
        for failure, (prepare, words) in FAILURES.items():
            with self.subTest(failure=failure):
                self.store = "file"
                self.configure()
                self.run_tool("rm", "-rf", self.home / ".local/share/berth")
                self.host = protected.host
                prepare(self)
                self.check(protected, public, words)

    def check(self, protected, public, words):
        stopped = self.through("skopeo", protected.host)
        self.assertNotEqual(stopped.returncode, 0)
        self.assertIn(words or "unauthorized", stopped.stderr)
        refused = self.through("docker, no daemon", protected.host)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, "unauthorized|no basic auth credentials|no such manifest")
        self.assertIn(words or "", refused.stderr)
        if words:
            self.assertIn("docker-credential-berth: ", refused.stderr)
            # What is public is read all the same by docker, and not by skopeo.
            public_read = self.through("docker, no daemon", public.host)
            self.assertEqual(public_read.returncode, 0, public_read.stderr)
            self.assertIn("schemaVersion", public_read.stdout)
        for done in (stopped, refused):
            self.assertNotIn("not it", done.stdout + done.stderr)

    def test_every_tool_but_docker_says_what_the_helper_says(self):
        registry = self.registry("htpasswd")
        self.push_app(registry)
        odd_helper("echo boom; exit 1")(self)
        for name in ("oras", "crane", "skopeo", "podman", "buildah"):
            with self.subTest(tool=name):
                done = self.through(name, registry.host)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("boom", done.stdout + done.stderr)

    # S327
    def test_a_login_that_cannot_be_kept_fails_and_says_why(self):
        registry = self.registry("htpasswd")
        set_up(self, "docker", registry.host)
        data = self.folder / "ro"
        data.mkdir(mode=0o500)
        if os.geteuid() == 0:
            self.run_tool("mount", "-t", "tmpfs", "-o", "ro", "none", data)
            self.addCleanup(subprocess.run, ["umount", "-l", str(data)], capture_output=True)
        done = self.run_tool(tool("docker"), "login", registry.host, "-u", "alice", "--password-stdin", input=SECRET, status=None,
                             env={"XDG_DATA_HOME": str(data)})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(data), done.stderr)
        self.assertNotIn(SECRET, done.stdout + done.stderr)


class AzureReactions(ReactionCase):
    """The failures of an exchange: the same two tools, and the helper's own sentence."""

    def both(self, host, words):
        answer = self.helper("get", host, status=1)
        self.assertRegex(answer.stdout, words)
        self.assertRegex(self.through("skopeo", host).stderr, words)
        self.assertRegex(self.through("docker, no daemon", host).stderr, words)
        self.assertNotIn(ENTRA_TOKEN, answer.stdout + answer.stderr)

    def test_nobody_is_logged_in(self):
        registry = self.azure_registry()
        self.log_out_of_azure()
        self.assertEqual(self.helper("get", registry.host, status=1).stdout, "credentials not found in native keychain\n")
        for name in ("skopeo", "docker, no daemon"):
            self.assertNotEqual(self.through(name, registry.host).returncode, 0)

    def test_an_exchange_that_is_refused(self):
        registry = self.azure_registry()
        self.log_in_to_azure("token-of-another-tenant")
        self.both(registry.host, "(?i)refused|not accept|denied|401")

    def test_no_network(self):
        host = f"127.0.0.1:{closed_port()}"
        self.configure(f'[registry."{host}"]\nacr = true\nplain_http = true\n')
        self.log_in_to_azure()
        self.both(host, rf"{host}.*(refused|connect)")

    # S328
    def test_a_certificate_that_is_not_trusted_or_has_expired(self):
        self.log_in_to_azure()
        for option, words in (("--tls", "certificate"), ("--expired", "(?i)expired")):
            registry = self.fake_registry("--acr", "--auth", "bearer", "--entra", ENTRA_TOKEN, "--sample", option)
            ca = f'ca_file = "{registry.said["ca"]}"\n' if option == "--expired" else ""
            self.configure(f'[registry."{registry.host}"]\nacr = true\n{ca}')
            with self.subTest(certificate=option):
                self.assertRegex(self.helper("get", registry.host, status=1).stdout, words)
                self.assertEqual([request for request in registry.requests() if "exchange" in request[2]], [], "nothing is sent to such a server")
                self.assertRegex(self.through("skopeo", registry.host).stderr, words)

    # S329
    def test_a_kept_token_goes_by_the_clock(self):
        registry = self.azure_registry()
        self.log_in_to_azure()
        now = int(time.time() * 1000)
        hour = 3600 * 1000
        for issued, expires, asks in ((now - hour, now + 2 * hour, 0), (now - 2 * hour, now + hour, 1), (now - 3 * hour, now - 1000, 1)):
            with self.subTest(issued=issued - now, expires=expires - now):
                self.helper("get", registry.host)
                (file,) = [path for path in (self.folder / "tokens").glob("acr-*") if not path.name.endswith(".lock")]
                kept = json.loads(file.read_text())
                self.write(f"tokens/{file.name}", json.dumps({**kept, "issued": issued, "expires": expires, "token": "KEPT"}))
                self.run_tool("sh", "-c", f"rm -f {self.folder}/runs-of-az; find {self.folder}/tokens -type f ! -name 'acr-*' -delete")
                answer = json.loads(self.helper("get", registry.host).stdout)
                self.assertEqual(answer["Secret"] != "KEPT", bool(asks))
                self.assertEqual((self.folder / "runs-of-az").exists(), bool(asks))


if __name__ == "__main__":
    unittest.main()
