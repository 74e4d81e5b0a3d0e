# SPDX-License-Identifier: Apache-2.0
"""When things are wrong: key rings that are locked or absent, other helpers that fail, no network, certificates that nobody trusts."""
import json
import shutil
import subprocess
import time
import unittest

from credential_case import HELPER, SECRET, CredentialCase
from harness import is_zombie, tool, wait_until


class KeyRings(CredentialCase):
    store = "pass"

    def start_pass(self):
        for name in ("pass", "gpg", "docker-credential-pass"):
            tool(name)
        gnupg = self.home / ".gnupg"
        gnupg.mkdir(mode=0o700)
        # Sockets have short names alone: the folder may be deep.
        self.env["GNUPGHOME"] = str(gnupg)
        self.addCleanup(subprocess.run, ["gpgconf", "--kill", "gpg-agent"], env=dict(self.env), capture_output=True)

    def make_key(self, passphrase):
        protection = f"Passphrase: {passphrase}" if passphrase else "%no-protection"
        self.run_tool("gpg", "--batch", "--pinentry-mode", "loopback", "--gen-key",
                      input=f"{'' if passphrase else protection}\nKey-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n"
                            f"{protection if passphrase else ''}\nName-Real: Test\nName-Email: test@example.com\nExpire-Date: 0\n%commit\n")
        self.run_tool("pass", "init", "test@example.com")

    def test_pass_keeps_it_and_docker_finds_it_there_too(self):
        self.start_pass()
        self.make_key("")
        registry = self.registry("htpasswd")
        self.assertIn("kept in pass (docker-credential-pass)", self.login(registry).stdout)
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)
        self.assertEqual(json.loads(self.run_tool("docker-credential-pass", "get", input=registry.host).stdout)["Secret"], SECRET)
        self.assertEqual(json.loads(self.helper("list", "unused").stdout), {registry.host: "alice"})
        self.assertIn("accepted", self.berth("whoami", registry.host).stdout)
        self.helper("erase", registry.host)
        self.helper("erase", registry.host)  # pass itself fails for what it does not have
        self.assertEqual(self.helper("get", registry.host, status=1).stdout, "credentials not found in native keychain\n")

    def test_an_agent_that_would_ask_without_a_terminal_fails_at_once(self):
        self.start_pass()
        self.make_key("secret passphrase")
        self.store_credential("a.example")
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=self.env, capture_output=True)
        start = time.monotonic()
        done = subprocess.run([str(HELPER), "get"], env=self.env, input="a.example", capture_output=True, text=True, start_new_session=True)
        self.assertLess(time.monotonic() - start, 25)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn(SECRET, done.stdout)


class SecretService(CredentialCase):
    store = "secretservice"

    def in_session(self, script, status=0):
        for name in ("dbus-run-session", "gnome-keyring-daemon", "docker-credential-secretservice"):
            tool(name)
        done = self.run_tool("dbus-run-session", "--", "bash", "-ec", script, status=status)
        return done.stdout

    def test_the_secret_service_keeps_it(self):
        self.addCleanup(lambda: None)
        said = self.in_session(
            "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null\n"
            "echo '{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\"}' | docker-credential-berth store\n"
            "echo y.example | docker-credential-berth get\n"
            "echo y.example | docker-credential-secretservice get\n"
            "echo y.example | docker-credential-berth erase\n"
            "echo y.example | docker-credential-berth get || true\n")
        self.assertEqual(said.count('"Secret":"p:w"'), 2, said)
        self.assertTrue(said.endswith("credentials not found in native keychain\n"), said)

    def test_a_locked_key_ring_ends_in_time(self):
        """It would ask at a screen that is not there."""
        self.write("home/.config/berth/config.toml", '[credential]\nstore = "secretservice"\nhelper_timeout = 3\n')
        start = time.monotonic()
        said = self.in_session(
            "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null\n"
            "echo '{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\"}' | docker-credential-berth store\n"
            "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock "
            "array:objpath:/org/freedesktop/secrets/collection/login >/dev/null\n"
            "echo y.example | docker-credential-berth get && exit 9 || echo status $?\n")
        self.assertLess(time.monotonic() - start, 40)
        self.assertIn("docker-credential-secretservice", said)
        self.assertTrue(said.endswith("status 1\n"), said)
        self.assertNotIn("p:w", said)

    def test_without_a_session_bus_it_says_so_and_does_not_hang(self):
        tool("docker-credential-secretservice")
        start = time.monotonic()
        done = self.helper("get", "y.example", status=1)
        self.assertLess(time.monotonic() - start, 35)
        self.assertIn("docker-credential-secretservice failed for y.example", done.stdout)


