# SPDX-License-Identifier: Apache-2.0
"""Everything in a real registry that real tools pushed, read through the mount and the command, compared byte for byte."""
import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest

import pushed
from harness import Case, tool, wait_until
from registry import OCI_MANIFEST


def sha256(path):
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


class WholeRegistry(Case):
    def fill(self, kind="plain"):
        """What skopeo and oras push, and the awkward names."""
        source = self.registry(name="source")
        self.r = self.registry(kind, name=f"registry-{kind}")
        pushed.push_images(self.r, source)
        source.close()
        pushed.skopeo_copy(*(f"docker://{self.r.host}/{name}" for name in ("multi/app:v1", "copied/app:v1")),
                           *(["--src-creds", "alice:wonder"] if kind in ("htpasswd", "token") else []), registry=self.r)
        self.artifact = pushed.push_artifact(self.r, self.folder / kind)
        self.assertEqual(len(json.loads(next(iter(self.manifests("models/tiny").values())))["layers"]), 3)

    def mounted(self):
        """With what the registry asks for."""
        config = self.home / ".docker/config.json"
        config.parent.mkdir(exist_ok=True)
        config.write_text(json.dumps({"auths": {self.r.host: {"auth": base64.b64encode(b"alice:wonder").decode()}}} if self.r.kind in ("htpasswd", "token") else {}))
        return self.mount(self.r.host, f"ca_file={self.r.ca}" if self.r.ca else "", name=f"mnt-{self.r.kind}")

    def manifests(self, repository):
        return pushed.manifests(self.r, repository)

    def compare(self, mnt, repository):
        """Every manifest and every blob that it names; gives how many."""
        count = 0
        for digest, raw in self.manifests(repository).items():
            folder = mnt / repository / ".manifests" / digest.replace(":", "/")
            self.assertEqual((folder / "manifest.json").read_bytes(), raw)
            self.assertEqual(hashlib.sha256(raw).hexdigest(), digest.split(":")[1])
            document = json.loads(raw)
            for blob in document.get("layers", []) + ([document["config"]] if "config" in document else []):
                path = mnt / repository / ".blobs" / blob["digest"].replace(":", "/")
                self.assertEqual(path.stat().st_size, blob["size"])
                self.assertEqual(sha256(path), blob["digest"].split(":")[1])
                count += 1
        return count

    def test_every_manifest_and_blob_has_the_digest_of_its_name(self):
        for kind in ("plain", "tls", "htpasswd", "token"):
            with self.subTest(kind):
                self.fill(kind)
                mnt = self.mounted()
                names = pushed.repositories(self.r)
                self.assertEqual(sorted(names), ["a", "a/b", "copied/app", "legacy/schema2", "models/tiny", "multi/app"])
                self.assertGreater(sum(self.compare(mnt, name) for name in names), 12)

    def test_what_skopeo_copied_is_the_same_byte_for_byte(self):
        self.fill()
        mnt = self.mounted()
        for repository, tag in (("multi/app", "v1"), ("copied/app", "v1"), ("legacy/schema2", "old"), ("models/tiny", "2024"), ("a", "b"), ("a/b", "latest")):
            theirs = self.folder / "theirs" / repository.replace("/", "-")
            theirs.parent.mkdir(exist_ok=True)
            pushed.skopeo_copy(f"docker://{self.r.host}/{repository}:{tag}", f"oci:{theirs}:{tag}")
            files = list((theirs / "blobs/sha256").iterdir())
            self.assertGreaterEqual(len(files), 7 if repository.endswith("app") else 3)
            converted = []
            for file in files:
                ours = mnt / repository / ".blobs/sha256" / file.name
                if not ours.exists() and repository == "legacy/schema2":
                    converted.append(json.loads(file.read_bytes()))  # which skopeo turned into OCI's form
                    continue
                if not ours.exists():
                    ours = mnt / repository / ".manifests/sha256" / file.name / "manifest.json"
                self.assertEqual(ours.read_bytes(), file.read_bytes(), file)
            self.assertEqual(sorted("layers" in each for each in converted), [False, True] if repository == "legacy/schema2" else [])

    def test_an_index_shows_its_platforms_and_an_artifact_its_files(self):
        self.fill()
        mnt = self.mounted()
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
        mnt = self.mounted()
        self.assertEqual(sorted(os.listdir(mnt / "a")), ["b", "other"])
        self.assertTrue((mnt / "a/b").is_dir() and not (mnt / "a/b").is_symlink())
        self.assertEqual(os.listdir(mnt / "a/b"), ["latest"])
        # The tag is reached by its reference.
        self.assertEqual(os.readlink(mnt / "a:b").split("/")[-1], os.readlink(mnt / "a/other").split("/")[-1])
        self.assertTrue((mnt / "a:b/manifest.json").is_file())

    def test_pasted_references_are_paths(self):
        self.fill()
        mnt = self.mounted()
        digest = "sha256:" + os.readlink(mnt / "multi/app/v1").split("/")[-1]
        raw = (mnt / "multi/app/v1/manifest.json").read_bytes()
        self.assertEqual((mnt / "multi/app:v1/manifest.json").read_bytes(), raw)
        self.assertEqual((mnt / f"multi/app@{digest}" / "manifest.json").read_bytes(), raw)
        self.assertEqual((mnt / "multi/app/.manifests" / digest / "manifest.json").read_bytes(), raw)

    def test_the_command_shows_the_same_tree(self):
        # S201
        self.fill()
        mnt = self.mounted()
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
        mnt = self.mounted()
        for place in ("multi/app:v1", "a:b", "models/tiny:2024"):
            ours, theirs = self.folder / "ours", self.folder / "theirs"
            self.berth("cp", "-r", f"{self.r.host}/{place}", ours)
            subprocess.run(["cp", "-rL", str(mnt / place), str(theirs)], check=True)
            self.assertEqual(subprocess.run(["diff", "-r", "-x", "referrers", str(ours), str(theirs)]).returncode, 0, place)
            self.assertGreater(len([p for p in ours.rglob("*") if p.is_file()]), 2)
            self.sh(f"rm -rf {ours} {theirs}")
        self.berth("cp", "-r", f"{self.r.host}/a", self.folder / "repository")
        self.assertEqual((self.folder / "repository/other/layers/00.tar.gz").read_bytes(), (mnt / "a/other/layers/00.tar.gz").read_bytes())

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
        mnt = self.mounted()
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
        pushed.oras(r, "push", f"{r.host}/big:v1", "big:application/vnd.oci.image.layer.v1.tar+gzip", cwd=self.folder)
        os.unlink(path)
        blob = json.loads(next(iter(pushed.manifests(r, "big").values())))["layers"][0]
        mnt = self.mount(r.host)
        layer = mnt / "big/v1/files/big"
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
    def fill(self, repository):
        source, r = self.registry(name="source"), self.registry()
        source.push_image("image", ["v1"], [pushed.compressed(1000)])
        pushed.skopeo_copy(f"docker://{source.host}/image:v1", f"docker://{r.host}/{repository}:v1", registry=r)
        source.close()
        return r

    def test_two_thousand_tags_cost_the_listing_and_then_nothing(self):
        r = self.fill("many/tags")
        pushed.push_tags(r, "many/tags", "v1", [f"v{n:04}" for n in range(1, 2000)])
        mnt = self.mount(r.host)
        before = r.requests()
        self.assertEqual(self.sh(f"ls {mnt}/many/tags | wc -l").strip(), "2000")
        first = r.requests() - before
        self.assertLess(first, 30, "a listing costs its pages and none per tag")
        before = r.requests()
        self.assertEqual(self.sh(f"ls {mnt}/many/tags | wc -l").strip(), "2000")
        self.assertEqual(r.requests() - before, 0, "a fresh listing costs nothing")
        for first, again in (("ls --color=always", "ls -l"), ("ls -l", "ls --color=always")):
            self.berth("refresh", mnt)
            self.sh(f"ls {mnt}/many/tags >/dev/null")
            before = r.requests()
            self.sh(f"{first} {mnt}/many/tags >/dev/null", LS_COLORS="ln=01;36:or=40;31;01")  # it looks whether a link leads anywhere
            lines = r.lines()[before:]
            self.assertEqual([line for line in lines if '"HEAD' not in line], [], "attributes come from HEADs alone")
            self.assertEqual(len(lines), 2000)
            before = r.requests()
            self.sh(f"{again} {mnt}/many/tags >/dev/null")
            self.assertEqual(r.requests() - before, 0)

    def test_heads_of_a_listing_go_sixteen_at_once(self):
        r = self.fake_registry("--tags", "100", faults=[{"method": "HEAD", "target": "/v2/library/many/manifests/*", "times": 0, "action": "stall_head"}])
        mnt = self.mount(r.host, "plain_http")
        self.assertEqual(len(os.listdir(mnt / "library/many")), 100)
        r.requests()
        # Each is answered by nothing, so what has come is what is under way.
        looking = subprocess.Popen(["ls", "-l", str(mnt / "library/many")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(looking.wait)
        self.addCleanup(looking.kill)
        heads = []
        wait_until(lambda: heads.extend(each for each in r.requests() if each[1] == "HEAD") or len(heads) >= 16, what="16 requests")
        time.sleep(0.5)
        heads += [each for each in r.requests() if each[1] == "HEAD"]
        self.assertEqual(len(heads), 16)

    def test_five_thousand_repositories(self):
        # In memory: to delete so many folders takes some disks minutes.
        storage = tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
        self.addCleanup(shutil.rmtree, storage)
        (self.folder / "registry").mkdir()
        (self.folder / "registry/data").symlink_to(storage)
        r = self.fill("many/repo")
        pushed.multiply(r, "many", "repo", 5000)
        mnt = self.mount(r.host)
        names = pushed.repositories(r)
        self.assertEqual(len(names), 5000)
        self.assertEqual(sorted(os.listdir(mnt / "many")), sorted(name.split("/")[1] for name in names))
        digest, raw = next(iter(pushed.manifests(r, "many/repo").items()))
        blobs = [each["digest"] for each in (json.loads(raw)["config"], *json.loads(raw)["layers"])]
        for number, name in enumerate(names):  # they were pushed the same, and each is asked whether it has it
            self.assertEqual(os.readlink(mnt / name / "v1"), ".manifests/" + digest.replace(":", "/"))
            if number % 5 == 0:
                self.assertEqual(sha256(mnt / name / "v1/manifest.json"), digest.split(":")[1])
                for blob in blobs:
                    self.assertEqual(sha256(mnt / name / ".blobs" / blob.replace(":", "/")), blob.split(":")[1])


if __name__ == "__main__":
    unittest.main()
