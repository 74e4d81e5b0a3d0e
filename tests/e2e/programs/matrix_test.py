# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth with the tools that people use and real registries."""
import json
import os
import subprocess
import unittest

from credential_case import SECRET, CredentialCase
from harness import die_with_parent, tool, wait_until


# Which way each tool is told of the helper, what it runs to read a tag, and how it says that it may not.
def docker_read(case, host):
    case.write("home/.docker/config.json", '{"credsStore":"berth"}')
    return [tool("docker"), "manifest", "inspect", "--insecure", f"{host}/lib/bb:1"]


def oras_read(case, host):
    case.write("home/.docker/config.json", '{"credsStore":"berth"}')
    return [tool("oras"), "manifest", "fetch", "--plain-http", f"{host}/lib/bb:1"]


def crane_read(case, host):
    case.write("home/.docker/config.json", '{"credsStore":"berth"}')
    return [tool("crane"), "manifest", "--insecure", f"{host}/lib/bb:1"]


def skopeo_read(case, host):
    auth = case.write("auth.json", json.dumps({"credHelpers": {host: "berth"}}))
    return [tool("skopeo"), "inspect", "--raw", "--authfile", auth, "--tls-verify=false", f"docker://{host}/lib/bb:1"]


def skopeo_by_drop_in(case, host):
    case.berth("setup", "podman", "--yes")
    return [tool("skopeo"), "inspect", "--raw", "--tls-verify=false", f"docker://{host}/lib/bb:1"]


def podman_tags(case, host):
    case.berth("setup", "podman", "--yes")
    return [tool("podman"), "search", "--tls-verify=false", "--list-tags", f"{host}/lib/bb"]


def buildah_read(case, host):
    case.berth("setup", "podman", "--yes")
    buildah = tool("buildah")
    return ["sh", "-c", f"{buildah} manifest rm list >/dev/null 2>&1; {buildah} manifest create list >/dev/null && "
            f"{buildah} manifest add --tls-verify=false list docker://{host}/lib/bb:1 >/dev/null && {buildah} manifest inspect list"]


# docs/credentials.md shows this table.
TOOLS = {"oras": oras_read, "crane": crane_read, "skopeo, credHelpers": skopeo_read, "skopeo, registries.conf.d": skopeo_by_drop_in,
         "podman": podman_tags, "buildah": buildah_read, "docker": docker_read}
CREDENTIALS = {"password": ("alice", SECRET), "identity token": ("<token>", "REFRESH-alice")}
REGISTRIES = ("plain", "htpasswd", "token")


class Matrix(CredentialCase):
    def works(self, name, registry, credential):
        """htpasswd knows no identity tokens."""
        return credential == "password" or registry.kind == "token"

    # S245
    def test_each_tool_gets_what_it_needs_from_each_kind_of_registry_with_each_kind_of_credential(self):
        for kind in REGISTRIES:
            registry = self.registry(kind, name=f"registry-{kind}")
            registry.push_image("lib/bb", ["1"], [b"layer"])
            for credential, (user, secret) in CREDENTIALS.items():
                self.store_credential(registry.host, user, secret)
                for name, command in TOOLS.items():
                    with self.subTest(tool=name, registry=kind, credential=credential):
                        if not self.works(name, registry, credential):
                            continue
                        done = self.run_tool(*command(self, registry.host))
                        if name != "podman":
                            self.assertIn("schemaVersion", done.stdout)
            self.helper("erase", registry.host)
            # Without a credential the same commands fail where the registry asks for one: the helper was what helped.
            if kind != "plain":
                for name, command in TOOLS.items():
                    with self.subTest(tool=name, registry=kind, credential="none"):
                        self.assertNotEqual(self.run_tool(*command(self, registry.host), status=None, input="").returncode, 0)

    def test_an_unknown_host_does_not_break_anonymous_reads(self):
        registry = self.registry()
        registry.push_image("lib/bb", ["1"], [b"layer"])
        for name in ("oras", "crane", "skopeo, credHelpers", "skopeo, registries.conf.d", "buildah"):
            with self.subTest(tool=name):
                self.assertIn("schemaVersion", self.run_tool(*TOOLS[name](self, registry.host)).stdout)


