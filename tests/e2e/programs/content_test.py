# SPDX-License-Identifier: Apache-2.0
"""Everything in a real registry that real tools pushed, read through the mount and the command, compared byte for byte."""
import gzip
import hashlib
import json
import os
import pathlib
import subprocess
import unittest

from harness import Case, tool, wait_until
from registry import OCI_MANIFEST

ARM = {"os": "linux", "architecture": "arm64", "variant": "v8"}
AMD = {"os": "linux", "architecture": "amd64"}


def sha256(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


class WholeRegistry(Case):
    def fill(self):
        """What skopeo and oras push, and the awkward names."""
        self.r = self.registry()
        r = self.r
        layer = gzip.compress(os.urandom(300_000))  # skopeo compresses what is not
        amd = r.push_image("multi/app", [], [layer, gzip.compress(os.urandom(5_000_000), 1)])
        arm = r.push_image("multi/app", [], [layer], {"architecture": "arm64", "variant": "v8"})
        r.push_index("multi/app", ["v1"], [(AMD, amd), (ARM, arm)])
        r.push_image("legacy/schema2", ["old"], [gzip.compress(os.urandom(1000))], docker=True)
        # skopeo copies the index whole; oras pushes an artifact of several titled files.
        layout = self.folder / "pushed"
        subprocess.run([tool("skopeo"), "copy", "-q", "--all", "--src-tls-verify=false", f"docker://{r.host}/multi/app:v1", f"oci:{layout}:v1"], check=True)
        subprocess.run([tool("skopeo"), "copy", "-q", "--all", "--dest-tls-verify=false", f"oci:{layout}:v1", f"docker://{r.host}/copied/app:v1"], check=True)
        work = self.folder / "artifact"
        (work / "weights").mkdir(parents=True)
        (work / "model.json").write_text('{"layers": 12}\n')
        (work / "weights/part-0.bin").write_bytes(os.urandom(4_500_000))
        (work / "empty.txt").write_bytes(b"")
        try:
            oras = tool("oras")
        except unittest.SkipTest:
            r.push_artifact("models/tiny", ["2024"], {str(p.relative_to(work)): p.read_bytes() for p in work.rglob("*") if p.is_file()})
        else:
            subprocess.run([oras, "push", "--plain-http", "--artifact-type", "application/vnd.example.model", f"{r.host}/models/tiny:2024",
                            "model.json", "weights/part-0.bin", "empty.txt"], cwd=work, check=True, capture_output=True)
        self.artifact = work
        subject = json.loads(r.request("GET", "/v2/models/tiny/manifests/2024", headers={"Accept": OCI_MANIFEST})[2])
        self.assertEqual(len(subject["layers"]), 3)
        # `a` with a tag `b` beside a repository `a/b`.
        r.push_image("a", ["b", "other"], [b"in a"])
        r.push_image("a/b", ["latest"], [b"in a/b"])

    def repositories(self):
        return ["multi/app", "copied/app", "legacy/schema2", "models/tiny", "a", "a/b"]

    def manifests(self, repository):
        """digest -> raw, of everything that its tags reach."""
        found = {}
        queue = json.loads(self.r.request("GET", f"/v2/{repository}/tags/list")[2])["tags"]
        while queue:
            reference = queue.pop()
            _, headers, raw = self.r.request("GET", f"/v2/{repository}/manifests/{reference}", headers={
                "Accept": ", ".join([OCI_MANIFEST, "application/vnd.oci.image.index.v1+json",
                                     "application/vnd.docker.distribution.manifest.v2+json"])})
            found[headers["docker-content-digest"]] = raw
            queue += [child["digest"] for child in json.loads(raw).get("manifests", [])]
        return found

    def test_every_manifest_and_blob_has_the_digest_of_its_name(self):
        self.fill()
        mnt = self.mount(self.r.host)
        blobs = 0
        for repository in self.repositories():
            for digest, raw in self.manifests(repository).items():
                folder = mnt / repository / ".manifests" / digest.replace(":", "/")
                self.assertEqual(sha256(folder / "manifest.json"), digest.split(":")[1])
                self.assertEqual((folder / "manifest.json").read_bytes(), raw)
                document = json.loads(raw)
                for blob in document.get("layers", []) + ([document["config"]] if "config" in document else []):
                    path = mnt / repository / ".blobs" / blob["digest"].replace(":", "/")
                    self.assertEqual(path.stat().st_size, blob["size"])
                    self.assertEqual(sha256(path), blob["digest"].split(":")[1])
                    blobs += 1
        self.assertGreater(blobs, 12)

    def test_what_skopeo_copied_is_the_same_byte_for_byte(self):
        self.fill()
        mnt = self.mount(self.r.host)
        for repository, tag in (("multi/app", "v1"), ("legacy/schema2", "old"), ("models/tiny", "2024")):
            theirs = self.folder / "theirs" / repository.replace("/", "-")
            theirs.parent.mkdir(exist_ok=True)
            subprocess.run([tool("skopeo"), "copy", "-q", "--all", "--src-tls-verify=false",
                            f"docker://{self.r.host}/{repository}:{tag}", f"oci:{theirs}:{tag}"], check=repository == "multi/app", capture_output=True)
            files = list((theirs / "blobs/sha256").glob("*")) if theirs.exists() else []
            for file in files:
                ours = mnt / repository / ".blobs/sha256" / file.name
                if not ours.exists() and repository == "legacy/schema2":
                    continue  # the manifest, which skopeo turned into OCI's form
                if not ours.exists():
                    ours = mnt / repository / ".manifests/sha256" / file.name / "manifest.json"
                self.assertEqual(ours.read_bytes(), file.read_bytes(), file)
            if repository == "multi/app":
                self.assertGreaterEqual(len(files), 7)

    def test_an_index_shows_its_platforms_and_an_artifact_its_files(self):
        self.fill()
        mnt = self.mount(self.r.host)
        self.assertEqual(sorted(os.listdir(mnt / "multi/app/v1/platforms")), ["linux-amd64", "linux-arm64-v8"])
        arm = mnt / "multi/app/v1/platforms/linux-arm64-v8"
        self.assertEqual(json.loads((arm / "config.json").read_text())["architecture"], "arm64")
        self.assertEqual(len(os.listdir(arm / "layers")), 1)
        files = mnt / "models/tiny/2024/files"
        for path in self.artifact.rglob("*"):
            if path.is_file():
                self.assertEqual((files / path.relative_to(self.artifact)).read_bytes(), path.read_bytes())
        copied = self.folder / "copied"
        subprocess.run(["cp", "-rL", str(files), str(copied)], check=True)
        self.assertEqual(subprocess.run(["diff", "-r", str(copied), str(self.artifact)]).returncode, 0)

    def test_a_tag_beside_a_repository_of_the_same_name(self):
        self.fill()
        mnt = self.mount(self.r.host)
        self.assertEqual(sorted(os.listdir(mnt / "a")), ["b", "other"])
        self.assertTrue((mnt / "a/b").is_dir() and not (mnt / "a/b").is_symlink())
        self.assertEqual(os.listdir(mnt / "a/b"), ["latest"])
        # The tag is reached by its reference.
        self.assertEqual(os.readlink(mnt / "a:b").split("/")[-1], os.readlink(mnt / "a/other").split("/")[-1])
        self.assertTrue((mnt / "a:b/manifest.json").is_file())

    def test_pasted_references_are_paths(self):
        self.fill()
        mnt = self.mount(self.r.host)
        digest = "sha256:" + os.readlink(mnt / "multi/app/v1").split("/")[-1]
        raw = (mnt / "multi/app/v1/manifest.json").read_bytes()
        self.assertEqual((mnt / "multi/app:v1/manifest.json").read_bytes(), raw)
        self.assertEqual((mnt / f"multi/app@{digest}" / "manifest.json").read_bytes(), raw)
        self.assertEqual((mnt / "multi/app/.manifests" / digest / "manifest.json").read_bytes(), raw)

    def test_the_command_shows_the_same_tree(self):
        # S201
        self.fill()
        mnt = self.mount(self.r.host)
        for folder in ("", "multi/app", "multi/app:v1", "models/tiny:2024/files", "a"):
            self.assertEqual(sorted(self.berth("ls", f"{self.r.host}/{folder}").stdout.split()), sorted(os.listdir(mnt / folder)), folder)
        for file in ("multi/app:v1/manifest.json", "models/tiny/2024/files/model.json", "a/other/config.json"):
            self.assertEqual(self.berth("cat", f"{self.r.host}/{file}").stdout, (mnt / file).read_text())
        stat = json.loads(self.berth("stat", "--json", f"{self.r.host}/multi/app:v1").stdout)[0]
        self.assertEqual(stat["digest"].split(":")[1], os.readlink(mnt / "multi/app/v1").split("/")[-1])
        self.assertEqual(stat["kind"], "tag")

    def test_copies_to_a_layout_that_skopeo_and_the_mount_read(self):
        self.fill()
        layout = self.folder / "layout"
        self.berth("cp", f"{self.r.host}/multi/app:v1", f"oci:{layout}:v1")
        self.berth("cp", f"{self.r.host}/models/tiny:2024", f"oci:{layout}:tiny")
        raw = subprocess.run([tool("skopeo"), "inspect", "--raw", f"oci:{layout}:v1"], check=True, capture_output=True).stdout
        self.assertEqual(raw, list(self.manifests("multi/app").values())[0])
        again = self.folder / "again"
        subprocess.run([tool("skopeo"), "copy", "-q", "--all", f"oci:{layout}:v1", f"oci:{again}:v1"], check=True)
        for file in (layout / "blobs/sha256").iterdir():
            self.assertEqual(sha256(file), file.name)
        # No server at all: the layout mounted, and read by the command.
        self.r.kill()
        mnt = self.mount(f"oci:{layout}")
        self.assertEqual(sorted(os.listdir(mnt)), ["tiny", "v1"])
        self.assertEqual((mnt / "tiny/files/model.json").read_text(), '{"layers": 12}\n')
        self.berth("cp", "-r", f"oci:{layout}:tiny/files", str(self.folder / "files"))
        self.assertEqual(subprocess.run(["diff", "-r", str(self.folder / "files"), str(self.artifact)]).returncode, 0)

    def test_a_layout_shares_the_caches_room_and_cannot_spoil_the_cache(self):
        # S208
        self.fill()
        layout = self.folder / "layout"
        self.berth("cp", f"{self.r.host}/multi/app:v1", f"oci:{layout}:v1")
        blobs = [b for b in (layout / "blobs/sha256").iterdir() if b.stat().st_size > 100_000]
        self.assertTrue(blobs)
        for blob in blobs:
            cached = self.folder / "cache/blobs/sha256" / blob.name
            blob.chmod(0o644)
            with open(blob, "r+b") as file:
                file.write(b"spoilt")
            if cached.stat().st_ino == blob.stat().st_ino:
                self.assertNotEqual(sha256(cached), blob.name)
        self.berth("cp", f"{self.r.host}/multi/app:v1", f"oci:{self.folder / 'again'}:v1")
        for blob in (self.folder / "again/blobs/sha256").iterdir():
            self.assertEqual(sha256(blob), blob.name)
        self.berth("cp", f"{self.r.host}/multi/app:v1/manifest.json", self.folder / "manifest.json")
        self.assertEqual((self.folder / "manifest.json").stat().st_nlink, 1)

    def test_folders_are_copied_whole(self):
        # S203
        self.fill()
        mnt = self.mount(self.r.host)
        for place in ("multi/app:v1", "a:b", "models/tiny:2024"):
            ours, theirs = self.folder / "ours", self.folder / "theirs"
            self.berth("cp", "-r", f"{self.r.host}/{place}", ours)
            subprocess.run(["cp", "-rL", str(mnt / place), str(theirs)], check=True)
            self.assertEqual(subprocess.run(["diff", "-r", "-x", "referrers", str(ours), str(theirs)]).returncode, 0, place)
            self.assertGreater(len([p for p in ours.rglob("*") if p.is_file()]), 2)
            self.sh(f"rm -rf {ours} {theirs}")
        self.berth("cp", "-r", f"{self.r.host}/a", self.folder / "repository")
        self.assertEqual((self.folder / "repository/other/layers/00.tar.gz").read_bytes(), b"in a")

    def listed(self):
        index = json.loads((self.folder / "cache/index.json").read_text())
        return sorted(m["annotations"]["org.opencontainers.image.ref.name"] for m in index["manifests"])

    def test_the_cache_is_a_layout_that_lists_what_is_complete(self):
        self.fill()
        self.berth("cp", f"{self.r.host}/multi/app:v1", f"oci:{self.folder}/layout:mine")
        self.assertEqual(self.listed(), [f"{self.r.host}/multi/app:v1"])
        self.berth("cp", f"oci:{self.folder}/layout:mine", f"oci:{self.folder}/other:again")
        self.assertEqual(self.listed(), [f"{self.r.host}/multi/app:v1"])
        self.berth("cache", "prune")
        self.assertEqual(self.listed(), [])

    def test_what_a_mount_read_whole_is_an_image_of_the_cache(self):
        self.fill()
        mnt = self.mount(self.r.host)
        self.sh(f"cat {mnt}/a/other/manifest.json {mnt}/a/other/config.json {mnt}/a/other/layers/* > /dev/null")
        self.sh(f"cat {mnt}/a/b:latest/manifest.json > /dev/null")
        raw = (mnt / "a/other/manifest.json").read_bytes()
        self.unmount(mnt)
        self.assertEqual(self.listed(), [f"{self.r.host}/a:other"])
        image = f"oci:{self.folder}/cache:{self.r.host}/a:other"
        self.assertEqual(subprocess.run([tool("skopeo"), "inspect", "--raw", image], check=True, capture_output=True).stdout, raw)
        subprocess.run([tool("skopeo"), "copy", "-q", image, f"oci:{self.folder}/out:v1"], check=True)

    def test_single_mounts_of_a_repository_and_of_a_tag(self):
        self.fill()
        repository = self.mount(f"{self.r.host}/multi/app", name="repository")
        self.assertEqual(os.listdir(repository), ["v1"])
        tag = self.mount(f"{self.r.host}/multi/app:v1", name="tag")
        self.assertIn("manifest.json", os.listdir(tag))
        self.assertIn("platforms", os.listdir(tag))
        arm = tag / "platforms/linux-arm64-v8/layers/00.tar.gz"
        self.assertEqual(sha256(arm), sha256(repository / "v1/platforms/linux-arm64-v8/layers/00.tar.gz"))

    def test_every_registry_at_once_shows_those_that_are_known(self):
        self.fill()
        config = self.home / ".config/berth"
        config.mkdir(parents=True)
        (config / "config.toml").write_text(f'[registry."{self.r.host}"]\nplain_http = true\n')
        mnt = self.mount("")
        self.assertIn(self.r.host, os.listdir(mnt))
        self.assertEqual(sorted(os.listdir(mnt / self.r.host / "a")), ["b", "other"])
        with self.assertRaises(FileNotFoundError):
            os.stat(mnt / "unknown.example")
        with self.assertRaises(FileNotFoundError):
            os.stat(mnt / ".git")


class LargeBlob(Case):
    SIZE = 1 << 30

    def test_a_gibibyte_through_the_mount_and_to_a_layout(self):
        """Read once, from the network, while it is verified; then from the cache; then copied, and compared with skopeo's."""
        r = self.registry()
        path = self.folder / "big"
        with open(path, "wb") as file:
            for _ in range(self.SIZE >> 24):
                file.write(os.urandom(1 << 20) * 16)  # one MiB in sixteen is new: enough to tell places apart
        blob = r.push_blob("big", path)
        r.push_image("big", ["v1"], [blob])
        os.unlink(path)
        mnt = self.mount(r.host)
        layer = mnt / "big/v1/layers/00.tar.gz"
        hexadecimal = blob["digest"].split(":")[1]
        self.assertEqual(layer.stat().st_size, self.SIZE)
        self.assertEqual(sha256(layer), hexadecimal)
        gets = len(r.lines("GET /v2/big/blobs/" + blob["digest"]))
        self.assertEqual(sha256(mnt / "big/.blobs/sha256" / hexadecimal), hexadecimal)
        self.assertEqual(len(r.lines("GET /v2/big/blobs/" + blob["digest"])), gets, "the second read is the cache's")
        self.unmount(mnt)
        ours, theirs = self.folder / "ours", self.folder / "theirs"
        self.berth("cp", f"{r.host}/big:v1", f"oci:{ours}:v1")
        subprocess.run([tool("skopeo"), "copy", "-q", "--src-tls-verify=false", f"docker://{r.host}/big:v1", f"oci:{theirs}:v1", "--preserve-digests"],
                       check=True)
        self.assertEqual(subprocess.run(["diff", "-r", str(ours / "blobs"), str(theirs / "blobs")]).returncode, 0)


class ManyNames(Case):
    def test_two_thousand_tags_cost_the_listing_and_then_nothing(self):
        r = self.registry()
        tags = [f"v{n:04}" for n in range(2000)]
        r.push_image("many/tags", tags, [b"layer"])
        mnt = self.mount(r.host)
        before = r.requests()
        self.assertEqual(self.sh(f"ls {mnt}/many/tags | wc -l").strip(), "2000")
        first = r.requests() - before
        self.assertLess(first, 30, "a listing costs its pages and none per tag")
        before = r.requests()
        self.assertEqual(self.sh(f"ls {mnt}/many/tags | wc -l").strip(), "2000")
        self.assertEqual(r.requests() - before, 0, "a fresh listing costs nothing")
        before = r.requests()
        self.sh(f"ls -l {mnt}/many/tags >/dev/null; ls -l --color=always {mnt}/many/tags >/dev/null")
        lines = r.lines()[before:]
        self.assertEqual([line for line in lines if '"HEAD' not in line], [], "attributes come from HEADs alone")
        self.assertLessEqual(len(lines), 2000)
        before = r.requests()
        self.sh(f"ls -l {mnt}/many/tags >/dev/null")
        self.assertEqual(r.requests() - before, 0)

    def test_five_thousand_repositories(self):
        r = self.registry()
        manifest_link = r.push_image("many/repo0000", ["v1"], [b"x"])
        data = r.folder / "data/docker/registry/v2/repositories/many"
        # Pushing 5,000 would take minutes: a repository is a folder of the registry's own storage.
        for n in range(1, 5000):
            subprocess.run(["cp", "-r", str(data / "repo0000"), str(data / f"repo{n:04}")], check=True) if n < 3 else os.makedirs(
                data / f"repo{n:04}/_layers", exist_ok=True)
        self.assertIn("digest", manifest_link)
        mnt = self.mount(r.host)
        listed = os.listdir(mnt / "many")
        catalogue = set()
        page = "/v2/_catalog?n=1000"
        while page:
            status, headers, raw = r.request("GET", page)
            catalogue |= {name.split("/")[1] for name in json.loads(raw)["repositories"]}
            page = headers.get("link", "").split(">")[0].lstrip("<") or None
        self.assertEqual(set(listed), catalogue)
        self.assertEqual(len(listed), 5000)
        self.assertEqual(os.listdir(mnt / "many/repo0001"), ["v1"])


if __name__ == "__main__":
    unittest.main()
