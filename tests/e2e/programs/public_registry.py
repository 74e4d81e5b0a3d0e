# SPDX-License-Identifier: Apache-2.0
"""A registry at an address that counts as public, which leads elsewhere: run in a network namespace of its own, where every address is this machine's.

public_registry.py BIN FOLDER: prints what berth and a mount made of each lead, as JSON.
"""
import http.server
import json
import hashlib
import os
import pathlib
import subprocess
import sys
import threading
import time

BIN, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
PUBLIC, PORT = "198.51.100.1", 5000
INNER = {"loopback": "127.0.0.1", "link_local": "169.254.169.254", "private": "10.1.2.3"}

config = b"{}"
layer = b"a layer"
digest = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()  # noqa: E731
manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                       "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(config), "size": len(config)},
                       "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest(layer), "size": len(layer)}]}).encode()
lead = {"kind": "", "to": ""}
inner_requests = []


class Inner(http.server.BaseHTTPRequestHandler):
    """What must not be reached."""

    def do_GET(self):
        inner_requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(layer)))
        self.end_headers()
        self.wfile.write(layer)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if lead["kind"] == "realm":
            self.answer(401, WWW_Authenticate=f'Bearer realm="{lead["to"]}/token",service="s"')
        elif self.path.startswith("/v2/app/tags/list"):
            more = {"Link": f'<{lead["to"]}/v2/app/tags/list?last=v1>; rel="next"'} if lead["kind"] == "link" else {}
            self.answer(200, b'{"name":"app","tags":["v1"]}', **more)
        elif self.path.startswith("/v2/app/manifests/"):
            self.answer(200, manifest, Content_Type="application/vnd.oci.image.manifest.v1+json", Docker_Content_Digest=digest(manifest))
        elif self.path.startswith("/v2/app/blobs/" + digest(layer)):
            if lead["kind"] == "redirect" and self.command == "GET":
                self.answer(307, Location=f'{lead["to"]}/storage')
            else:
                self.answer(200, layer)
        elif self.path in ("/v2/", "/v2"):
            self.answer(200, b"{}")
        else:
            self.answer(404, b'{"errors":[{"code":"UNSUPPORTED","message":"no"}]}')

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def serve(address, port, handler):
    server = http.server.ThreadingHTTPServer((address, port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def look(path, kind):
    try:
        if kind == "redirect":
            if (path / "v1/layers/00.tar.gz").read_bytes() != layer:
                return -1
        else:
            os.listdir(path)
        return 0
    except OSError as error:
        return error.errno


def try_lead(kind, where, number):
    lead.update(kind=kind, to=f"http://{INNER[where]}:7777" if where else "")
    inner_requests.clear()
    env = {**os.environ, "BERTH_CACHE": str(FOLDER / f"cache{number}"), "BERTH_TOKENS": str(FOLDER / f"tokens{number}")}
    place = f"{PUBLIC}:{PORT}/app"
    words = ["cat", f"{place}:v1/layers/00.tar.gz"] if kind == "redirect" else ["ls", place]
    command = subprocess.run([f"{BIN}/berth", "--plain-http", *words], env=env, capture_output=True, text=True, timeout=60)
    env["BERTH_CACHE"] += "m"
    mnt = FOLDER / f"mnt{number}"
    mnt.mkdir()
    subprocess.run([f"{BIN}/berth", "--plain-http", "mount", f"{PUBLIC}:{PORT}", mnt], env=env, check=True, timeout=60)
    try:
        number = look(mnt / "app", kind)
        log = (mnt / ".berth/log").read_text()
        # What failed is believed for seconds.
        lead.update(kind="", to="")
        after, end = look(mnt / "app", "redirect"), time.monotonic() + 30
        while after and time.monotonic() < end:
            time.sleep(0.2)
            after = look(mnt / "app", "redirect")
    finally:
        subprocess.run([f"{BIN}/berth", "unmount", "--lazy", mnt], env=env, check=True, timeout=60)
    return {"kind": kind, "where": where, "status": command.returncode, "stderr": command.stderr, "errno": number, "log": log,
            "after": after, "reached": len(inner_requests)}


subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for address in (PUBLIC, INNER["link_local"], INNER["private"]):
    subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
serve(PUBLIC, PORT, Registry)
for address in INNER.values():
    serve(address, 7777, Inner)
leads = [("", "")] + [(kind, where) for kind in ("redirect", "link", "realm") for where in INNER]
print(json.dumps([try_lead(kind, where, number) for number, (kind, where) in enumerate(leads)]))
