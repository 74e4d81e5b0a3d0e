# SPDX-License-Identifier: Apache-2.0
"""The command changes registries: copies to them, tags, untags, removes. Others read what it pushed."""
import hashlib
import json
import os
import re
import signal
import subprocess
import tarfile
import time
import unittest

from harness import BIN, Case, die_with_parent, wait_until
from registry import OCI_MANIFEST, digest_of


def sha256_of(path):
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


class CopyToRegistry(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.big = os.urandom(3_000_000)
        amd = self.r.push_image("src", ["amd"], [self.big, b"two"])
        arm = self.r.push_image("src", ["arm"], [b"three"], config={"architecture": "arm64"})
        self.index = self.r.push_index("src", ["v1"], [({"os": "linux", "architecture": "amd64"}, amd),
                                                       ({"os": "linux", "architecture": "arm64"}, arm)])
        self.amd = amd
        self.source = f"{self.r.host}/src:v1"

    def head(self, registry, repository, reference):
        accept = {"Accept": f"{OCI_MANIFEST}, application/vnd.oci.image.index.v1+json"}
        status, headers, _ = registry.request("HEAD", f"/v2/{repository}/manifests/{reference}", headers=accept,
                                              scope=f"repository:{repository}:pull")
        return headers.get("docker-content-digest") if status == 200 else None

    def test_between_registries_of_every_kind(self):
        # S290
        for kind in ("plain", "tls", "htpasswd", "token"):
            with self.subTest(kind):
                to = self.registry(kind, name=kind)
                options = ["--ca-file", to.ca] if to.ca else []
                if kind in ("htpasswd", "token"):
                    (self.home / ".docker").mkdir(exist_ok=True)
                    (self.home / ".docker/config.json").write_text(json.dumps({"auths": {to.host: {"auth": "YWxpY2U6d29uZGVy"}}}))
                self.berth("cp", *options, self.source, f"{to.host}/dst")
                self.assertEqual(self.head(to, "dst", "v1"), self.index["digest"])
                self.berth("cp", *options, f"{self.r.host}/src:amd", f"{to.host}/dst/deep:other")
                self.assertEqual(self.head(to, "dst/deep", "other"), self.amd["digest"])

    def test_skopeo_reads_what_was_pushed(self):
        # S290
        to = self.registry(name="to")
        self.berth("cp", self.source, f"{to.host}/dst:v1")
        layout = self.folder / "read"
        subprocess.run(["skopeo", "copy", "--all", "--preserve-digests", "--src-tls-verify=false", f"docker://{to.host}/dst:v1", f"oci:{layout}:v1"],
                       check=True, capture_output=True)
        self.assertEqual((layout / "blobs/sha256" / digest_of(self.big)[7:]).read_bytes(), self.big)

    def test_within_a_registry_blobs_are_mounted_and_what_is_there_is_not_sent(self):
        # S290
        fake = self.fake_registry()
        self.berth("cp", self.source, f"{fake.host}/a:v1")
        done = self.berth("-vv", "cp", f"{fake.host}/a:v1", f"{fake.host}/b:v1")
        self.assertNotIn("PATCH", done.stderr)
        self.assertNotRegex(done.stderr, r"PUT \S+/blobs/")
        self.assertRegex(done.stderr, r"POST \S+/b/blobs/uploads/")
        done = self.berth("-vv", "cp", self.source, f"{fake.host}/b:again")
        self.assertNotIn("POST", done.stderr)

    def test_one_platform(self):
        # S290
        to = self.registry(name="to")
        self.berth("cp", "--platform", "linux/amd64", self.source, f"{to.host}/dst:amd")
        self.assertEqual(self.head(to, "dst", "amd"), self.amd["digest"])

    def test_layouts_and_archives_both_ways(self):
        # S291
        to = self.registry(name="to")
        archive = self.folder / "image.tar"
        self.berth("cp", self.source, f"oci-archive:{archive}:v1")
        with tarfile.open(archive) as tar:
            names = [member.name for member in tar if member.isfile()]
        self.assertIn("oci-layout", names)
        self.assertIn("blobs/sha256/" + self.index["digest"][7:], names)
        self.assertEqual(sorted(os.listdir(self.folder))[:1], ["cache"], "no temporary folder is left")
        self.assertEqual(self.berth("cat", f"oci-archive:{archive}:v1/manifest.json").stdout.encode(),
                         self.berth("cat", f"{self.source}/manifest.json").stdout.encode())
        self.berth("cp", f"oci-archive:{archive}:v1", f"{to.host}/dst:from-archive")
        self.assertEqual(self.head(to, "dst", "from-archive"), self.index["digest"])
        self.berth("cp", self.source, f"oci:{self.folder}/layout:v1")
        self.berth("cp", f"oci:{self.folder}/layout:v1", f"{to.host}/dst:from-layout")
        self.assertEqual(self.head(to, "dst", "from-layout"), self.index["digest"])
        self.assertIn("exists", self.berth("cp", self.source, f"oci-archive:{archive}", status=1).stderr)
        self.berth("cp", "-f", self.source, f"oci-archive:{archive}:v2")
        subprocess.run(["skopeo", "copy", "--all", "--preserve-digests", f"oci-archive:{archive}:v2", f"oci:{self.folder}/read:v1"], check=True, capture_output=True)
        subprocess.run(["skopeo", "copy", "--all", "--preserve-digests", f"oci:{self.folder}/read:v1", f"oci-archive:{self.folder}/theirs.tar:v1"],
                       check=True, capture_output=True)
        self.berth("cp", f"oci-archive:{self.folder}/theirs.tar:v1", f"{to.host}/dst:theirs")
        self.assertEqual(self.head(to, "dst", "theirs"), self.index["digest"])

    def test_an_archive_that_is_none_says_so(self):
        # S291
        broken = self.folder / "broken.tar"
        broken.write_bytes(b"no archive")
        self.assertIn("tar failed", self.berth("ls", f"oci-archive:{broken}", status=1).stderr)
        other = self.folder / "other.tar"
        with tarfile.open(other, "w") as tar:
            tar.add(broken, "manifest.json")
        self.assertIn("no OCI image layout", self.berth("ls", f"oci-archive:{other}", status=1).stderr)
        self.assertIn("no such file", self.berth("ls", f"oci-archive:{self.folder}/none.tar", status=3).stderr)

    def test_a_link_in_an_archive_leads_nowhere(self):
        # S291
        evil = self.folder / "evil.tar"
        with tarfile.open(evil, "w") as tar:
            for name, data in (("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'), ("index.json", b"{}")):
                path = self.folder / name
                path.write_bytes(data)
                tar.add(path, name)
            link = tarfile.TarInfo("blobs")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc"
            tar.addfile(link)
        self.assertIn("neither a file nor a folder", self.berth("ls", f"oci-archive:{evil}", status=1).stderr)

    def test_referrers_come_along_and_are_kept_by_the_tag(self):
        # S296
        to = self.registry(name="to")
        self.r.push_artifact("src", [], {"sbom.json": b"{}"}, "application/vnd.example.sbom", subject=self.amd)
        referrer = json.loads(self.berth("ls", "--json", f"{self.r.host}/src:amd/referrers").stdout or "[]")
        self.berth("cp", "--referrers", f"{self.r.host}/src:amd", f"{to.host}/dst:v1")
        tag = "sha256-" + self.amd["digest"][7:]
        # docker-registry has no referrers API: the index under the tag is what shows them.
        self.assertEqual(bool(referrer), self.head(to, "dst", tag) is not None)

    def test_a_second_run_after_an_interruption_sends_what_is_missing(self):
        # S297
        slow = self.fake_registry(faults=[{"method": "PUT", "target": "*/blobs/uploads/*", "action": "stall_head", "from": 2}])
        log = self.folder / "log"
        with open(log, "w") as err:
            first = subprocess.Popen([str(BIN / "berth"), "-vv", "cp", "-j", "1", self.source, f"{slow.host}/dst:v1"], env=self.env,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err, preexec_fn=die_with_parent)
        wait_until(lambda: len(re.findall(r"POST \S+/blobs/uploads/: 202", log.read_text())) == 2, what="the second blob")
        time.sleep(0.3)
        first.send_signal(signal.SIGINT)
        self.assertEqual(first.wait(timeout=30), 130)
        done = self.berth("-vv", "cp", self.source, f"{slow.host}/dst:v1")
        self.assertRegex(done.stderr, f"HEAD \\S+{digest_of(self.big)}: 200")

    def test_wrong_use(self):
        # S290
        to = f"{self.r.host}/dst"
        self.assertIn("a digest follows", self.berth("cp", self.source, f"{to}@{self.index['digest']}", status=2).stderr)
        self.assertIn("both become the tag", self.berth("cp", f"{self.r.host}/src:amd", f"{self.r.host}/src:arm", f"{to}:x", status=2).stderr)
        self.assertIn("is no tag or manifest", self.berth("cp", f"{self.r.host}/src", to, status=2).stderr)
        self.berth("cp", f"{self.r.host}/src:none", to, status=3)


class Files(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        self.to = f"{self.r.host}/a"

    def test_files_become_blobs_and_manifests(self):
        # S292
        data, config = self.folder / "data", self.folder / "config"
        data.write_bytes(os.urandom(100_000))
        config.write_text("{}")
        done = self.berth("cp", "--json", data, f"{self.to}/.blobs/")
        self.assertEqual(json.loads(done.stdout)[0]["digest"], sha256_of(data))
        self.berth("cp", "-", f"{self.to}/.blobs/", input="{}")
        manifest = self.folder / "manifest.json"
        manifest.write_text(json.dumps({
            "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": sha256_of(config), "size": 2},
            "layers": [{"mediaType": "application/octet-stream", "digest": sha256_of(data), "size": 100_000}]}))
        self.berth("cp", manifest, f"{self.to}/.manifests/")
        self.berth("cp", manifest, f"{self.to}:v1")
        self.assertEqual(self.berth("cat", f"{self.to}:v1/manifest.json").stdout, manifest.read_text())
        self.assertEqual(self.berth("cat", f"{self.to}@{sha256_of(manifest)}/manifest.json").stdout, manifest.read_text())
        refused = self.berth("cp", data, f"{self.to}:v2", status=2)
        self.assertIn("/.blobs/", refused.stderr)


class Tags(Case):
    def setUp(self):
        super().setUp()
        self.r = self.fake_registry()
        source = self.registry()
        self.image = source.push_image("a", ["v1"], [b"one"])
        self.other = source.push_image("a", ["v2"], [b"two"])
        self.a = f"{self.r.host}/a"
        for tag in ("v1", "v2"):
            self.berth("cp", f"{source.host}/a:{tag}", f"{self.a}:{tag}")

    def digest(self, place):
        return json.loads(self.berth("stat", "--json", place).stdout)[0]["digest"]

    def test_tag(self):
        # S293
        done = self.berth("tag", f"{self.a}:v1", "stable", f"{self.a}:latest")
        self.assertEqual(done.stdout, f"tagged {self.a}:stable ({self.image['digest']})\ntagged {self.a}:latest ({self.image['digest']})\n")
        self.assertEqual(self.digest(f"{self.a}:stable"), self.image["digest"])
        self.berth("tag", f"{self.a}:v2", "stable")
        self.assertEqual(self.digest(f"{self.a}:stable"), self.other["digest"], "what was remembered of it is asked for again")
        self.berth("tag", f"{self.a}@{self.image['digest']}", f"{self.r.host}/b/c:v1")
        self.assertEqual(self.digest(f"{self.r.host}/b/c:v1"), self.image["digest"])
        self.berth("tag", f"{self.a}:v1", "-no", status=2)
        self.berth("tag", f"{self.a}:none", "x", status=3)
        self.assertIn("is no tag or manifest", self.berth("tag", self.a, "x", status=2).stderr)

    def test_untag_leaves_the_manifest(self):
        # S294
        done = self.berth("untag", f"{self.a}:v1")
        self.assertEqual(done.stdout, f"untagged {self.a}:v1 ({self.image['digest']})\n")
        self.berth("stat", f"{self.a}:v1", status=3)
        self.berth("stat", f"{self.a}@{self.image['digest']}")
        self.berth("untag", f"{self.a}:v1", status=3)
        self.assertIn("is no tag", self.berth("untag", self.a, status=2).stderr)

    def test_untag_where_the_registry_cannot(self):
        # S294
        real = self.registry(name="real")
        real.push_image("a", ["v1"], [b"one"])
        refused = self.berth("untag", f"{real.host}/a:v1", status=1)
        self.assertIn("name it by its digest", refused.stderr)
        self.berth("stat", f"{real.host}/a:v1")

    def test_a_file_that_is_named_like_a_registry(self):
        said = self.berth("cp", f"{self.a}:v1/config.json", "config.json", status=2).stderr
        self.assertIn("a local file is written ./config.json", said)

    def test_a_repository_that_was_just_pushed_is_read_by_its_reference(self):
        # S13
        real = self.registry(name="real")
        real.push_image("old", ["v1"], [b"one"])
        self.berth("ls", real.host)
        real.push_image("fresh", ["v1"], [b"two"])
        self.berth("ls", f"{real.host}/fresh", status=3)
        self.assertEqual(self.berth("cat", f"{real.host}/fresh:v1/layers/00.tar.gz").stdout, "two")
        self.assertEqual((self.mount(real.host) / "fresh:v1/layers/00.tar.gz").read_bytes(), b"two")

    def test_rm(self):
        # S295
        by_digest = f"{self.a}@{self.image['digest']}"
        refused = self.berth("rm", by_digest, status=1)
        self.assertIn("is what v1 leads to", refused.stderr)
        for part in ("layers", "manifest.json"):
            self.assertIn("cannot be removed", self.berth("rm", "-rf", f"{by_digest}/{part}", status=2).stderr)
            self.assertIn("is no tag or manifest", self.berth("tag", f"{by_digest}/{part}", "other", status=2).stderr)
        self.berth("stat", by_digest)
        self.assertIn("untagged", self.berth("rm", f"{self.a}:v1").stdout)
        self.assertEqual(self.berth("rm", by_digest).stdout, f"deleted {by_digest}\n")
        self.berth("stat", by_digest, status=3)
        self.berth("rm", by_digest, status=3)
        self.berth("rm", "-f", by_digest)
        self.assertIn("with 1 tags", self.berth("rm", "-f", f"{self.a}@{self.other['digest']}").stdout)

    def test_rm_of_a_blob(self):
        # S295
        digest = digest_of(b"one")
        place = f"{self.a}/.blobs/sha256/{digest[7:]}"
        # S453
        said = self.berth("rm", place, status=1).stderr
        self.assertIn(f"blob {self.a}@{digest} is what {self.image['digest']} needs: delete that first, or use -f", said)
        self.assertEqual(self.berth("cat", f"{self.a}:v1/layers/00.tar.gz", env={"BERTH_CACHE": str(self.folder / "fresh")}).stdout, "one")
        self.assertIn(f"deleted blob {self.a}@{digest}", self.berth("rm", "-f", place).stdout)
        below_an_index = f"{self.fake_registry('--sample').host}/library/multi/.blobs/sha256/{digest_of(b'amd64 layer')[7:]}"
        self.assertIn("delete that first", self.berth("rm", below_an_index, status=1).stderr)
        (self.folder / "data").write_text("of no manifest")
        alone = json.loads(self.berth("cp", "--json", self.folder / "data", f"{self.a}/.blobs/").stdout)[0]["digest"]
        self.assertIn(f"deleted blob {self.a}@{alone}", self.berth("rm", f"{self.a}/.blobs/sha256/{alone[7:]}").stdout)

    def test_rm_of_a_link_in_a_manifests_folder_is_wrong_use(self):
        # S452
        digest = digest_of(b"one")
        for options in ((), ("-f",), ("-r",)):
            said = self.berth("rm", *options, f"{self.a}:v1/layers/00.tar.gz", status=2).stderr
            self.assertIn(f"{self.a}:v1/layers/00.tar.gz is a link of a manifest's folder: the blob is {self.a}/.blobs/sha256/{digest[7:]}", said)

    def test_rm_of_a_repository(self):
        # S295
        self.assertIn("-r", self.berth("rm", self.a, status=2).stderr)
        done = self.berth("rm", "-r", self.a)
        self.assertEqual(done.stdout, f"deleted repository {self.a} (2 tags, 2 manifests)\n")
        self.berth("stat", f"{self.a}:v2", status=3)

    def test_rm_says_json(self):
        # S295
        told = json.loads(self.berth("rm", "--json", f"{self.a}:v1").stdout)
        self.assertEqual(told, [{"untagged": f"{self.a}:v1", "digest": self.image["digest"]}])


if __name__ == "__main__":
    unittest.main()
