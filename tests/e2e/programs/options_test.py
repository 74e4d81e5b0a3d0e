# SPDX-License-Identifier: Apache-2.0
"""Options of a mount, each once through berthfs, and what --json says."""
import base64
import errno
import json
import os
import subprocess
import unittest

from harness import Case, wait_until


class MountOptions(Case):
    def test_list_all_lists_dot_folders(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        mnt = self.mount(r.host, "list=all")
        self.assertEqual(sorted(os.listdir(mnt)), [".berth", "app"])
        self.assertEqual(sorted(os.listdir(mnt / "app")), [".blobs", ".manifests", "v1"])

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
