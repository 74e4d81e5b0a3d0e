# SPDX-License-Identifier: Apache-2.0
"""Debian's docker-registry on loopback for tests and benchmarks in Python, and pushing to it by HTTP."""
import base64
import ctypes
import hashlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
TITLE = "org.opencontainers.image.title"


def die_with_parent():
    """In a child before exec: killed when the test is, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def make_certificates(folder):
    """A CA and a certificate for localhost and 127.0.0.1 signed by it: ca.crt, server.crt, server.key."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=berth test CA")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-out", "server.crt",
            "-days", "2", "-extfile", "server.ext")


class Registry:
    """kind: plain, tls, htpasswd (alice:wonder), token (alice:wonder at a token server beside it)."""

    def __init__(self, folder, kind="plain", port=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.kind = kind
        self.port = port or free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.log_path = self.folder / "registry.log"
        self.process = None
        self.token_server = None
        self.ca = None
        self.configure()
        self.start()

    def configure(self):
        http_options, auth = "", ""
        if self.kind == "tls":
            make_certificates(self.folder)
            self.ca = self.folder / "ca.crt"
            http_options = f", tls: {{certificate: {self.folder / 'server.crt'}, key: {self.folder / 'server.key'}}}"
        elif self.kind == "htpasswd":
            line = subprocess.run(["htpasswd", "-Bbn", "alice", "wonder"], check=True, capture_output=True, text=True).stdout
            (self.folder / "htpasswd").write_text(line)
            auth = f"auth: {{htpasswd: {{realm: testrealm, path: {self.folder / 'htpasswd'}}}}}\n"
        elif self.kind == "token":
            self.start_token_server()
            auth = (f"auth: {{token: {{realm: 'http://127.0.0.1:{self.token_port}/token', service: test-service, "
                    f"issuer: test-issuer, rootcertbundle: {self.folder / 'cert.pem'}}}}}\n")
        self.config = self.folder / "registry.yml"
        self.config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder / 'data'}}}, delete: {{enabled: true}}}}\n"
            f"http: {{addr: '{self.host}', relativeurls: true{http_options}}}\n{auth}")

    def start_token_server(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
                        "-days", "2", "-subj", "/CN=tokenissuer"], cwd=self.folder, check=True, capture_output=True)
        self.token_log = self.folder / "token.log"
        self.token_port = free_port()
        with open(self.token_log, "wb") as log:
            self.token_server = subprocess.Popen(
                [sys.executable, str(HERE.parent / "integration/tokensrv.py"), str(self.token_port)], cwd=self.folder,
                stdout=log, stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.token_port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the token server did not start")

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", str(self.config)], stdout=log, stderr=log,
                                            preexec_fn=die_with_parent)
        for _ in range(400):
            try:
                if self.request("GET", "/v2/")[0] in (200, 401):
                    return
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
        raise RuntimeError("docker-registry did not start: " + self.log_path.read_text()[-500:])

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def close(self):
        for process in (self.process, self.token_server):
            if process and process.poll() is None:
                process.terminate()
                process.wait()

    def connection(self):
        if self.ca:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=120, context=ssl.create_default_context(cafile=self.ca))
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def request(self, method, path, body=None, headers=None, scope=None):
        headers = dict(headers or {})
        if self.kind == "htpasswd":
            headers["Authorization"] = "Basic " + base64.b64encode(b"alice:wonder").decode()
        elif self.kind == "token" and scope:
            headers["Authorization"] = "Bearer " + self.token(scope)
        connection = self.connection()
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, data

    def token(self, scope):
        connection = http.client.HTTPConnection("127.0.0.1", self.token_port, timeout=30)
        connection.request("GET", f"/token?service=test-service&scope={scope}",
                           headers={"Authorization": "Basic " + base64.b64encode(b"alice:wonder").decode()})
        token = json.loads(connection.getresponse().read())["token"]
        connection.close()
        return token

    # The access log.
    def lines(self, pattern=""):
        time.sleep(0.1)
        text = self.log_path.read_text(errors="replace")
        return [line for line in text.splitlines() if re.search(r'"(GET|HEAD|POST|PUT|PATCH|DELETE) /v2/', line) and re.search(pattern, line)]

    def requests(self, pattern=""):
        return len(self.lines(pattern))

    # Pushing.
    def push_blob(self, repository, data):
        """bytes, or the path of a file."""
        if isinstance(data, bytes):
            digest, size, body = digest_of(data), len(data), data
        else:
            hasher = hashlib.sha256()
            with open(data, "rb") as file:
                while piece := file.read(1 << 20):
                    hasher.update(piece)
            digest, size, body = "sha256:" + hasher.hexdigest(), os.path.getsize(data), open(data, "rb")
        scope = f"repository:{repository}:pull,push"
        _, headers, _ = self.request("POST", f"/v2/{repository}/blobs/uploads/", scope=scope)
        location = headers["location"]
        location += ("&" if "?" in location else "?") + "digest=" + digest
        status, _, answer = self.request("PUT", location, body, {"Content-Length": str(size), "Content-Type": "application/octet-stream"}, scope)
        if status != 201:
            raise RuntimeError(f"upload to {repository}: {status} {answer[:200]}")
        return {"digest": digest, "size": size}

    def push_manifest(self, repository, references, manifest, media_type):
        """A dict or the exact bytes, under each reference; gives its descriptor."""
        raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        for reference in references or [digest_of(raw)]:
            status, _, answer = self.request("PUT", f"/v2/{repository}/manifests/{reference}", raw, {"Content-Type": media_type},
                                             f"repository:{repository}:pull,push")
            if status != 201:
                raise RuntimeError(f"manifest {repository}:{reference}: {status} {answer[:200]}")
        return {"mediaType": media_type, "digest": digest_of(raw), "size": len(raw)}

    def push_image(self, repository, tags, layers, config=None, annotations=None, docker=False):
        """layers: bytes, paths, or descriptors of what is there."""
        manifest_type, config_type, layer_type = (DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER) if docker else (OCI_MANIFEST, OCI_CONFIG, OCI_LAYER)
        described = [layer if isinstance(layer, dict) else self.push_blob(repository, layer) for layer in layers]
        config = {"created": "2024-05-01T10:00:00Z", "architecture": "amd64", "os": "linux", "config": {},
                  "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in described]}, **(config or {})}
        manifest = {"schemaVersion": 2, "mediaType": manifest_type,
                    "config": {"mediaType": config_type, **self.push_blob(repository, json.dumps(config).encode())},
                    # Said to be compressed, so that no client compresses it on the way.
                    "layers": [{"mediaType": layer_type, **layer} for layer in described]}
        if annotations:
            manifest["annotations"] = annotations
        return self.push_manifest(repository, tags, manifest, manifest_type)

    def push_artifact(self, repository, tags, files, artifact_type="application/vnd.example.thing", subject=None):
        """files: title -> bytes."""
        layers = [{"mediaType": "application/octet-stream", **self.push_blob(repository, data), "annotations": {TITLE: title}}
                  for title, data in files.items()]
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
                    "config": {"mediaType": OCI_EMPTY, **self.push_blob(repository, b"{}")}, "layers": layers}
        if subject:
            manifest["subject"] = subject
        return self.push_manifest(repository, tags, manifest, OCI_MANIFEST)

    def push_index(self, repository, tags, children):
        """children: (platform dict, descriptor)."""
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX,
                 "manifests": [{**descriptor, "platform": where} for where, descriptor in children]}
        return self.push_manifest(repository, tags, index, OCI_INDEX)
