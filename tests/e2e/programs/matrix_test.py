# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth with the tools that people use and real registries: the lines of docs/credentials.md."""
import json
import os
import unittest

from containers import start_containerd, start_dockerd, unavailable
from credential_case import SECRET, CredentialCase
from credential_tools import documented, hosts_script, rows, set_up, sign, use
from harness import tool

# Tool -> how it is told of the helper; "ctr" is given what berth prints. "only": set up for one registry alone.
TOLD = {"docker": "`credsStore`", "docker, no daemon": "`credsStore`", "docker, no daemon; --registry": "`credHelpers`", "buildx": "`credsStore`",
        "podman": "`credential-helpers`", "buildah": "`credential-helpers`", "skopeo": "`credential-helpers`",
        "skopeo; --registry": "`credHelpers` of auth.json", "oras": "`credsStore`", "crane": "`credsStore`", "ctr": "its command line",
        "curl": "its command line"}
# What a registry is shown: column of the table -> kind of the registry, user name, secret.
COLUMNS = {"plain": ("plain", "alice", SECRET), "htpasswd, password": ("htpasswd", "alice", SECRET), "token server, password": ("token", "alice", SECRET),
           "token server, identity token": ("token", "<token>", "REFRESH-alice"), "Azure, Entra ID": ("azure", "", "")}


def runs(row, column):
    """ctr's --refresh is for tokens."""
    return row != "ctr" or column in ("token server, identity token", "Azure, Entra ID")


class MatrixCase(CredentialCase):
    def setUp(self):
        super().setUp()
        self.services = set()
        if os.geteuid() == 0:
            start_dockerd(self)
            start_containerd(self)
            self.services = {"docker", "ctr"}

    def run_row(self, row, host, **more):
        name, _, only = row.partition("; ")
        if name in ("docker", "ctr") and name not in self.services:
            unavailable(f"{name}'s daemon needs root")
        for folder in (".docker", ".config/containers/auth.json", ".config/containers/registries.conf.d"):
            self.run_tool("rm", "-rf", self.home / folder)
        set_up(self, name, host, bool(only))
        return self.run_tool(*use(name, host), **more)

    def column(self, column):
        kind, user, secret = COLUMNS[column]
        if kind == "azure":
            registry = self.azure_registry()
        else:
            registry = self.registry(kind)
            self.push_app(registry)
        # Without a credential each line fails where the registry asks for one: the helper is what helps.
        for with_one in (False, True):
            if kind == "azure":
                self.log_in_to_azure() if with_one else self.log_out_of_azure()
            elif with_one:
                self.store_credential(registry.host, user, secret)
            for row in TOLD:
                with self.subTest(tool=row, registry=column, credential=with_one):
                    if not runs(row, column):
                        continue
                    done = self.run_row(row, registry.host, status=None, input="")
                    said = done.stdout + done.stderr
                    if with_one or kind == "plain":
                        self.assertEqual(done.returncode, 0, said)
                        self.assertRegex(said, sign(row.partition(";")[0]))
                    else:
                        self.assertNotEqual(done.returncode, 0, said)


# S245
class MatrixPlain(MatrixCase):
    def test_a_registry_that_asks_nobody(self):
        self.column("plain")


class MatrixHtpasswd(MatrixCase):
    def test_a_password_with_each_request(self):
        self.column("htpasswd, password")


class MatrixToken(MatrixCase):
    def test_a_password_for_a_token(self):
        self.column("token server, password")

    def test_an_identity_token_for_a_token(self):
        self.column("token server, identity token")


class MatrixAzure(MatrixCase):
    # S323
    def test_an_entra_id_token_for_a_token(self):
        self.column("Azure, Entra ID")
        self.assertEqual((self.folder / "runs-of-az").read_text(), "run\n", "one token for all of the tools")


class MatrixDocument(CredentialCase):
    def test_the_table_of_the_documentation_is_what_is_run(self):
        expected = [[row, told, *("yes" if runs(row, column) else "–" for column in COLUMNS)] for row, told in TOLD.items()]
        self.assertEqual(rows("told by"), expected, "\n" + "\n".join("| " + " | ".join(cells) + " |" for cells in expected))
        self.assertLessEqual({row.partition(";")[0] for row in TOLD}, set(documented()))
        self.assertEqual(set(documented()) - {row.partition(";")[0] for row in TOLD}, {"helm", "nerdctl", "kubelet"})


class Containerd(CredentialCase):
    def setUp(self):
        super().setUp()
        start_containerd(self)

    # S324
    def test_ctr_with_a_printed_token_in_its_own_files(self):
        for kind in ("htpasswd", "token"):
            registry = self.registry(kind, name=kind)
            self.push_app(registry)
            self.login(registry)
            script = ["sh", "-ec", hosts_script(registry.host)]
            self.assertIn("done: ", self.run_tool(*script).stdout)
            self.berth("logout", registry.host)
            self.run_tool(*script, status=1)

    # S325
    def test_an_identity_token_is_printed_for_ctr_and_nothing_else_is(self):
        azure = self.azure_registry()
        self.log_in_to_azure()
        printed = self.berth("token", "--identity", azure.host).stdout.strip()
        self.assertEqual(json.loads(self.helper("get", azure.host).stdout)["Secret"], printed)
        self.assertEqual(json.loads(self.berth("token", "--identity", "--json", azure.host).stdout), {"registry": azure.host, "identity_token": printed})
        self.assertIn("done: ", self.run_tool(tool("ctr"), "image", "pull", "--refresh", printed, f"{azure.host}/lib/app:v1").stdout)
        basic = self.registry("htpasswd", name="basic")
        self.assertIn("nobody is logged in", self.berth("token", "--identity", basic.host, status=3).stderr)
        self.login(basic)
        refused = self.berth("token", "--identity", basic.host, status=1)
        self.assertIn("no identity token", refused.stderr)
        self.assertNotIn(SECRET, refused.stdout + refused.stderr)
        self.berth("token", "--identity", "--header", basic.host, status=2)


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
    def setUp(self):
        super().setUp()
        start_dockerd(self)

    def test_push_and_pull_by_a_daemon(self):
        docker = tool("docker")
        registry = self.registry("htpasswd")
        data = self.folder / "image.tar"
        self.sh(f"cd {self.folder} && echo hello > motd && tar cf {data} motd")
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        name = f"{registry.host}/lib/motd:1"
        self.run_tool(docker, "import", data, name)
        self.assertIn("no basic auth credentials", self.run_tool(docker, "push", name, status=1).stderr)
        self.store_credential(registry.host)
        self.run_tool(docker, "push", name)
        self.run_tool(docker, "rmi", name)
        self.run_tool(docker, "pull", name)

    def test_buildx_builds_and_pushes(self):
        registry = self.registry("htpasswd")
        set_up(self, "buildx", registry.host)
        self.write("app/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")
        build = [tool("docker"), "buildx", "build", "--push", "-t", f"{registry.host}/lib/built:v1", self.folder / "app"]
        self.run_tool(*build, status=1)
        self.store_credential(registry.host)
        self.run_tool(*build)
        self.assertEqual(registry.request("GET", "/v2/lib/built/tags/list")[0], 200)


if __name__ == "__main__":
    unittest.main()
