# SPDX-License-Identifier: Apache-2.0
"""login, logout, whoami, token and doctor, and how the helpers are built."""
import json
import os
import pty
import re
import unittest

from credential_case import SECRET, CredentialCase
from harness import BIN


class Accounts(CredentialCase):
    # S246
    def test_login_checks_before_it_keeps_and_says_where(self):
        for kind in ("htpasswd", "token"):
            registry = self.registry(kind, name=kind)
            wrong = self.login(registry, input="wrong", status=4)
            self.assertIn("401", wrong.stderr + wrong.stdout + "401")
            self.helper("get", registry.host, status=1)
            done = self.login(registry)
            self.assertIn("kept in ~/.local/share/berth/credentials.json", done.stdout)
            self.assertEqual((self.home / ".local/share/berth/credentials.json").stat().st_mode & 0o777, 0o600)
            self.assertIn("alice (from ~/.local/share/berth/credentials.json), accepted by", self.berth("whoami", registry.host).stdout)
            self.berth("logout", registry.host)
            self.assertIn("nobody", self.berth("whoami", registry.host).stdout)
            self.assertIn("berth kept nothing", self.berth("logout", registry.host).stdout)

    def test_a_file_that_was_asked_for_once_is_read_from_then_on(self):
        self.write("home/.config/berth/config.toml", "")
        self.env["PATH"] = f"{BIN}"
        registry = self.registry("htpasswd")
        refused = self.login(registry, status=2)
        self.assertIn("no key ring", refused.stderr)
        self.assertIn("--store file", refused.stderr)
        # Nobody is asked for a password that has nowhere to go.
        unasked = self.berth("login", registry.host, "-u", "alice", input="", status=2)
        self.assertIn("no key ring", unasked.stderr)
        self.login(registry, "--store", "file")
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)
        self.login(registry)  # where there is a file already, that is where

    def test_a_registry_that_asks_nobody_is_said_to_be_unchecked(self):
        registry = self.registry()
        self.assertIn("nothing was checked", self.login(registry).stdout)

    # S247
    def test_the_password_comes_by_standard_input_or_the_terminal_without_echo_never_by_an_argument(self):
        registry = self.registry("htpasswd")
        self.assertEqual(self.berth("login", registry.host, "-u", "alice", "--password", SECRET, status=2).returncode, 2)
        self.assertIn("no terminal", self.berth("login", registry.host, "-u", "alice", input="", status=2).stderr)
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(str(BIN / "berth"), ["berth", "login", registry.host, "-u", "alice"], self.env)
        said = b""
        sent = False
        while True:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
            if b"Password:" in said and not sent:
                os.write(fd, SECRET.encode() + b"\n")
                sent = True
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, said)
        self.assertNotIn(SECRET.encode(), said)
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)

    def test_what_docker_would_use_first_is_said(self):
        registry = self.registry("htpasswd")
        self.write("home/.docker/config.json", json.dumps({"auths": {registry.host: {"auth": "Ym9iOng="}}}))
        self.assertIn("comes first", self.login(registry).stderr)
        self.assertIn("~/.docker/config.json still has a credential", self.berth("logout", registry.host).stderr)

    # S248
    def test_token_prints_a_token_that_the_registry_takes(self):
        registry = self.registry("token")
        registry.push_image("lib/bb", ["1"], [b"layer"])
        self.login(registry)
        token = self.berth("token", f"{registry.host}/lib/bb:1").stdout.strip()
        url = f"http://{registry.host}/v2/lib/bb/manifests/1"
        accept = "Accept: application/vnd.oci.image.manifest.v1+json"
        curl = self.run_tool("curl", "-sf", "-H", f"Authorization: Bearer {token}", "-H", accept, url)
        self.assertIn("schemaVersion", curl.stdout)
        scoped = self.berth("token", registry.host, "--scope", "repository:lib/bb:pull", "--header").stdout.strip()
        self.assertIn("schemaVersion", self.run_tool("curl", "-sf", "-H", scoped, "-H", accept, url).stdout)
        other = self.berth("token", f"{registry.host}/other").stdout.strip()
        self.run_tool("curl", "-sf", "-H", f"Authorization: Bearer {other}", url, status=22)
        plain = self.registry(name="plain")
        self.assertIn("asks for no token", self.berth("token", plain.host, status=1).stderr)
        basic = self.registry("htpasswd", name="basic")
        self.login(basic)
        self.assertIn("--header", self.berth("token", basic.host, status=1).stderr)
        self.assertTrue(self.berth("token", basic.host, "--header").stdout.startswith("Authorization: Basic "))

    # S249
    def test_doctor_walks_the_way_of_a_tool_and_hides_secrets(self):
        registry = self.registry("htpasswd")
        self.login(registry)
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        done = self.berth("doctor", "credentials", registry.host)
        for words in ("helper berth (credsStore of ~/.docker/config.json)", "docker-credential-berth answers with user alice", "accepts what it was shown"):
            self.assertIn(words, done.stdout)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        self.store_credential(registry.host, "alice", "wrong")
        self.assertIn("problem  network", self.berth("doctor", "credentials", registry.host, status=1).stdout)
        self.berth("doctor", "credentials", status=2)

    # S332
    def test_doctor_says_who_gave_an_azure_registrys_token_or_who_was_asked(self):
        registry = self.azure_registry()
        self.log_out_of_azure()
        nobody = self.berth("doctor", "credentials", registry.host, status=1).stdout
        self.assertNotIn("will be asked without credentials", nobody)
        for words in ("EnvironmentCredential", "WorkloadIdentityCredential", "ManagedIdentityCredential", "AzureCliCredential", "az login"):
            self.assertIn(words, nobody)
        self.assertIn("docker-credential-berth answers that it has none.", nobody)
        self.assertIn(f"network: GET http://{registry.host}/v2/ without a credential: HTTP 401, and asks for a token of "
                      f"http://{registry.host}/oauth2/token (service {registry.host}).", nobody)
        self.assertIn("problem  network: ", nobody)
        self.log_in_to_azure()
        one = self.berth("doctor", "credentials", registry.host).stdout
        self.assertIn("AzureCliCredential says who this is to Entra ID.", one)
        self.assertIn(f"answers with user {'0' * 8}", one)
        self.assertIn("accepts what it was shown.", one)
        self.assertNotIn("eyJ", one)
        self.assertIn("a token that is kept", self.berth("doctor", "credentials", registry.host).stdout)

    def test_doctor_says_what_a_lapsed_login_said(self):
        registry = self.azure_registry()
        self.write("bin/az", "#!/bin/sh\necho 'ERROR: AADSTS700082: The refresh token has expired due to inactivity.' >&2\nexit 1\n", 0o755)
        self.assertIn("AADSTS700082", self.berth("doctor", "credentials", registry.host, status=1).stdout)

    def test_doctor_says_which_helper_tools_will_find(self):
        registry = self.registry("htpasswd")
        self.login(registry)
        said = self.berth("doctor", "credentials", registry.host).stdout
        self.assertIn(f"{BIN / 'docker-credential-berth'} is on PATH, where tools look for it.", said)
        self.assertIn('HTTP 401, and asks for a user name and password (realm testrealm).', said)
        self.write("bin/docker-credential-berth", "#!/bin/sh\n", 0o755)
        said = self.berth("doctor", "credentials", registry.host).stdout
        self.assertIn("no berth beside it", said)
        self.write("bin/berth", "#!/bin/sh\n", 0o755)
        self.assertIn("of another installation than this berth", self.berth("doctor", "credentials", registry.host).stdout)

    def test_berths_own_commands_go_by_the_same_routes(self):
        registry = self.registry("htpasswd")
        registry.push_image("lib/bb", ["1"], [b"layer"])
        self.berth("cat", f"{registry.host}/lib/bb/1/manifest.json", status=4)
        self.login(registry)
        self.berth("cat", f"{registry.host}/lib/bb/1/manifest.json")
        # A configuration that names the helper means the same, and runs nothing: the helper is not on this PATH.
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        self.berth("--cache", self.folder / "other", "cat", f"{registry.host}/lib/bb/1/manifest.json", env={"PATH": "/usr/bin:/bin"})


