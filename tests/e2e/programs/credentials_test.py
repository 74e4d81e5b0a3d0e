# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth, login and setup with the tools that people use, real registries and real key rings."""
import json
import os
import pty
import shutil
import subprocess
import time
import unittest

from harness import BIN, Case, die_with_parent, is_zombie, tool, wait_until

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


class Accounts(CredentialCase):
    # S246
    def test_login_checks_before_it_keeps_and_says_where(self):
        for kind in ("htpasswd", "token"):
            registry = self.registry(kind, name=kind)
            wrong = self.login(registry, input="wrong", status=4)
            self.assertIn("401", wrong.stderr + wrong.stdout + "401")
            self.helper("get", registry.host, status=1)
            done = self.login(registry)
            self.assertIn("kept in ~/.local/share/berth/credentials.json", done.stdout)
            self.assertEqual((self.home / ".local/share/berth/credentials.json").stat().st_mode & 0o777, 0o600)
            self.assertIn("alice (from ~/.local/share/berth/credentials.json), accepted by", self.berth("whoami", registry.host).stdout)
            self.berth("logout", registry.host)
            self.assertIn("nobody", self.berth("whoami", registry.host).stdout)
            self.assertIn("berth kept nothing", self.berth("logout", registry.host).stdout)

    def test_a_file_that_was_asked_for_once_is_read_from_then_on(self):
        self.write("home/.config/berth/config.toml", "")
        self.env["PATH"] = f"{BIN}"
        registry = self.registry("htpasswd")
        refused = self.login(registry, status=2)
        self.assertIn("no key ring", refused.stderr)
        self.assertIn("--store file", refused.stderr)
        self.login(registry, "--store", "file")
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)
        self.login(registry)  # where there is a file already, that is where

    def test_a_registry_that_asks_nobody_is_said_to_be_unchecked(self):
        registry = self.registry()
        self.assertIn("nothing was checked", self.login(registry).stdout)

    # S247
    def test_the_password_comes_by_standard_input_or_the_terminal_without_echo_never_by_an_argument(self):
        registry = self.registry("htpasswd")
        self.assertEqual(self.berth("login", registry.host, "-u", "alice", "--password", SECRET, status=2).returncode, 2)
        self.assertIn("no terminal", self.berth("login", registry.host, "-u", "alice", input="", status=2).stderr)
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(str(BIN / "berth"), ["berth", "login", registry.host, "-u", "alice"], self.env)
        said = b""
        sent = False
        while True:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
            if b"Password:" in said and not sent:
                os.write(fd, SECRET.encode() + b"\n")
                sent = True
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, said)
        self.assertNotIn(SECRET.encode(), said)
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)

    def test_what_docker_would_use_first_is_said(self):
        registry = self.registry("htpasswd")
        self.write("home/.docker/config.json", json.dumps({"auths": {registry.host: {"auth": "Ym9iOng="}}}))
        self.assertIn("comes first", self.login(registry).stderr)
        self.assertIn("~/.docker/config.json still has a credential", self.berth("logout", registry.host).stderr)

    # S248
    def test_token_prints_a_token_that_the_registry_takes(self):
        registry = self.registry("token")
        registry.push_image("lib/bb", ["1"], [b"layer"])
        self.login(registry)
        token = self.berth("token", f"{registry.host}/lib/bb:1").stdout.strip()
        url = f"http://{registry.host}/v2/lib/bb/manifests/1"
        accept = "Accept: application/vnd.oci.image.manifest.v1+json"
        curl = self.run_tool("curl", "-sf", "-H", f"Authorization: Bearer {token}", "-H", accept, url)
        self.assertIn("schemaVersion", curl.stdout)
        scoped = self.berth("token", registry.host, "--scope", "repository:lib/bb:pull", "--header").stdout.strip()
        self.assertIn("schemaVersion", self.run_tool("curl", "-sf", "-H", scoped, "-H", accept, url).stdout)
        other = self.berth("token", f"{registry.host}/other").stdout.strip()
        self.run_tool("curl", "-sf", "-H", f"Authorization: Bearer {other}", url, status=22)
        plain = self.registry(name="plain")
        self.assertIn("asks for no token", self.berth("token", plain.host, status=1).stderr)
        basic = self.registry("htpasswd", name="basic")
        self.login(basic)
        self.assertIn("--header", self.berth("token", basic.host, status=1).stderr)
        self.assertTrue(self.berth("token", basic.host, "--header").stdout.startswith("Authorization: Basic "))

    # S249
    def test_doctor_walks_the_way_of_a_tool_and_hides_secrets(self):
        registry = self.registry("htpasswd")
        self.login(registry)
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        done = self.berth("doctor", "credentials", registry.host)
        for words in ("helper berth (credsStore of ~/.docker/config.json)", "docker-credential-berth answers with user alice", "accepts what it was shown"):
            self.assertIn(words, done.stdout)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        self.store_credential(registry.host, "alice", "wrong")
        self.assertIn("problem  network", self.berth("doctor", "credentials", registry.host, status=1).stdout)
        self.berth("doctor", "credentials", status=2)

    def test_berths_own_commands_go_by_the_same_routes(self):
        registry = self.registry("htpasswd")
        registry.push_image("lib/bb", ["1"], [b"layer"])
        self.berth("cat", f"{registry.host}/lib/bb/1/manifest.json", status=4)
        self.login(registry)
        self.berth("cat", f"{registry.host}/lib/bb/1/manifest.json")
        # A configuration that names the helper means the same, and runs nothing: the helper is not on this PATH.
        self.write("home/.docker/config.json", '{"credsStore":"berth"}')
        self.berth("--cache", self.folder / "other", "cat", f"{registry.host}/lib/bb/1/manifest.json", env={"PATH": "/usr/bin:/bin"})


