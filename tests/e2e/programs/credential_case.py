# SPDX-License-Identifier: Apache-2.0
"""What the tests of credentials share: a home with berth's own store, the helper, Azure's registry and somebody who is logged in to az."""
import gzip
import hashlib
import io
import json
import subprocess
import tarfile

from harness import BIN, PEERS, Case, closed_port, tool

HELPER = BIN / "docker-credential-berth"
SECRET = "wonder"
ENTRA_TOKEN = "token-of-az"


class CredentialCase(Case):
    """A home with berth's file store, so that no key ring of this machine is asked."""
    store = "file"

    def setUp(self):
        super().setUp()
        for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
            self.env.pop(name, None)
        self.env["PATH"] = f"{self.folder}/bin:{BIN}:{PEERS}:{self.env['PATH']}"
        # Whether this very machine is one of Azure's is nobody's business.
        self.env["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = f"http://127.0.0.1:{closed_port()}"
        self.configure()
        # One process in a container may lack what rootless storage needs: these tools only speak to registries here.
        self.env["CONTAINERS_STORAGE_CONF"] = str(self.write("storage.conf", f'[storage]\ndriver = "vfs"\nrunroot = "{self.folder}/runroot"\n'
                                                                            f'graphroot = "{self.folder}/graphroot"\n'))
        self.env["BUILDAH_ISOLATION"] = "chroot"
        self.write("home/.config/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}')

    def configure(self, more="", credential=""):
        """berth's configuration: `credential` under that heading, `more` below."""
        self.write("home/.config/berth/config.toml", f'[credential]\nstore = "{self.store}"\n{credential}{more}')

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run_tool(self, *argv, status=0, input=None, env=None, timeout=120):
        done = subprocess.run(list(map(str, argv)), env={**self.env, **(env or {})}, input=input, capture_output=True, text=True, timeout=timeout,
                              cwd=self.folder)
        if status is not None:
            self.assertEqual(done.returncode, status, f"{argv}:\n{done.stdout}{done.stderr}")
        return done

    def helper(self, action, input="", status=0, env=None):
        return self.run_tool(HELPER, action, input=input, status=status, env=env)

    def store_credential(self, host, user="alice", secret=SECRET):
        self.helper("store", json.dumps({"ServerURL": host, "Username": user, "Secret": secret}))

    def login(self, registry, *more, input=SECRET, **options):
        return self.berth("login", registry.host, "-u", "alice", "--password-stdin", *more, input=input, **options)

    def route(self, use, more=""):
        """Every registry's credential by this route; `more` of the heading before it."""
        self.configure(f'[credential.routes]\n"*" = "{use}"\n', more)

    def fake_helper(self, name, body):
        self.write(f"bin/docker-credential-{name}", f"#!/bin/sh\n{body}\n", 0o755)

    def push_app(self, registry):
        """lib/app:v1, an image that every tool can unpack."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            motd = tarfile.TarInfo("motd")
            motd.size = 6
            tar.addfile(motd, io.BytesIO(b"hello\n"))
        diff = "sha256:" + hashlib.sha256(archive.getvalue()).hexdigest()
        registry.push_image("lib/app", ["v1"], [gzip.compress(archive.getvalue(), mtime=0)], config={"rootfs": {"type": "layers", "diff_ids": [diff]}})

    def azure_registry(self, *arguments, faults=()):
        """One that takes the token of who is logged in to az, and holds lib/app:v1."""
        registry = self.fake_registry("--acr", "--auth", "bearer", "--entra", ENTRA_TOKEN, *arguments, faults=faults)
        self.configure(f'[registry."{registry.host}"]\nacr = true\nplain_http = true\n')
        plain = self.registry(name="for-azure")
        self.push_app(plain)
        self.run_tool(tool("skopeo"), "copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", f"alice:{SECRET}",
                      f"docker://{plain.host}/lib/app:v1", f"docker://{registry.host}/lib/app:v1")
        plain.close()
        return registry

    def log_in_to_azure(self, token=ENTRA_TOKEN):
        """az, as far as berth asks it."""
        answer = json.dumps({"accessToken": token, "expires_on": 4000000000})
        self.write("bin/az", f"#!/bin/sh\necho run >> {self.folder}/runs-of-az\necho '{answer}'\n", 0o755)

    def log_out_of_azure(self):
        self.write("bin/az", "#!/bin/sh\necho \"Please run 'az login' to setup account.\" >&2\nexit 1\n", 0o755)
        subprocess.run(["rm", "-rf", self.env["BERTH_TOKENS"]], check=True)
