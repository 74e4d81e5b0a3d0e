#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A token server for tests against a real docker-registry (distribution, spec/auth/token.md).

    tokensrv.py PORT --folder DIR [--user NAME:PASSWORD] [--anonymous] [--expires SECONDS]

DIR holds key.pem and cert.pem (the registry's rootcertbundle); both are made when they are missing.
Port 0 takes a free one. The first line on stdout is `port N`; then a line for each request:

    GET basic:alice service=S scope=repository:a:pull -> 200

The registry's part of the configuration:

    auth: {token: {realm: "http://127.0.0.1:N/token", service: test-service,
                   issuer: test-issuer, rootcertbundle: DIR/cert.pem}}

Any user may do anything; anonymous ones may pull below public/, and only with --anonymous.
Identity tokens are REFRESH-<user>. With --no-post a POST is answered 404, as GCR does.
"""
import argparse
import base64
import http.server
import json
import os
import subprocess
import sys
import time
import urllib.parse
import uuid


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


class Issuer:
    """Signs tokens as docker-registry checks them: RS256 with the certificate in the header."""

    def __init__(self, folder, expires):
        self.key = os.path.join(folder, "key.pem")
        cert = os.path.join(folder, "cert.pem")
        if not os.path.exists(cert):
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                 "-subj", "/CN=test-issuer", "-keyout", self.key, "-out", cert],
                check=True, stderr=subprocess.DEVNULL)
        with open(cert, encoding="ascii") as lines:
            self.cert = "".join(line.strip() for line in lines if "CERTIFICATE" not in line)
        self.expires = expires

    def token(self, user, service, access):
        now = int(time.time())
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self.cert]}
        claims = {"iss": "test-issuer", "sub": user, "aud": service, "exp": now + self.expires,
                  "nbf": now - 10, "iat": now, "jti": str(uuid.uuid4()), "access": access}
        text = b64url(json.dumps(header).encode()) + b"." + b64url(json.dumps(claims).encode())
        signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text,
                                stdout=subprocess.PIPE, check=True)
        return (text + b"." + b64url(signed.stdout)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value, who, form):
        self.log_line(who, form, status)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, who, form, status=401):
        error = {"code": "UNAUTHORIZED", "message": "authentication required"}
        self.answer(status, {"errors": [error]}, who, form)

    def log_line(self, who, form, status):
        service = form.get("service", [""])[0]
        scopes = " ".join("scope=" + scope for scope in form.get("scope", []))
        print(f"{self.command} {who} service={service} {scopes} -> {status}", flush=True)

    def grant(self, user, form, who, extra):
        access = []
        for scope in " ".join(form.get("scope", [])).split():
            kind, rest = scope.split(":", 1)
            name, actions = rest.rsplit(":", 1)
            if user == "" and not (name.startswith("public/") and actions == "pull"):
                continue
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        token = self.server.issuer.token(user, form.get("service", [""])[0], access)
        result = {"access_token": token, "expires_in": self.server.issuer.expires, **extra}
        if self.command == "GET":
            result["token"] = token
        self.answer(200, result, who, form)

    def basic_user(self):
        """The user of the Basic header: "" for none, None for a wrong one."""
        header = self.headers.get("Authorization", "")
        if not header:
            return "" if self.server.anonymous else None
        try:
            user, password = base64.b64decode(header.removeprefix("Basic ")).decode().split(":", 1)
        except ValueError:
            return None
        return user if self.server.users.get(user) == password else None

    def do_GET(self):
        form = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        user = self.basic_user()
        if user is None:
            return self.refuse("basic:refused", form)
        extra = {}
        if user and form.get("offline_token") == ["true"]:
            extra["refresh_token"] = "REFRESH-" + user
        return self.grant(user, form, "basic:" + user if user else "anonymous", extra)

    def body(self):
        length = self.headers.get("Content-Length")
        if length:
            return self.rfile.read(int(length))
        data = b""  # containers/image sends its form chunked
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            data += self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return data

    def do_POST(self):
        form = urllib.parse.parse_qs(self.body().decode())
        if self.server.no_post:
            return self.refuse("post", form, 404)
        kind = form.get("grant_type", [""])[0]
        user = None
        if kind == "refresh_token":
            user = form.get("refresh_token", [""])[0].removeprefix("REFRESH-")
        elif kind == "password":
            name = form.get("username", [""])[0]
            if self.server.users.get(name) == form.get("password", [""])[0]:
                user = name
        if user not in self.server.users:
            return self.refuse(f"{kind}:refused", form)
        return self.grant(user, form, f"{kind}:{user}", {"refresh_token": "REFRESH-" + user})

    def log_message(self, format, *args):  # the access log is log_line's
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--folder", default=".")
    parser.add_argument("--user", action="append", default=[])
    parser.add_argument("--anonymous", action="store_true")
    parser.add_argument("--no-post", action="store_true")
    parser.add_argument("--expires", type=int, default=300)
    options = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    server.daemon_threads = True
    server.issuer = Issuer(options.folder, options.expires)
    server.users = dict(user.split(":", 1) for user in options.user or ["alice:wonder"])
    server.anonymous = options.anonymous
    server.no_post = options.no_post
    print(f"port {server.server_address[1]}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