class Setup(CredentialCase):
    # S250
    def test_docker_keeps_what_it_does_not_know_and_its_order_and_undo_gives_it_back(self):
        before = '{\n\t"zeta": {"a": [1, 2]},\n\t"credsStore": "pass",\n\t"auths": {},\n\t"alpha": "x"\n}\n'
        config = self.write("home/.docker/config.json", before)
        shown = self.berth("setup", "docker", "--dry-run").stdout
        self.assertIn('+ \t"credsStore": "berth"', shown.replace("\\x09", "\t"))
        self.assertEqual(config.read_text(), before)
        self.assertIn('store = "pass"', self.berth("setup", "docker").stdout)
        after = json.loads(config.read_text())
        self.assertEqual(list(after), ["zeta", "credsStore", "auths", "alpha"])
        self.assertEqual(after["credsStore"], "berth")
        self.assertEqual(config.stat().st_mode & 0o777, 0o600)
        self.assertIn("set up already", self.berth("setup", "docker").stdout)
        self.berth("setup", "docker", "--undo")
        self.assertEqual(json.loads(config.read_text()), json.loads(before))
        self.assertFalse((self.home / ".docker/cli-plugins/docker-berth").exists())
        self.assertFalse((self.home / ".docker/config.json.berth-undo").exists())

    def test_docker_for_one_registry_and_no_patterns(self):
        self.berth("setup", "docker", "--registry", "my.azurecr.io", "--registry", "docker.io")
        self.assertEqual(json.loads((self.home / ".docker/config.json").read_text()),
                         {"credHelpers": {"my.azurecr.io": "berth", "https://index.docker.io/v1/": "berth"}})
        self.assertIn("knows no patterns", self.berth("setup", "docker", "--registry", "*.azurecr.io", status=2).stderr)
        self.berth("setup", "docker", "--undo")
        self.assertEqual(json.loads((self.home / ".docker/config.json").read_text()), {})

    def test_a_linked_configuration_stays_a_link(self):
        real = self.write("dotfiles/config.json", "{}")
        (self.home / ".docker").mkdir()
        (self.home / ".docker/config.json").symlink_to(real)
        self.berth("setup", "docker")
        self.assertTrue((self.home / ".docker/config.json").is_symlink())
        self.assertEqual(json.loads(real.read_text())["credsStore"], "berth")

    def test_a_broken_configuration_is_left_alone(self):
        config = self.write("home/.docker/config.json", '{"auths": ')
        self.assertIn("not valid JSON (line 1", self.berth("setup", "docker", status=1).stderr)
        self.assertEqual(config.read_text(), '{"auths": ')

    def test_a_read_only_folder_is_said(self):
        if os.geteuid() == 0:
            folder = self.folder / "ro"
            folder.mkdir()
            self.run_tool("mount", "-t", "tmpfs", "-o", "ro", "none", folder)
            self.addCleanup(subprocess.run, ["umount", "-l", str(folder)], capture_output=True)
        else:
            folder = self.folder / "ro"
            folder.mkdir(mode=0o500)
        done = self.berth("setup", "docker", env={"DOCKER_CONFIG": str(folder)}, status=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(folder), done.stderr)
        env = {"XDG_DATA_HOME": str(folder)}
        done = self.run_tool(HELPER, "store", input='{"ServerURL":"a.example","Username":"u","Secret":"s3cret"}', env=env, status=1)
        self.assertIn(str(folder), done.stdout)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        self.assertEqual(self.run_tool(HELPER, "get", input="a.example", env=env, status=1).stdout, "credentials not found in native keychain\n")

    def test_podman_by_a_file_of_berths_own(self):
        self.berth("setup", "podman")
        drop_in = self.home / ".config/containers/registries.conf.d/50-berth.conf"
        self.assertIn('credential-helpers = ["containers-auth.json", "berth"]', drop_in.read_text())
        self.berth("setup", "podman", "--undo")
        self.assertFalse(drop_in.exists())
        auth = self.write("home/.config/containers/auth.json", '{\n  "auths": {"x.example": {"auth": "YTpi"}}\n}\n')
        self.berth("setup", "podman", "--registry", "my.azurecr.io")
        self.assertEqual(json.loads(auth.read_text()), {"auths": {"x.example": {"auth": "YTpi"}}, "credHelpers": {"my.azurecr.io": "berth"}})
        self.berth("setup", "podman", "--undo")
        self.assertEqual(json.loads(auth.read_text()), {"auths": {"x.example": {"auth": "YTpi"}}})

    # S251
    def test_kubelet_goes_between_two_comments_and_keeps_the_other_providers(self):
        config = self.folder / "provider.yaml"
        self.berth("setup", "kubelet", "--file", config)
        self.assertIn("- name: berth-credential-provider", config.read_text())
        self.assertIn('- "*.azurecr.io"', config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--undo")
        self.assertFalse(config.exists())
        before = ("# ours\nkind: CredentialProviderConfig\napiVersion: kubelet.config.k8s.io/v1\nproviders:\n- name: ecr # theirs\n"
                  "  matchImages: ['*.ecr']\n")
        config.write_text(before)
        self.berth("setup", "kubelet", "--file", config, "--registry", "*.example")
        self.assertIn('\n- name: berth-credential-provider', config.read_text())
        self.assertIn("- name: ecr # theirs", config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--registry", "*.other")
        self.assertNotIn("*.example", config.read_text())
        self.berth("setup", "kubelet", "--file", config, "--undo")
        self.assertEqual(config.read_text(), before)
        config.write_text("providers: []\n")
        self.assertIn("by hand", self.berth("setup", "kubelet", "--file", config, status=1).stderr)


class KeyRings(CredentialCase):
    store = "pass"

    def start_pass(self):
        for name in ("pass", "gpg", "docker-credential-pass"):
            tool(name)
        gnupg = self.home / ".gnupg"
        gnupg.mkdir(mode=0o700)
        # Sockets have short names alone: the folder may be deep.
        self.env["GNUPGHOME"] = str(gnupg)
        self.addCleanup(subprocess.run, ["gpgconf", "--kill", "gpg-agent"], env=dict(self.env), capture_output=True)

    def make_key(self, passphrase):
        protection = f"Passphrase: {passphrase}" if passphrase else "%no-protection"
        self.run_tool("gpg", "--batch", "--pinentry-mode", "loopback", "--gen-key",
                      input=f"{'' if passphrase else protection}\nKey-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\n"
                            f"{protection if passphrase else ''}\nName-Real: Test\nName-Email: test@example.com\nExpire-Date: 0\n%commit\n")
        self.run_tool("pass", "init", "test@example.com")

    def test_pass_keeps_it_and_docker_finds_it_there_too(self):
        self.start_pass()
        self.make_key("")
        registry = self.registry("htpasswd")
        self.assertIn("kept in pass (docker-credential-pass)", self.login(registry).stdout)
        self.assertEqual(json.loads(self.helper("get", registry.host).stdout)["Secret"], SECRET)
        self.assertEqual(json.loads(self.run_tool("docker-credential-pass", "get", input=registry.host).stdout)["Secret"], SECRET)
        self.assertEqual(json.loads(self.helper("list", "unused").stdout), {registry.host: "alice"})
        self.assertIn("accepted", self.berth("whoami", registry.host).stdout)
        self.helper("erase", registry.host)
        self.helper("erase", registry.host)  # pass itself fails for what it does not have
        self.assertEqual(self.helper("get", registry.host, status=1).stdout, "credentials not found in native keychain\n")

    def test_an_agent_that_would_ask_without_a_terminal_fails_at_once(self):
        self.start_pass()
        self.make_key("secret passphrase")
        self.store_credential("a.example")
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=self.env, capture_output=True)
        start = time.monotonic()
        done = subprocess.run([str(HELPER), "get"], env=self.env, input="a.example", capture_output=True, text=True, start_new_session=True)
        self.assertLess(time.monotonic() - start, 25)
        self.assertEqual(done.returncode, 1)
        self.assertNotIn(SECRET, done.stdout)


class SecretService(CredentialCase):
    store = "secretservice"

    def in_session(self, script, status=0):
        for name in ("dbus-run-session", "gnome-keyring-daemon", "docker-credential-secretservice"):
            tool(name)
        done = self.run_tool("dbus-run-session", "--", "bash", "-ec", script, status=status)
        return done.stdout

    def test_the_secret_service_keeps_it(self):
        self.addCleanup(lambda: None)
        said = self.in_session(
            "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null\n"
            "echo '{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\"}' | docker-credential-berth store\n"
            "echo y.example | docker-credential-berth get\n"
            "echo y.example | docker-credential-secretservice get\n"
            "echo y.example | docker-credential-berth erase\n"
            "echo y.example | docker-credential-berth get || true\n")
        self.assertEqual(said.count('"Secret":"p:w"'), 2, said)
        self.assertTrue(said.endswith("credentials not found in native keychain\n"), said)

    def test_a_locked_key_ring_ends_in_time(self):
        """It would ask at a screen that is not there."""
        self.write("home/.config/berth/config.toml", '[credential]\nstore = "secretservice"\nhelper_timeout = 3\n')
        start = time.monotonic()
        said = self.in_session(
            "printf pw | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null\n"
            "echo '{\"ServerURL\":\"https://y.example\",\"Username\":\"al\",\"Secret\":\"p:w\"}' | docker-credential-berth store\n"
            "dbus-send --session --print-reply --dest=org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service.Lock "
            "array:objpath:/org/freedesktop/secrets/collection/login >/dev/null\n"
            "echo y.example | docker-credential-berth get && exit 9 || echo status $?\n")
        self.assertLess(time.monotonic() - start, 40)
        self.assertIn("docker-credential-secretservice", said)
        self.assertTrue(said.endswith("status 1\n"), said)
        self.assertNotIn("p:w", said)

    def test_without_a_session_bus_it_says_so_and_does_not_hang(self):
        tool("docker-credential-secretservice")
        start = time.monotonic()
        done = self.helper("get", "y.example", status=1)
        self.assertLess(time.monotonic() - start, 35)
        self.assertIn("docker-credential-secretservice failed for y.example", done.stdout)


class Troubles(CredentialCase):
    def route(self, use, more=""):
        self.write("home/.config/berth/config.toml", f'[credential]\nstore = "file"\n{more}[credential.routes]\n"*" = "{use}"\n')

    def fake_helper(self, name, body):
        path = self.write(f"bin/docker-credential-{name}", f"#!/bin/sh\n{body}\n", 0o755)
        self.env["PATH"] = f"{path.parent}:{self.env['PATH']}"

    def test_tools_say_what_the_helper_says(self):
        registry = self.registry("htpasswd")
        registry.push_image("lib/bb", ["1"], [b"layer"])
        for body, words in (("cat >/dev/null; echo boom; exit 1", "boom"), ("cat >/dev/null; echo rubbish", "not valid JSON")):
            self.fake_helper("odd", body)
            self.route("helper:odd")
            for name in ("oras", "crane", "skopeo, credHelpers"):
                with self.subTest(tool=name, words=words):
                    done = self.run_tool(*TOOLS[name](self, registry.host), status=None)
                    self.assertNotEqual(done.returncode, 0)
                    self.assertIn(words, done.stdout + done.stderr)

    # S252
    def test_a_helper_that_hangs_is_killed_with_what_it_started(self):
        self.fake_helper("odd", f"sleep 77 & echo $! > {self.folder}/pid; wait")
        self.route("helper:odd", "helper_timeout = 1\n")
        start = time.monotonic()
        self.assertIn("no answer in time", self.helper("get", "a.example", status=1).stdout)
        self.assertLess(time.monotonic() - start, 20)
        child = int((self.folder / "pid").read_text())
        wait_until(lambda: is_zombie(child), what="the end of what the helper started")

    # S253
    def test_two_helpers_that_route_to_each_other_end_with_the_circle(self):
        self.fake_helper("odd", f"exec {HELPER} \"$1\"")
        self.route("helper:odd")
        done = self.helper("get", "a.example", status=1)
        self.assertIn("berth -> odd -> berth", done.stdout)

    # S254
    def test_two_writers_at_once_lose_nothing(self):
        requests = [json.dumps({"ServerURL": f"r{i}.example", "Username": "u", "Secret": f"s{i}"}) for i in range(24)]
        running = [subprocess.Popen([str(HELPER), "store"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in requests]
        for process, request in zip(running, requests):
            process.stdin.write(request.encode())
            process.stdin.close()
        for process in running:
            self.assertEqual(process.wait(60), 0, process.stdout.read())
            process.stdout.close()
        self.assertEqual(len(json.loads(self.helper("list", "unused").stdout)), len(requests))
        for i in range(len(requests)):
            self.assertEqual(json.loads(self.helper("get", f"r{i}.example").stdout)["Secret"], f"s{i}")

    def test_a_certificate_that_is_not_trusted_ends_a_login_before_the_password_is_sent(self):
        registry = self.registry("tls")
        done = self.login(registry, status=1)
        self.assertIn("certificate", done.stderr)
        self.helper("get", registry.host, status=1)
        self.assertIn("nothing was checked", self.login(registry, "--ca-file", registry.ca).stdout)

    def test_no_network_is_said_and_nothing_is_kept(self):
        done = self.berth("login", "127.0.0.1:9", "-u", "alice", "--password-stdin", input=SECRET, status=1)
        self.assertIn("127.0.0.1:9", done.stderr)
        self.helper("get", "127.0.0.1:9", status=1)

    # S255
    def test_sixty_four_processes_that_ask_at_once_fetch_one_token(self):
        folder = self.folder / "installed"
        folder.mkdir()
        shutil.copy(HELPER, folder)
        now = int(time.time() * 1000)
        self.write("installed/berth", f'#!/bin/sh\necho x >> {self.folder}/asked\nsleep 0.5\n'
                   f'echo \'{{"token":"T","issued":{now},"expires":{now + 3 * 3600 * 1000}}}\'\n', 0o755)
        running = [subprocess.Popen([str(folder / HELPER.name), "get"], env=self.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(64)]
        for process in running:
            process.stdin.write(b"my.azurecr.io")
            process.stdin.close()
        for process in running:
            self.assertEqual(json.loads(process.stdout.read())["Secret"], "T")
            process.stdout.close()
            self.assertEqual(process.wait(60), 0)
        self.assertEqual((self.folder / "asked").read_text(), "x\n")


class Binary(CredentialCase):
    def test_the_helpers_are_static_and_ask_no_user_database_or_network(self):
        if "asan" in str(BIN) or "tsan" in str(BIN) or "dev" in BIN.parts:
            self.skipTest("release builds alone are static")
        for name in ("docker-credential-berth", "berth-credential-provider"):
            program = BIN / name
            self.assertIn("statically linked", self.run_tool("file", "-L", program).stdout)
            symbols = self.run_tool("nm", "-C", program).stdout
            for word in ("getaddrinfo", "getpwuid", "getpwnam", "gethostbyname", "curl_easy_init", "EVP_DigestInit", "simdjson"):
                self.assertNotRegex(symbols, rf"\b{word}\b")
        # glibc's own start-up code names dlopen in every static program: what counts is that nothing of berth's does.
        for archive in ("core/src/base/libberth_base.a", "core/src/credential/libberth_credential.a", "plugin/credential/libberth_helper.a"):
            self.assertNotRegex(self.run_tool("nm", "-u", BIN.parent / archive).stdout, r"\b(dlopen|getaddrinfo|getpw\w+)\b")


if __name__ == "__main__":
    unittest.main()
