# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth and berth-credential-provider for an Azure registry, with berth itself beside them: Entra ID, the exchange, the kept token."""
import base64
import http.server
import json
import subprocess
import threading
import unittest
import urllib.parse

from credential_case import ENTRA_TOKEN, HELPER, CredentialCase
from harness import BIN

PROVIDER = BIN / "berth-credential-provider"
NOBODY = "00000000-0000-0000-0000-000000000000"


class Authority(http.server.BaseHTTPRequestHandler):
    """Microsoft Entra ID, for one service account of one tenant."""
    asked = []

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        self.asked.append((self.path, form.get("client_id"), form.get("client_assertion")))
        is_known = self.path == "/contoso/oauth2/v2.0/token" and form.get("client_assertion") == service_account("good")
        answer = {"token_type": "Bearer", "expires_in": 3600, "access_token": ENTRA_TOKEN} if is_known else {
            "error": "invalid_client", "error_description": "AADSTS700213: No matching federated identity record found."}
        body = json.dumps(answer).encode()
        self.send_response(200 if is_known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def service_account(name):
    """A token as a cluster gives it: its claims are read, its signature is Entra ID's matter."""
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    return f"{part({'alg': 'RS256'})}.{part({'iss': 'https://cluster.example', 'sub': f'system:serviceaccount:ns:{name}'})}.c2ln"


class Helper(CredentialCase):
    # S330
    def test_processes_that_ask_at_once_exchange_one_token(self):
        registry = self.azure_registry()
        self.log_in_to_azure()
        registry.requests()
        running = [subprocess.Popen([str(HELPER), "get"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
        answers = set()
        for process in running:
            answers.add(process.communicate(registry.host.encode(), timeout=60)[0])
        (answer,) = answers
        self.assertEqual(json.loads(answer)["Username"], NOBODY)
        self.assertEqual([target.partition("?")[0] for _, _, target in registry.requests()], ["/oauth2/exchange"])
        self.assertEqual((self.folder / "runs-of-az").read_text(), "run\n")
        self.helper("erase", registry.host)
        self.log_out_of_azure()
        self.assertEqual(self.helper("get", registry.host, status=1).stdout, "credentials not found in native keychain\n")


class Kubelet(CredentialCase):
    def setUp(self):
        super().setUp()
        self.azure = self.azure_registry()
        Authority.asked = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Authority)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env["AZURE_AUTHORITY_HOST"] = f"http://127.0.0.1:{server.server_port}"

    def ask(self, token=None, status=0, client="pod"):
        request = {"kind": "CredentialProviderRequest", "apiVersion": "credentialprovider.kubelet.k8s.io/v1", "image": f"{self.azure.host}/lib/app:v1"}
        if token:
            request |= {"serviceAccountToken": token, "serviceAccountAnnotations": {
                "kubernetes.azure.com/acr-client-id": client, "kubernetes.azure.com/acr-tenant-id": "contoso"}}
        return self.run_tool(PROVIDER, input=json.dumps(request), status=status)

    def credential_in(self, done):
        return json.loads(done.stdout)["auth"].get(self.azure.host)

    # S331
    def test_a_pods_token_pulls_and_another_pods_is_refused(self):
        given = self.credential_in(self.ask(service_account("good")))
        self.assertEqual(given["username"], NOBODY)
        self.run_tool("skopeo", "inspect", "--tls-verify=false", "--creds", f"{NOBODY}:{given['password']}", f"docker://{self.azure.host}/lib/app:v1")
        self.assertEqual(Authority.asked, [("/contoso/oauth2/v2.0/token", "pod", service_account("good"))])
        self.assertEqual(self.credential_in(self.ask(service_account("good"))), given)
        self.assertEqual(len(Authority.asked), 1, "a kept token is answered without asking")
        for other in (service_account("bad"), "rubbish"):
            refused = self.ask(other, status=1, client="another")
            self.assertNotIn(given["password"], refused.stdout)
            self.assertIn("AADSTS700213", refused.stderr)
            self.assertNotIn(other, refused.stderr)

    def test_the_node_without_a_service_accounts_token(self):
        self.assertIsNone(self.credential_in(self.ask()))
        self.log_in_to_azure()
        self.assertEqual(self.credential_in(self.ask())["username"], NOBODY)


if __name__ == "__main__":
    unittest.main()
