# SPDX-License-Identifier: Apache-2.0
"""An Azure container registry, as whoever Entra ID says that one is: the command and the mount."""
import base64
import errno
import json
import os
import subprocess
import unittest
import urllib.error
import urllib.request

from harness import BIN, Case, FakeRegistry, closed_port, wait_until

TOKEN = "token-of-az"


def jwt(**claims):
    """A token whose claims can be read, and whose signature nobody checks."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, claims)]
    return ".".join([*parts, "c2ln"])


PERSON = jwt(tid="contoso", oid="1111-2222", upn="kim@contoso.com")


class EntraId(Case):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        # Whether this very machine is one of Azure's, or somebody is logged in here, is nobody's business.
        self.env["PATH"] = f"{self.bin}:/usr/bin:/bin"
        self.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://127.0.0.1:{closed_port()}"

    def azure(self, *arguments, token=TOKEN, more="") -> FakeRegistry:
        registry = self.fake_registry("--acr", "--auth", "bearer", "--sample", "--entra", token, *arguments)
        config = self.folder / "config.toml"
        config.write_text(f'[registry."{registry.host}"]\nacr = true\nplain_http = true\n{more}')
        self.env["BERTH_CONFIG"] = str(config)
        return registry

    def log_in(self, token=TOKEN):
        az = self.bin / "az"
        az.write_text(f'#!/bin/sh\necho run "$@" >> {self.folder}/runs\n'
                      f'echo \'{{"accessToken":"{token}","expires_on":4000000000}}\'\n')
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

    def test_login_needs_no_password_where_an_identity_is_there(self):
        # S361, S362
        registry = self.azure(token=PERSON)
        self.log_in(PERSON)
        who = "AzureCliCredential (account kim@contoso.com, tenant contoso, object id 1111-2222)"
        self.assertEqual(self.berth("login", registry.host).stdout,
                         f"Logged in to {registry.host} by {who}; nothing had to be kept.\n")
        self.assertFalse((self.home / ".local").exists())
        self.assertEqual(self.berth("whoami", registry.host).stdout, f"{who}, accepted by {registry.host}\n")
        shown = json.loads(self.berth("whoami", "--json", registry.host).stdout)
        self.assertEqual([shown["credential"], shown["account"], shown["tenant"], shown["object_id"], shown["checked"]],
                         ["AzureCliCredential", "kim@contoso.com", "contoso", "1111-2222", True])
        self.assertEqual(json.loads(self.berth("login", "--json", registry.host).stdout)["kept_in"], None)

    def test_login_says_that_the_registry_refuses_the_identity(self):
        # S361
        registry = self.azure(token=PERSON)
        self.log_in(jwt(tid="fabrikam", oid="3"))
        said = self.berth("login", registry.host, status=4).stderr
        self.assertIn("did not take the Entra ID token", said)
        self.assertIn("of the tenant fabrikam", said)

    def test_login_without_an_identity_names_what_was_tried_and_what_helps(self):
        # S361
        registry = self.azure()
        said = self.berth("login", registry.host, status=4).stderr
        for words in ("az is not installed", "run `az login`, or give --username NAME --password-stdin"):
            self.assertIn(words, said)
        self.log_in()
        said = self.berth("login", registry.host, "-u", "alice", "--password-stdin", "--store", "file", input="wonder").stdout
        self.assertIn("as alice", said, "who gives a user name means that")

    def test_whoami_says_why_nobody_is_known(self):
        # S447
        registry = self.azure()
        done = self.berth("whoami", registry.host)
        self.assertEqual(done.stdout, f"nobody: {registry.host} is asked without credentials\n")
        self.assertTrue(done.stderr.startswith(f"berth: {registry.host} asks for a login, and no credentials for it were found: run `az login`, "
                                               f"`docker login {registry.host}` or `podman login {registry.host}`"), done.stderr)
        for words in ("EnvironmentCredential: not set: AZURE_TENANT_ID, AZURE_CLIENT_ID", "az is not installed (no folder of PATH has it)",
                      "pwsh is not installed", "azd is not installed"):
            self.assertIn(words, done.stderr)
        shown = json.loads(self.berth("--json", "whoami", registry.host).stdout)
        self.assertEqual((shown["username"], shown["source"], shown["checked"]), (None, None, False))
        self.assertEqual(f"berth: {shown['refused']}\n", done.stderr)

    def test_the_tools_run_in_a_folder_that_nobody_fills(self):
        # S448
        where = self.folder / "where"
        answers = {"az": ("AzureCliCredential", '{"accessToken":"token-of-az","expires_on":4000000000}'),
                   "azd": ("AzureDeveloperCliCredential", '{"token":"token-of-az","expiresOn":"2090-01-01T00:00:00Z"}'),
                   "pwsh": ("AzurePowerShellCredential", '{"Token":"token-of-az","ExpiresOn":4000000000}')}
        for tool, (name, answer) in answers.items():
            registry = self.azure()
            program = self.bin / tool
            program.write_text(f"#!/bin/sh\n/bin/pwd -P >{where}\necho '{answer}'\n")
            program.chmod(0o755)
            env = {**self.env, "AZURE_TOKEN_CREDENTIALS": name, "BERTH_TOKENS": str(self.folder / f"tokens-{tool}")}
            done = subprocess.run([str(BIN / "berth"), "whoami", registry.host], env=env, cwd=self.folder, capture_output=True, text=True, timeout=60)
            self.assertIn(f"{name}", done.stdout, done.stderr)
            self.assertEqual(where.read_text().strip(), os.path.realpath("/bin"), tool)
            where.unlink()
            program.unlink()

    def test_logout_warns_of_an_identity_that_is_still_asked(self):
        # S363
        registry = self.azure(token=PERSON)
        self.log_in(PERSON)
        self.berth("whoami", registry.host)
        done = self.berth("logout", registry.host)
        self.assertIn("Removed from", done.stdout)
        self.assertIn(f"{registry.host} is still asked by AzureCliCredential (account kim@contoso.com", done.stderr)
        (self.bin / "az").unlink()
        self.assertEqual(self.berth("logout", registry.host).stderr, "")

    def test_the_helpers_and_the_command_ask_one_authority_for_one_audience(self):
        # S360
        registry = self.azure(more='audience = "https://audience.example"\n')
        self.log_in()
        self.assertIn('"token"', self.berth("token", "--helper", registry.host).stdout)
        self.berth("ls", f"{registry.host}/library/hello")
        asked = (self.folder / "runs").read_text().splitlines()
        self.assertEqual([line.split("--resource ")[1].split()[0] for line in asked], ["https://audience.example"] * len(asked))
        # The secret of an application goes to the cloud of the registry, whoever asks; here it gets no further than a proxy.
        application = {"AZURE_TENANT_ID": "contoso", "AZURE_CLIENT_ID": "app", "AZURE_CLIENT_SECRET": "secret",
                       "https_proxy": f"http://127.0.0.1:{closed_port()}"}
        said = self.berth("-vv", "--timeout", 2, "token", "--helper", "r.azurecr.cn", env=application, status=None).stderr
        self.assertIn("POST https://login.chinacloudapi.cn/contoso/oauth2/v2.0/token", said)

    def test_a_registry_with_rights_by_repository_drops_wildcards(self):
        # S364
        registry = self.azure("--abac")
        self.log_in()
        self.assertIn("v1", self.berth("ls", f"{registry.host}/library/hello").stdout)
        self.assertIn("library", self.berth("ls", registry.host).stdout)
        self.assertEqual(self.status(registry, "repository:library/hello:pull"), 200)

    def test_a_token_for_wildcards_alone_is_refused_where_they_are_dropped(self):
        # S445
        registry = self.azure("--abac")
        self.log_in()
        why = (f"{registry.host} gives rights by repository (ABAC) and drops wildcards: a token for repository:*:* is good for nothing there; name each "
               "repository, as in --scope repository:NAME:pull\n")
        for header in ([], ["--header"]):
            done = self.berth("token", *header, "--scope", "repository:*:*", registry.host, status=4)
            self.assertEqual((done.stdout, done.stderr), ("", f"berth: {why}"))
        done = self.berth("token", "--scope", "repository:*:*", "--scope", "repository:library/hello:pull", registry.host)
        self.assertEqual(done.stderr, f"berth: warning: {why}")
        self.assertNotEqual(done.stdout, "")
        self.assertEqual(self.berth("token", "--scope", "registry:catalog:*", registry.host).stderr, "", "what is no repository is no such wildcard")

    def test_a_wildcard_is_taken_where_rights_are_of_the_registry(self):
        # S445
        registry = self.azure()
        self.log_in()
        done = self.berth("token", "--scope", "repository:*:*", registry.host)
        self.assertEqual((done.stderr, len(done.stdout.split())), ("", 1))

    def test_a_purge_goes_on_where_the_identity_lacks_the_right_in_one_repository(self):
        # S365
        registry = self.azure("--abac", "--entra-denies", "library/hello:delete", "--entra-denies", "library/multi:metadata_read")
        self.log_in()
        done = self.berth("purge", registry.host, "--filter", ".*:.*", "--ago", "0d", "--yes", "-j", "1", status=4)
        self.assertIn(f"deleted {registry.host}/library/artifact:latest", done.stdout)
        self.assertIn("1 tag and 0 manifests deleted", done.stdout)
        for repository in ("library/hello", "library/multi"):
            self.assertIn(f"does not give it repository:{repository}:", done.stderr)
        self.assertIn("gives rights by repository (ABAC)", done.stderr)
        self.assertIn("v1", self.berth("ls", f"{registry.host}/library/hello").stdout)

    def status(self, registry, scope):
        """What the registry answers to the list of tags with a token for a scope."""
        header = self.berth("token", "--header", "--scope", scope, registry.host).stdout
        name, value = header.strip().split(": ", 1)
        request = urllib.request.Request(f"http://{registry.host}/v2/library/hello/tags/list", headers={name: value})
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status
        except urllib.error.HTTPError as refused:
            return refused.code


if __name__ == "__main__":
    unittest.main()