class Troubles(CredentialCase):
    # S252
    def test_a_helper_that_hangs_is_killed_with_what_it_started(self):
        self.fake_helper("odd", f"sleep 77 & echo $! > {self.folder}/pid; wait")
        self.route("helper:odd", "helper_timeout = 1\n")
        start = time.monotonic()
        self.assertIn("no answer in time", self.helper("get", "a.example", status=1).stdout)
        self.assertLess(time.monotonic() - start, 20)
        child = int((self.folder / "pid").read_text())
        wait_until(lambda: is_zombie(child), what="the end of what the helper started")

    # S253
    def test_two_helpers_that_route_to_each_other_end_with_the_circle(self):
        self.fake_helper("odd", f"exec {HELPER} \"$1\"")
        self.route("helper:odd")
        done = self.helper("get", "a.example", status=1)
        self.assertIn("berth -> odd -> berth", done.stdout)

    # S254
    def test_two_writers_at_once_lose_nothing(self):
        requests = [json.dumps({"ServerURL": f"r{i}.example", "Username": "u", "Secret": f"s{i}"}) for i in range(24)]
        running = [subprocess.Popen([str(HELPER), "store"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in requests]
        for process, request in zip(running, requests):
            process.stdin.write(request.encode())
            process.stdin.close()
        for process in running:
            self.assertEqual(process.wait(60), 0, process.stdout.read())
            process.stdout.close()
        self.assertEqual(len(json.loads(self.helper("list", "unused").stdout)), len(requests))
        for i in range(len(requests)):
            self.assertEqual(json.loads(self.helper("get", f"r{i}.example").stdout)["Secret"], f"s{i}")

    def test_a_certificate_that_is_not_trusted_ends_a_login_before_the_password_is_sent(self):
        registry = self.registry("tls")
        done = self.login(registry, status=1)
        self.assertIn("certificate", done.stderr)
        self.helper("get", registry.host, status=1)
        self.assertIn("nothing was checked", self.login(registry, "--ca-file", registry.ca).stdout)

    def test_no_network_is_said_and_nothing_is_kept(self):
        done = self.berth("login", "127.0.0.1:9", "-u", "alice", "--password-stdin", input=SECRET, status=1)
        self.assertIn("127.0.0.1:9", done.stderr)
        self.helper("get", "127.0.0.1:9", status=1)

    # S255
    def test_sixty_four_processes_that_ask_at_once_fetch_one_token(self):
        folder = self.folder / "installed"
        folder.mkdir()
        shutil.copy(HELPER, folder)
        now = int(time.time() * 1000)
        self.write("installed/berth", f'#!/bin/sh\necho x >> {self.folder}/asked\nsleep 0.5\n'
                   f'echo \'{{"token":"T","issued":{now},"expires":{now + 3 * 3600 * 1000}}}\'\n', 0o755)
        running = [subprocess.Popen([str(folder / HELPER.name), "get"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(64)]
        for process in running:
            process.stdin.write(b"my.azurecr.io")
            process.stdin.close()
        for process in running:
            self.assertEqual(json.loads(process.stdout.read())["Secret"], "T")
            process.stdout.close()
            self.assertEqual(process.wait(60), 0)
        self.assertEqual((self.folder / "asked").read_text(), "x\n")


if __name__ == "__main__":
    unittest.main()
