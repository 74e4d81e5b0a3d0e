# SPDX-License-Identifier: Apache-2.0
"""The programs of docs/examples, run as their first lines say: against the fake Azure container registry, and those of content
against docker-registry too. Whoever runs them is logged in with az, which is a script here."""
import http.server
import json
import os
import re
import subprocess
import threading
import unittest

from harness import BIN, Case, ROOT
from registry import OCI_MANIFEST, digest_of

ENTRA = "entra-token-of-az"


class RecordingProxy(http.server.ThreadingHTTPServer):
    """Writes down where it is asked to lead to, and leads nowhere."""

    def __init__(self):
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_CONNECT(self):
                self.server.asked.append(self.path)
                self.send_error(403)

            def log_message(self, *_):
                pass
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Examples(Case):
    def setUp(self):
        super().setUp()
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        self.az_log = self.folder / "az.log"
        az = bin_folder / "az"
        az.write_text(f'#!/bin/sh\necho "$@" >> {self.az_log}\n'
                      f'echo \'{{"accessToken": "{ENTRA}", "expires_on": 4102444800, "tokenType": "Bearer"}}\'\n')
        az.chmod(0o755)
        self.env.update({"PATH": f"{bin_folder}:/usr/bin:/bin", "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"})
        # docker's and podman's files say something else, which no example asks for.
        (self.home / ".docker").mkdir()
        (self.home / ".docker/config.json").write_text("not to be read")

    def acr(self, *arguments):
        return self.fake_registry("--acr", "--auth", "bearer", "--entra", ENTRA, *arguments)

    def example(self, name, host, *arguments, status=0):
        done = subprocess.run([str(BIN / f"example_{name}"), f"http://{host}", *map(str, arguments)], env=self.env, capture_output=True,
                              text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_lists_repositories_by_item_and_by_page(self):
        registry = self.acr("--sample")
        names = ["library/artifact", "library/hello", "library/multi"]
        self.assertEqual(self.example("list_repositories", registry.host),
                         f"Repositories of {registry.host}:\n" + "".join(f"  {name}\n" for name in names) +
                         "The same, two in a page:\n"
                         f"  page 1\n    {names[0]}\n    {names[1]}\n  page 2\n    {names[2]}\n")
        self.assertIn("--resource https://containerregistry.azure.net", self.az_log.read_text())

    def test_lists_tags_without_a_login(self):
        registry = self.acr("--sample", "--anonymous-pull")
        self.assertEqual(self.example("list_tags_anonymously", registry.host, "library/hello", "v1"),
                         f"{registry.host}/library/hello:v1 has the following aliases:\n"
                         f"    {registry.host}/library/hello:latest\n    {registry.host}/library/hello:v1\n")
        self.assertFalse(self.az_log.exists(), "the Azure CLI was asked, though nobody was to be")

    def test_says_when_the_registry_lets_nobody_in_without_a_login(self):
        registry = self.acr("--sample")
        said = self.example("list_tags_anonymously", registry.host, "library/hello", "v1", status=1)
        self.assertRegex(said, r"anonymous")

    def test_locks_a_tag(self):
        registry = self.acr("--sample")
        self.assertEqual(self.example("set_image_properties", registry.host, "library/hello", "v1"),
                         f"{registry.host}/library/hello:v1\n  can_read: true\n  can_list: true\n  can_write: false\n  can_delete: false\n")
        # And it holds.
        said = self.example("delete_manifest", registry.host, "library/hello", "v1", status=1)
        self.assertIn("lock", said)

    def test_deletes_all_images_but_the_newest_three(self):
        registry = self.acr()
        layer = self.folder / "layer"
        for number in range(5):
            layer.write_bytes(b"layer %d" % number)
            self.example("upload_image", registry.host, "some/images", f"v{number}", layer)
        said = self.example("delete_images", registry.host, "some/images")
        self.assertEqual(re.findall(r"some/images:(\S+)", said), ["v1", "v0"])
        self.assertEqual(len(re.findall(r"Deleting the image sha256:[0-9a-f]{64}$", said, re.M)), 2)
        self.assertEqual(self.example("delete_images", registry.host, "some/images"), "")
        self.example("download_image", registry.host, "some/images", "v2", self.folder / "kept")
        self.example("download_image", registry.host, "some/images", "v1", self.folder / "gone", status=1)

    def test_deleting_images_leaves_the_platforms_of_an_index_alone(self):
        registry = self.acr("--sample")
        layer = self.folder / "layer"
        for number in range(2):
            layer.write_bytes(b"layer %d" % number)
            self.example("upload_image", registry.host, "library/multi", f"v{number}", layer)
        registry.requests()
        # Three images, the index among them, and its two platforms, which are older and bear no tag.
        self.assertEqual(self.example("delete_images", registry.host, "library/multi"), "")
        layer.write_bytes(b"layer 2")
        self.example("upload_image", registry.host, "library/multi", "v2", layer)
        said = self.example("delete_images", registry.host, "library/multi")
        index = re.search(r"Deleting the image (sha256:[0-9a-f]{64})\n  with its tag library/multi:latest\n$", said).group(1)
        deleted = [url for _, method, url in registry.requests() if method == "DELETE"]
        self.assertEqual([url.replace("%3A", ":") for url in deleted], [f"/v2/library%2Fmulti/manifests/{index}"])

    def upload_download_delete(self, host):
        layer = self.folder / "layer.tar.gz"
        layer.write_bytes(os.urandom(3 << 20))
        digest = digest_of(layer.read_bytes())
        said = self.example("upload_image", host, "samples/hello", "demo", layer)
        self.assertIn(f"Uploaded the layer: {digest}, {3 << 20} bytes", said)
        manifest = re.search(r"Uploaded the manifest: (sha256:[0-9a-f]{64}), tagged demo", said).group(1)

        image = self.folder / "image"
        said = self.example("download_image", host, "samples/hello", "demo", image)
        self.assertIn(f"Downloaded the manifest {manifest}: {OCI_MANIFEST}", said)
        self.assertEqual(digest_of((image / "manifest.json").read_bytes()), manifest)
        parsed = json.loads((image / "manifest.json").read_text())
        self.assertEqual(digest_of((image / "config.json").read_bytes()), parsed["config"]["digest"])
        self.assertEqual((image / digest[7:]).read_bytes(), layer.read_bytes())

        self.assertEqual(self.example("delete_blobs", host, "samples/hello", "demo"), f"Deleted the layer {digest}\n")
        said = self.example("download_image", host, "samples/hello", "demo", self.folder / "again", status=1)
        self.assertIn(digest, said)
        self.assertFalse((self.folder / "again" / digest[7:]).exists())
        self.assertEqual(self.example("delete_manifest", host, "samples/hello", "demo"), f"Deleted the manifest {manifest}\n")
        self.example("delete_manifest", host, "samples/hello", "demo", status=1)

    def test_uploads_downloads_and_deletes_on_an_azure_registry(self):
        self.upload_download_delete(self.acr().host)

    def test_uploads_downloads_and_deletes_on_docker_registry(self):
        self.upload_download_delete(self.registry().host)
        self.assertFalse(self.az_log.exists(), "an Entra ID token was asked for, and no registry wanted one")

    def test_copies_an_image_from_an_azure_registry_to_docker_registry(self):
        registry, target = self.acr("--sample"), self.registry().host
        said = self.example("copy_image", registry.host, "library/hello", "v1", f"http://{target}", "copies/hello")
        digest = re.fullmatch(rf"Copied (sha256:[0-9a-f]{{64}}) to {target}/copies/hello:v1\n", said).group(1)
        self.example("download_image", target, "copies/hello", "v1", self.folder / "image")
        self.assertEqual(digest_of((self.folder / "image/manifest.json").read_bytes()), digest)
        self.example("copy_image", registry.host, "library/hello", "none", f"http://{target}", "copies/hello", status=1)

    def test_signs_in_to_the_cloud_of_china(self):
        registry = self.acr("--sample")
        self.assertEqual(self.example("china_cloud", registry.host),
                         f"Repositories of {registry.host}:\n  library/artifact\n  library/hello\n  library/multi\n")
        self.assertIn("--resource https://management.chinacloudapi.cn", self.az_log.read_text())

    def test_shows_the_secret_of_an_application_to_the_authority_of_china_alone(self):
        registry, proxy = self.acr("--sample"), RecordingProxy()
        self.addCleanup(proxy.close)
        self.env.update({"AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential", "AZURE_TENANT_ID": "contoso", "AZURE_CLIENT_ID": "app",
                         "AZURE_CLIENT_SECRET": "secret", "https_proxy": f"http://127.0.0.1:{proxy.server_address[1]}"})
        said = self.example("china_cloud", registry.host, status=1)
        self.assertIn("POST https://login.chinacloudapi.cn/contoso/oauth2/v2.0/token: the proxy", said)
        self.assertEqual(set(proxy.asked), {"login.chinacloudapi.cn:443"})

    def test_the_readme_shows_one_as_it_is(self):
        shown = re.search(r"```cpp\n// (\S+)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
        self.assertIn(shown.group(2), (ROOT / shown.group(1)).read_text())

    def test_each_says_how_it_is_called(self):
        sources = sorted((ROOT / "docs/examples").glob("*.cpp"))
        self.assertEqual(len(sources), 10)
        for source in sources:
            done = subprocess.run([str(BIN / f"example_{source.stem}")], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (2, ""), source)
            self.assertTrue(done.stderr.startswith(f"usage: {source.stem} ENDPOINT"), done.stderr)
            self.assertLess(len(source.read_text().splitlines()), 80, source)


if __name__ == "__main__":
    unittest.main()
