# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth with berth beside it and an Azure container registry on loopback, and without a key ring to be reached."""
import base64
import json
import subprocess
import time
import unittest

from credential_case import HELPER, CredentialCase
from harness import tool

TOKEN = "an-entra-id-token"
NULL_GUID = "00000000-0000-0000-0000-000000000000"


def jwt(**claims):
    return "e30." + base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=") + ".c2ln"


class RegistryTokens(CredentialCase):
    def setUp(self):
        super().setUp()
        az = self.write("bin/az", "#!/bin/sh\n" + f"echo '{json.dumps({'accessToken': TOKEN, 'expires_on': 4000000000})}'\n", 0o755)
        self.env["PATH"] = f"{az.parent}:{self.env['PATH']}"
        self.env["AZURE_TOKEN_CREDENTIALS"] = "AzureCliCredential"
        self.azure = self.fake_registry("--acr", "--auth", "bearer", "--sample", "--entra", TOKEN)
        self.write("home/.config/berth/config.toml", f'[credential]\nstore = "file"\n[registry."{self.azure.host}"]\nplain_http = true\nacr = true\n')
        self.azure.requests()

    def exchanges(self):
        return [target for _, method, target in self.azure.requests() if method == "POST" and "/oauth2/exchange" in target]

    def get(self):
        return json.loads(self.helper("get", self.azure.host).stdout)

    def test_any_number_of_processes_exchange_once(self):
        """S255"""
        running = [subprocess.Popen([str(HELPER), "get"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(8)]
        for process in running:
            process.stdin.write(self.azure.host)
            process.stdin.close()
        answers = {process.stdout.read() for process in running}
        for process in running:
            self.assertEqual(process.wait(60), 0)
            process.stdout.close()
        self.assertEqual(len(answers), 1)
        self.assertEqual(json.loads(answers.pop())["Username"], NULL_GUID)
        self.assertEqual(len(self.exchanges()), 1)

    def test_what_az_acr_login_left_behind_is_renewed(self):
        """S302"""
        now = int(time.time())
        young = jwt(iat=now - 60, exp=now + 3600)
        self.store_credential(self.azure.host, NULL_GUID, young)
        self.assertEqual(self.get()["Secret"], young)
        self.assertEqual(self.exchanges(), [])
        for age, left in ((7200, 3600), (7200, -3600)):
            old = jwt(iat=now - age, exp=now + left, sub="11111111-2222-3333-4444-555555555555")  # as the fake's
            self.store_credential(self.azure.host, NULL_GUID, old)
            self.assertNotEqual(self.get()["Secret"], old)
        self.assertEqual(len(self.exchanges()), 1)


class NoKeyRing(CredentialCase):
    def test_a_session_bus_that_is_gone_does_not_end_reads_of_public_registries(self):
        """S307"""
        tool("docker-credential-secretservice")
        self.write("home/.config/berth/config.toml", "")
        self.env["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={self.folder}/nowhere"
        done = self.helper("get", "y.example", status=1)
        self.assertEqual(done.stdout, "credentials not found in native keychain\n")
        self.assertIn("the key ring is passed over", done.stderr)
        registry = self.registry()
        registry.push_image("lib/bb", ["1"], [b"layer"])
        auth = self.write("auth.json", json.dumps({"credHelpers": {registry.host: "berth"}}))
        done = self.run_tool(tool("skopeo"), "inspect", "--raw", "--authfile", auth, "--tls-verify=false", f"docker://{registry.host}/lib/bb:1")
        self.assertIn("schemaVersion", done.stdout)


if __name__ == "__main__":
    unittest.main()
