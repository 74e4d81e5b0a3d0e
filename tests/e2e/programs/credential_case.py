# SPDX-License-Identifier: Apache-2.0
"""What the tests of credentials share: a home with berth's own store, the helper, and tools that are told of it."""
import json
import subprocess

from harness import BIN, Case

HELPER = BIN / "docker-credential-berth"
SECRET = "wonder"


class CredentialCase(Case):
    """A home with berth's file store, so that no key ring of this machine is asked."""
    store = "file"

    def setUp(self):
        super().setUp()
        for name in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"):
            self.env.pop(name, None)
        self.write("home/.config/berth/config.toml", f'[credential]\nstore = "{self.store}"\n')
        # One process in a container may lack what rootless storage needs: these tools only speak to registries here.
        self.env["CONTAINERS_STORAGE_CONF"] = str(self.write("storage.conf", f'[storage]\ndriver = "vfs"\nrunroot = "{self.folder}/runroot"\n'
                                                                            f'graphroot = "{self.folder}/graphroot"\n'))
        self.env["BUILDAH_ISOLATION"] = "chroot"
        self.write("home/.config/containers/policy.json", '{"default":[{"type":"insecureAcceptAnything"}]}')

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run_tool(self, *argv, status=0, input=None, env=None, timeout=120):
        done = subprocess.run(list(map(str, argv)), env={**self.env, **(env or {})}, input=input, capture_output=True, text=True, timeout=timeout)
        if status is not None:
            self.assertEqual(done.returncode, status, f"{argv}:\n{done.stdout}{done.stderr}")
        return done

    def helper(self, action, input="", status=0, env=None):
        return self.run_tool(HELPER, action, input=input, status=status, env=env)

    def store_credential(self, host, user="alice", secret=SECRET):
        self.helper("store", json.dumps({"ServerURL": host, "Username": user, "Secret": secret}))

    def login(self, registry, *more, input=SECRET, **options):
        return self.berth("login", registry.host, "-u", "alice", "--password-stdin", *more, input=input, **options)
