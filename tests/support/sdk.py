# SPDX-License-Identifier: Apache-2.0
"""The official SDK and berth's client library as two programs that take the same words (tests/e2e/sdk), and the list of
operations that both are asked for."""
import json
import os
import pathlib
import re
import subprocess

from registry import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, die_with_parent, digest_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "an-entra-id-token"  # what the fake registry's exchange takes


class Probe:
    """One of the two. `ask` gives what it answered: {"value"} or {"error"}, and "seconds"."""

    def __init__(self, argv, ca=None, env=None, cwd=None, wrapper=()):
        self.ca = str(ca) if ca else ""
        env = dict(env or os.environ)
        if ca:
            env["NODE_EXTRA_CA_CERTS"] = self.ca
        self.process = subprocess.Popen([*wrapper, *map(str, argv)], env=env, cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)

    @classmethod
    def sdk(cls, folder, **more):
        return cls(["node", ROOT / "tests/e2e/sdk/probe.mjs"], cwd=folder, **more)

    @classmethod
    def berth(cls, bin_folder, **more):
        return cls([pathlib.Path(bin_folder) / "acr-probe"], **more)

    def ask(self, op, **command):
        self.process.stdin.write(json.dumps({"op": op, "ca": self.ca, **command}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args[0]} ended at {op}, {command}")
        return json.loads(line)

    def cost(self):
        """CPU seconds and the peak of its memory in bytes, so far."""
        folder = pathlib.Path(f"/proc/{self.process.pid}")
        fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        peak = int(re.search(r"VmHWM:\s*(\d+) kB", (folder / "status").read_text()).group(1)) * 1024
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK"), peak

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def to_milliseconds(match):
    """berth keeps the seven digits of the service's times, a Date three."""
    return f"{match.group(1)}.{(match.group(2) or '').ljust(3, '0')[:3]}Z"


def comparable(answer, host):
    """An answer without what must differ: the name of the server, digits of times that the SDK drops, the order of members."""
    text = json.dumps({key: answer[key] for key in ("value", "error") if key in answer}, sort_keys=True)
    text = text.replace(host, "HOST")
    text = re.sub(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?Z(?=\")", to_milliseconds, text)
    told = json.loads(text)
    if "error" in told:
        told["error"].pop("name")  # RestError, and berth's own codes
    return told


def image(config, layer, **more):
    """The text of an image's manifest."""
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                       "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config.encode()), "size": len(config)},
                       "layers": [{"mediaType": OCI_LAYER, "digest": digest_of(layer.encode()), "size": len(layer)}], **more})


