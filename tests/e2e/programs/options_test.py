# SPDX-License-Identifier: Apache-2.0
"""Options of a mount, each once through berthfs, and what --json says."""
import base64
import contextlib
import errno
import json
import os
import subprocess
import unittest

from harness import Case, tool, wait_until


class MountOptions(Case):
    def test_list_all_lists_dot_folders(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        mnt = self.mount(r.host, "list=all")
        self.assertEqual(sorted(os.listdir(mnt)), [".berth", "app"])
        self.assertEqual(sorted(os.listdir(mnt / "app")), [".blobs", ".manifests", ".tags", "v1"])

    def test_offline_shows_what_was_seen(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        r.push_image("unseen", ["v1"], [b"layer"])
        self.berth("cat", f"{r.host}/app:v1/layers/00.tar.gz")
        before = r.requests()
        mnt = self.mount(r.host, "offline")
        self.assertEqual((mnt / "app/v1/layers/00.tar.gz").read_bytes(), b"layer")
        self.assert_errno(errno.EHOSTDOWN, os.listdir, mnt / "unseen/v1")
        self.assertIn("offline", (mnt / ".berth/log").read_text())
        self.assertEqual(r.requests(), before)

    def test_verify_full_gives_no_byte_before_the_digest(self):
        # The default gives all but the last read: this one gives none.
        r = self.fake_registry("--big", 9 << 20, faults=[{"method": "GET", "target": "*/blobs/*", "times": 0, "action": "flip_byte", "at": 9 << 20 >> 1}])
        for options, given in (("verify=full", False), ("", True)):
            mnt = self.mount(r.host, options, name=f"mnt{given}")
            with open(mnt / "library/big/latest/layers/00.tar.gz", "rb", buffering=0) as file:
                if given:
                    self.assertEqual(len(file.read(4096)), 4096)
                else:
                    self.assert_errno(errno.EIO, file.read, 4096)

    def test_platform_chooses_of_an_index(self):
        r = self.registry()
        children = []
        for arch in ("amd64", "arm64"):
            children.append(({"os": "linux", "architecture": arch}, r.push_image("multi", [], [arch.encode()], {"architecture": arch})))
        r.push_index("multi", ["latest"], children)
        for arch in ("amd64", "arm64"):
            mnt = self.mount(r.host, f"platform=linux/{arch}", name=arch)
            self.assertEqual((mnt / "multi/latest/layers/00.tar.gz").read_bytes(), arch.encode())

    def test_client_certificate(self):
        r = self.fake_registry("--tls", "--client-cert", "--sample")
        ca = f"ca_file={r.said['ca']}"
        without = self.mount(r.host, ca, name="without")
        self.assertRaises(OSError, os.listdir, without / "library/hello")
        mnt = self.mount(r.host, f"{ca},cert_file={r.said['client-cert']},key_file={r.said['client-key']}")
        self.assertEqual(sorted(os.listdir(mnt / "library/hello")), ["latest", "v1"])

    def test_an_encrypted_client_key_is_opened_by_the_configuration(self):
        r = self.fake_registry("--tls", "--client-cert", "--sample")
        encrypted, password, config = (self.folder / name for name in ("key.pem", "password", "config.toml"))
        password.write_text("open sesame\n")
        subprocess.run(["openssl", "pkey", "-aes256", "-in", r.said["client-key"], "-out", encrypted, "-passout", f"file:{password}"], check=True)
        self.env["BERTH_CONFIG"] = str(config)
        entry = f'[registry."{r.host}"]\nca_file = "{r.said["ca"]}"\nclient_cert_file = "{r.said["client-cert"]}"\nclient_key_file = "{encrypted}"\n'
        config.write_text(entry)
        self.assertIn("needs its right password", self.berth("ls", f"{r.host}/library/hello", status=1).stderr)
        config.write_text(entry + 'client_key_password_file = "password"\n')
        self.assertEqual(self.berth("ls", f"{r.host}/library/hello").stdout.split(), ["latest", "v1"])
        self.assertEqual(sorted(os.listdir(self.mount(r.host) / "library/hello")), ["latest", "v1"])

    def test_a_pkcs12_file_is_opened_by_the_password_that_is_named_or_configured(self):
        # S413
        r = self.fake_registry("--tls", "--client-cert", "--sample")
        both, password, wrong, config = (self.folder / name for name in ("both.p12", "password", "wrong", "config.toml"))
        password.write_text("open sesame\n")
        wrong.write_text("sesame\n")
        subprocess.run(["openssl", "pkcs12", "-export", "-in", r.said["client-cert"], "-inkey", r.said["client-key"], "-out", both,
                        "-passout", f"file:{password}"], check=True)
        self.env["BERTH_CONFIG"] = str(config)
        place = f"{r.host}/library/hello"
        for configured, named in ((password, None), (wrong, password)):
            config.write_text(f'[registry."{r.host}"]\nca_file = "{r.said["ca"]}"\nclient_key_password_file = "{configured}"\n')
            # Each asks the registry: what another one read says nothing here.
            options = ["--cache", self.folder / f"cache-{configured.name}", "--cert-file", both]
            if named:
                self.assertIn("needs its right password (--key-password-file)", self.berth(*options, "ls", place, status=1).stderr)
                options += ["--key-password-file", named]
            self.assertEqual(self.berth(*options, "ls", place).stdout.split(), ["latest", "v1"])
            mnt = self.folder / f"mnt-{configured.name}"
            mnt.mkdir()
            self.mounts.append(mnt)
            self.berth(*options, "mount", r.host, mnt)
            self.assertEqual(sorted(os.listdir(mnt / "library/hello")), ["latest", "v1"])

    def test_authfile_config_and_log_file(self):
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        text = json.dumps({"auths": {r.host: {"auth": base64.b64encode(b"alice:wonder").decode()}}})
        docker = self.folder / "docker"
        docker.mkdir()
        for path in (self.folder / "auth.json", docker / "config.json"):
            path.write_text(text)
            path.chmod(0o600)
        log = self.folder / "a, log"
        for number, option in enumerate((f"authfile={self.folder}/auth.json", f"config={docker}")):
            mnt = self.mount(r.host, f"{option},log_file={self.folder}/a\\, log", name=f"mnt{number}",
                             env={"BERTH_CACHE": str(self.folder / f"c{number}"), "BERTH_TOKENS": str(self.folder / f"t{number}")})
            self.assertEqual(os.listdir(mnt / "private/app"), ["v1"])
            self.assertIn(f"serving {r.host} on {mnt}", log.read_text())

    def test_a_file_that_cannot_be_read_fails_the_mount(self):
        """S403"""
        mnt = self.folder / "mnt"
        mnt.mkdir()
        gone = self.folder / "gone"
        for option in ("ca_file", "cert_file", "cert_file=/dev/null,key_file", "key_password_file"):
            for file, why in ((gone, "No such file or directory"), (self.folder, "Is a directory")):
                said = self.berth("mount", "-o", f"{option}={file}", "localhost:1", mnt, status=2).stderr
                self.assertIn(f"-o {option.rpartition(',')[2]}={file}: {why}", said)
        self.assertFalse(os.path.ismount(mnt))

    def test_credentials_that_are_not_there_yet_are_said_and_taken_when_they_come(self):
        """S403"""
        r = self.registry("htpasswd")
        r.push_image("private/app", ["v1"], [b"layer"])
        auth, docker, mnt = self.folder / "auth.json", self.folder / "docker", self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        said = self.berth("mount", "-o", f"authfile={auth},config={docker}", r.host, mnt).stderr
        for option in (f"authfile={auth}", f"config={docker}"):
            self.assertIn(f"berthfs: warning: -o {option}: No such file or directory: mounted without it, until it is there\n", said)
            self.assertIn(f"-o {option}: No such file or directory", (mnt / ".berth/log").read_text())
        self.assert_errno(errno.EACCES, os.listdir, mnt / "private/app")
        auth.touch(mode=0o600)
        auth.write_text(json.dumps({"auths": {r.host: {"auth": base64.b64encode(b"alice:wonder").decode()}}}))
        def is_let_in():
            with contextlib.suppress(PermissionError):
                return os.listdir(mnt / "private/app") == ["v1"]
        wait_until(is_let_in, what="the login")

    def test_timeout_and_verbose_of_the_command_reach_the_mount(self):
        r = self.fake_registry("--sample", faults=[{"target": "*/tags/list*", "times": 0, "action": "stall_head"}])
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        self.berth("--timeout", 1, "-v", "mount", r.host, mnt)
        self.assert_errno(errno.ETIMEDOUT, os.listdir, mnt / "library/hello")
        self.assertRegex((mnt / ".berth/log").read_text(), "debug lookup inode=")

    def test_a_tag_of_a_layout_is_mounted_as_a_manifest(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        self.berth("cp", f"{r.host}/app:v1", f"oci:{self.folder}/layout:one")
        mnt = self.mount(f"oci:{self.folder}/layout:one")
        self.assertEqual((mnt / "layers/00.tar.gz").read_bytes(), b"layer")
        self.assertEqual(sorted(os.listdir(mnt)), ["config.json", "layers", "manifest.json", "referrers"])
        # S211
        absent = self.mount(f"oci:{self.folder}/layout:two", name="absent", status=3)
        self.assertFalse(os.path.ismount(absent))


class Json(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.manifest = self.r.push_image("app", ["v1"], [b"layer"])
        self.r.push_image("other", ["v1"], [b"layer"])

    def json(self, *arguments):
        return json.loads(self.berth("--json", *arguments).stdout)

    def test_one_document_for_several_places(self):
        places = [f"{self.r.host}/app", f"{self.r.host}/other"]
        self.assertEqual([one["name"] for one in self.json("tree", *places)], places)
        self.assertEqual([(row["folder"], row["name"]) for row in self.json("ls", *places)], [(place, "v1") for place in places])

    def test_a_tag_has_its_digest(self):
        row = self.json("ls", "-l", f"{self.r.host}/app")[0]
        self.assertEqual(row["digest"], self.manifest["digest"])
        self.assertTrue(row["target"].endswith(row["digest"].split(":")[1]))

    def test_a_folder_has_no_time_of_now(self):
        # S42
        self.assertNotIn("mtime", self.json("ls", "-l", self.r.host)[0])
        self.assertNotIn("modified", self.json("stat", f"{self.r.host}/app")[0])
        self.assertRegex(self.berth("ls", "-l", self.r.host).stdout, r"^d 0 +- app\n")

    def test_what_was_done_is_said(self):
        layout = f"oci:{self.folder}/layout:v1"
        self.assertEqual(self.json("cp", f"{self.r.host}/app:v1", layout),
                         [{"source": f"{self.r.host}/app:v1", "target": layout, "digest": self.manifest["digest"]}])
        copied = self.json("cp", f"{self.r.host}/app:v1/manifest.json", self.folder / "out")
        self.assertEqual([(one["source"], one["target"]) for one in copied], [(f"{self.r.host}/app:v1/manifest.json", str(self.folder / "out"))])
        self.assertEqual(self.json("refresh", f"{self.r.host}/app"), {"refreshed": f"{self.r.host}/app"})


class Layouts(Case):
    def test_a_layouts_tag_moves_to_what_was_copied_last(self):
        # S202
        r = self.registry()
        layout = f"oci:{self.folder}/layout:v1"
        for layer in (b"first", b"second"):
            digest = r.push_image("app", ["v1"], [layer])["digest"]
            self.berth("refresh", f"{r.host}/app")
            self.berth("cp", f"{r.host}/app:v1", layout)
            self.assertEqual(json.loads(self.berth("--json", "stat", layout).stdout)[0]["digest"], digest)
            self.assertEqual(self.berth("cat", f"{layout}/layers/00.tar.gz").stdout.encode(), layer)
        tags = [m for m in json.loads((self.folder / "layout/index.json").read_text())["manifests"]
                if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == "v1"]
        self.assertEqual([m["digest"] for m in tags], [digest])


class LayoutsOfOthers(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.digest = self.r.push_image("app", ["v1"], [b"layer"])["digest"]
        self.hex = self.digest.split(":")[1]

    def rename(self, layout, *names):
        """index.json with one entry of its manifest for each of these ref.names."""
        path = layout / "index.json"
        index = json.loads(path.read_text())
        index["manifests"] = [{**index["manifests"][0], "annotations": {"org.opencontainers.image.ref.name": name}} for name in names]
        path.write_text(json.dumps(index))

    def check(self, layout):
        place = f"oci:{layout}"
        named = f"{place}@{self.digest}"
        for command in ("ls", "tree"):
            self.assertEqual(self.berth(command, place).stderr, f"berth: 1 manifest has no tag: {named}\n")
        self.assertEqual(self.berth("ls", f"{place}/.manifests/sha256").stdout.split(), [self.hex])
        self.assertIn("manifest.json", self.berth("ls", named).stdout.split())
        self.assertEqual(self.berth("cat", f"{named}/layers/00.tar.gz").stdout, "layer")
        self.assertEqual(json.loads(self.berth("--json", "stat", named).stdout)[0]["digest"], self.digest)
        self.assertIn("layers", self.berth("tree", named).stdout)
        for source in (named, place):
            for target in (f"oci:{layout}-copy:v7", f"{self.r.host}/copied:v7"):
                self.berth("cp", source, target)
                self.assertEqual(json.loads(self.berth("--json", "stat", target).stdout)[0]["digest"], self.digest)
        mnt = self.mount(place, name=f"{layout.name}-mnt")
        self.assertEqual(os.listdir(mnt), [])
        self.assertEqual(os.listdir(mnt / ".manifests/sha256"), [self.hex])
        self.assertEqual((mnt / ".manifests/sha256" / self.hex / "layers/00.tar.gz").read_bytes(), b"layer")
        one = self.mount(named, name=f"{layout.name}-one")
        self.assertEqual((one / "layers/00.tar.gz").read_bytes(), b"layer")

    def test_a_layout_of_skopeo_without_a_name(self):
        # S397, S398, S399
        layout = self.folder / "skopeo"
        subprocess.run([tool("skopeo"), "copy", "-q", "--preserve-digests", "--src-tls-verify=false", f"docker://{self.r.host}/app:v1", f"oci:{layout}"], check=True)
        self.check(layout)
        mnt = self.folder / "told"
        mnt.mkdir()
        self.mounts.append(mnt)
        self.assertIn(f"1 manifest has no tag: oci:{layout}@{self.digest}", self.berth("mount", f"oci:{layout}", mnt).stderr)

    def test_a_layout_of_crane(self):
        layout = self.folder / "crane"
        subprocess.run([tool("crane"), "pull", "--insecure", "--format", "oci", f"{self.r.host}/app:v1", layout], check=True, capture_output=True)
        self.check(layout)

    def test_full_names_are_shown_as_their_tags(self):
        # S396
        layout = self.folder / "layout"
        self.berth("cp", f"{self.r.host}/app:v1", f"oci:{layout}:v1")
        self.rename(layout, "docker.io/library/hello:v5", "quay.io/x/y:v6")
        self.assertEqual(self.berth("ls", f"oci:{layout}").stdout.split(), ["v5", "v6"])
        self.assertEqual(self.berth("ls", f"oci:{layout}").stderr, "")
        self.assertEqual(self.berth("cat", f"oci:{layout}:v5/layers/00.tar.gz").stdout, "layer")
        self.assertEqual(sorted(os.listdir(self.mount(f"oci:{layout}"))), ["v5", "v6"])
        self.assertEqual(os.listdir(self.mount(f"oci:{layout}:v6", name="one") / "layers"), ["00.tar.gz"])

    def test_of_several_manifests_one_has_to_be_named(self):
        # S398
        layout = self.folder / "layout"
        self.berth("cp", f"{self.r.host}/app:v1", f"oci:{layout}:v1")
        self.r.push_image("app", ["v2"], [b"other"])
        self.berth("cp", f"{self.r.host}/app:v2", f"oci:{layout}:v2")
        said = self.berth("cp", f"oci:{layout}", f"oci:{self.folder}/out:v1", status=2).stderr
        self.assertIn(f"holds several manifests: name one of them, oci:{layout}:TAG or oci:{layout}@sha256:", said)
        self.berth("cp", f"oci:{layout}:v1", f"oci:{layout}@{self.digest}", status=2)


class Systemd(Case):
    def test_systemd_is_told_when_the_mount_serves(self):
        import socket
        mnt = self.folder / "mnt"
        mnt.mkdir()
        for address in (str(self.folder / "notify"), f"\0berth-test-{os.getpid()}"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(address)
                manager.settimeout(20)
                self.mounts.append(mnt)
                running = self.start("mount", "-f", "127.0.0.1:1", str(mnt), env={"NOTIFY_SOCKET": address.replace("\0", "@")})
                self.assertEqual(manager.recv(100), b"READY=1")
                self.assertTrue(os.path.ismount(mnt), "told when it serves, not before")
                self.unmount(mnt)
                running.communicate(timeout=20)


if __name__ == "__main__":
    unittest.main()