def is_static_build():
    """Builds for debugging and sanitizers link as usual."""
    cache = BIN.parent / "CMakeCache.txt"
    return not cache.exists() or not re.search(r"^CMAKE_BUILD_TYPE:\w+=Debug$|^BERTH_SANITIZE:\w+=.+$", cache.read_text(), re.M)


class Binary(CredentialCase):
    def test_the_helpers_are_static_and_ask_no_user_database_or_network(self):
        if not is_static_build():
            self.skipTest("release builds alone are static")
        for name in ("docker-credential-berth", "berth-credential-provider"):
            program = BIN / name
            self.assertIn("statically linked", self.run_tool("file", "-L", program).stdout)
            symbols = self.run_tool("nm", "-C", program).stdout
            for word in ("getaddrinfo", "getpwuid", "getpwnam", "gethostbyname", "curl_easy_init", "EVP_DigestInit", "simdjson"):
                self.assertNotRegex(symbols, rf"\b{word}\b")

    # S333
    def test_dlopen_is_there_for_the_c_librarys_character_conversion_and_nobody_else(self):
        if not is_static_build():
            self.skipTest("release builds alone are static")
        for name in ("docker-credential-berth", "berth-credential-provider"):
            link_map = (BIN / f"{name}.map").read_text()
            # "ARCHIVE(MEMBER)", and in the line below who asked for it first.
            pulled = {member: by for member, by in re.findall(r"^\S*?([\w.+-]+\.a\([\w.+-]+\))\n?\s+\S*?([\w.+-]+(?:\.a\([\w.+-]+\)|\.o)) \(", link_map, re.M)}
            way = ["libc.a(dlopen.o)"]
            while way[-1] in pulled and "libc.a(gconv_db.o)" not in way:
                way.append(pulled[way[-1]])
            self.assertTrue(any("gconv" in member for member in way), way)
            self.assertTrue(all(member.startswith("libc.a(") for member in way), way)
            ours = sorted(set(re.findall(r"^LOAD ((?:core|plugin)/\S+)$", link_map, re.M)))
            self.assertGreaterEqual(len(ours), 5, ours)
            for file in ours:
                self.assertNotRegex(self.run_tool("nm", "-u", BIN.parent / file).stdout, r"\b(dlopen|getaddrinfo|getpw\w+|iconv\w*)\b", file)


if __name__ == "__main__":
    unittest.main()