def operations(folder, digests):
    """Every method of the SDK, in an order in which all make sense: (what it is, operation, its words). `digests`: of library/hello:v1
    and of the index library/multi:latest on the sample of the fake registry. A file of 9 MiB is written below `folder`."""
    hello, multi, many = {"repository": "library/hello"}, {"repository": "library/multi"}, {"repository": "library/many"}
    mine = {"repository": "samples/mine"}
    big = folder / "nine-mebibytes"
    big.write_bytes(bytes(range(256)) * (9 << 12))
    big_digest = digest_of(big.read_bytes())
    config, layer = '{"architecture":"arm64","os":"linux"}', "a layer of text"
    manifest, other = image(config, layer), image(config, layer, annotations={"org.opencontainers.image.title": "other"})
    lock, unlock = {"canWrite": False, "canDelete": False}, {"canWrite": True, "canDelete": True, "canList": True, "canRead": True}
    return [
        ("list repositories", "listRepositoryNames", {}),
        ("list repositories, two in a page", "listRepositoryNames", {"byPage": True, "pageSize": 2}),
        ("get repository properties", "repository.getProperties", hello),
        ("update repository properties", "repository.updateProperties", {**hello, "changes": {"canDelete": False}}),
        ("update repository properties, all four", "repository.updateProperties", {**hello, "changes": unlock}),
        ("list manifests", "repository.listManifestProperties", multi),
        ("list manifests, newest first", "repository.listManifestProperties", {**multi, "order": "LastUpdatedOnDescending"}),
        ("list manifests, oldest first, by page", "repository.listManifestProperties",
         {**multi, "order": "LastUpdatedOnAscending", "byPage": True, "pageSize": 1}),
        ("get manifest properties by digest", "artifact.getManifestProperties", {**hello, "reference": digests[0]}),
        ("get manifest properties by tag", "artifact.getManifestProperties", {**hello, "reference": "v1"}),
        ("get manifest properties of an index", "artifact.getManifestProperties", {**multi, "reference": digests[1]}),
        ("update manifest properties", "artifact.updateManifestProperties", {**hello, "reference": "v1", "changes": {"canRead": True, "canList": False}}),
        ("get tag properties", "artifact.getTagProperties", {**hello, "reference": "v1", "tag": "latest"}),
        ("update tag properties", "artifact.updateTagProperties", {**hello, "reference": "v1", "tag": "v1", "changes": lock}),
        ("delete a tag that is locked", "artifact.deleteTag", {**hello, "reference": "v1", "tag": "v1"}),
        ("update tag properties, all four", "artifact.updateTagProperties", {**hello, "reference": "v1", "tag": "v1", "changes": unlock}),
        ("list tags", "artifact.listTagProperties", {**hello, "reference": "v1"}),
        ("list 250 tags, newest first", "artifact.listTagProperties", {**many, "reference": "v1", "order": "LastUpdatedOnDescending"}),
        ("list 250 tags, oldest first, by page", "artifact.listTagProperties",
         {**many, "reference": "v1", "order": "LastUpdatedOnAscending", "byPage": True, "pageSize": 100}),
        ("upload a blob of bytes", "uploadBlob", {**mine, "text": config}),
        ("upload an empty blob", "uploadBlob", {**mine, "text": ""}),
        ("upload a layer of bytes", "uploadBlob", {**mine, "text": layer}),
        ("upload a blob of 9 MiB", "uploadBlob", {**mine, "file": str(big)}),
        ("download a blob of 9 MiB", "downloadBlob", {**mine, "digest": big_digest}),
        ("set manifest by tag", "setManifest", {**mine, "text": manifest, "tag": "demo"}),
        ("set manifest by digest", "setManifest", {**mine, "text": other}),
        ("set manifest as an object", "setManifest", {**mine, "object": image(config, layer, annotations={"org.opencontainers.image.title": "an object"}), "tag": "object"}),
        ("get manifest by tag", "getManifest", {**mine, "reference": "demo"}),
        ("get manifest by digest", "getManifest", {**mine, "reference": digest_of(other.encode())}),
        ("get an index", "getManifest", {**multi, "reference": "latest"}),
        ("get properties of what was pushed", "artifact.getManifestProperties", {**mine, "reference": "demo"}),
        ("delete a blob", "deleteBlob", {**mine, "digest": big_digest}),
        ("delete a blob that is not there", "deleteBlob", {**mine, "digest": big_digest}),
        ("delete a manifest", "deleteManifest", {**mine, "digest": digest_of(other.encode())}),
        ("delete a manifest that is not there", "deleteManifest", {**mine, "digest": digest_of(other.encode())}),
        ("delete a tag", "artifact.deleteTag", {**hello, "reference": "v1", "tag": "v1"}),
        ("delete a tag that is not there", "artifact.deleteTag", {**hello, "reference": "v1", "tag": "v1"}),
        ("delete an artifact by tag", "artifact.delete", {**mine, "reference": "demo"}),
        ("delete a repository", "deleteRepository", {"repository": "library/artifact"}),
        ("delete a repository, by its object", "repository.delete", hello),
        ("delete a repository that is not there", "deleteRepository", {"repository": "library/artifact"}),
        ("get properties of no repository", "repository.getProperties", {"repository": "not/there"}),
        ("get properties of no tag", "artifact.getTagProperties", {**multi, "reference": "v1", "tag": "none"}),
        ("get properties of no manifest", "artifact.getManifestProperties", {**multi, "reference": "sha256:" + "0" * 64}),
        ("list manifests of no repository", "repository.listManifestProperties", {"repository": "not/there"}),
        ("get manifest that is not there", "getManifest", {**multi, "reference": "none"}),
        ("download a blob that is not there", "downloadBlob", {**multi, "digest": "sha256:" + "0" * 64}),
        ("set a manifest that names what is not there", "setManifest", {**multi, "text": image("absent", "absent too"), "tag": "broken"}),
    ]


class Beside:
    """Both, each on a fake registry of its own with the same content; every operation is compared and its requests are counted."""

    def __init__(self, sdk, berth, theirs, ours, folder):
        self.probes, self.registries, self.folder = (sdk, berth), (theirs, ours), folder
        self.table = []  # (what, theirs, ours)

    def run(self, what, op, words, fresh=True, credential=TOKEN):
        """What both said (comparable), and how many requests it took each, tokens and redirects with them."""
        said, counts = [], []
        for name, probe, registry in zip(("theirs", "ours"), self.probes, self.registries):
            words = dict(words, endpoint=f"https://{registry.host}", credential=credential, fresh=fresh)
            if op == "downloadBlob":
                words["file"] = str(self.folder / f"download-{name}")
            registry.requests()
            answer = probe.ask(op, **words)
            said.append(comparable(answer, registry.host))
            counts.append(len(registry.requests()))
        self.table.append((what, *counts))
        return said, counts