class DockerTool(CredentialCase):
    def test_login_stores_what_get_answers_and_logout_erases_it(self):
        docker = tool("docker")
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        for kind in ("htpasswd", "token"):
            registry = self.registry(kind, name=kind)
            self.run_tool(docker, "login", registry.host, "-u", "alice", "--password-stdin", input=SECRET)
            answer = json.loads(self.helper("get", registry.host).stdout)
            # The token server gives an identity token to who asks for one.
            self.assertEqual((answer["Username"], answer["Secret"]), ("<token>", "REFRESH-alice") if kind == "token" else ("alice", SECRET))
            self.assertNotIn(SECRET, (self.home / ".docker/config.json").read_text())
            self.run_tool(docker, "logout", registry.host)
            self.assertEqual(self.helper("get", registry.host, status=1).stdout, "credentials not found in native keychain\n")

    def test_a_wrong_password_is_not_stored(self):
        docker = tool("docker")
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        registry = self.registry("htpasswd")
        self.run_tool(docker, "login", registry.host, "-u", "alice", "--password-stdin", input="wrong", status=1)
        self.helper("get", registry.host, status=1)

    def test_docker_berth_is_the_command_and_setup_links_it(self):
        docker = tool("docker")
        self.berth("setup", "docker", "--yes")
        info = json.loads(self.run_tool(self.home / ".docker/cli-plugins/docker-berth", "docker-cli-plugin-metadata").stdout)
        self.assertEqual(info["SchemaVersion"], "0.1.0")
        self.assertTrue(info["Vendor"])
        self.assertIn("berth", self.run_tool(docker, "--help").stdout)
        self.assertRegex(self.run_tool(docker, "berth", "version").stdout, r"^berth \d")


class Daemon(CredentialCase):
    def start_daemon(self, registry):
        dockerd = tool("dockerd")
        # Its socket's name must be short, and its folder is removed with the test's.
        self.socket = f"unix://{self.folder}/docker.sock"
        log = open(self.folder / "dockerd.log", "wb")
        self.addCleanup(log.close)
        daemon = subprocess.Popen([dockerd, "-H", self.socket, "--data-root", self.folder / "data", "--exec-root", self.folder / "exec", "--pidfile",
                                   self.folder / "dockerd.pid", "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs",
                                   "--insecure-registry", registry.host], env=self.env, stdout=log, stderr=log, preexec_fn=die_with_parent)

        def stop():
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.addCleanup(stop)
        self.docker = [tool("docker"), "-H", self.socket]

        def answers():
            if daemon.poll() is not None:
                self.skipTest("dockerd does not run here: " + (self.folder / "dockerd.log").read_text()[-300:])
            return subprocess.run([*self.docker, "version"], env=self.env, capture_output=True).returncode == 0
        wait_until(answers, 60, "dockerd")

    def test_pull_and_push_by_a_daemon(self):
        if os.geteuid() != 0:
            self.skipTest("dockerd needs root")
        registry = self.registry("htpasswd")
        data = self.folder / "image.tar"
        self.sh(f"cd {self.folder} && echo hello > motd && tar cf {data} motd")
        self.start_daemon(registry)
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        name = f"{registry.host}/lib/motd:1"
        self.run_tool(*self.docker, "import", data, name)
        self.assertIn("no basic auth credentials", self.run_tool(*self.docker, "push", name, status=1).stderr)
        self.store_credential(registry.host)
        self.run_tool(*self.docker, "push", name)
        self.run_tool(*self.docker, "rmi", name)
        self.run_tool(*self.docker, "pull", name)
        # docker hides what a helper says while it pulls, but for its error stream: berth's sentence is there.
        self.write("home/.config/berth/config.toml", '[credential.routes]\n"*" = "helper:nowhere"\n')
        self.run_tool(*self.docker, "rmi", name)
        hidden = self.run_tool(*self.docker, "pull", name, status=1)
        self.assertIn("no basic auth credentials", hidden.stderr)
        self.assertIn("docker-credential-nowhere is named by the configuration", hidden.stderr)


if __name__ == "__main__":
    unittest.main()
