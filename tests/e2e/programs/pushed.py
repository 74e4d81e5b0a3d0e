# SPDX-License-Identifier: Apache-2.0
"""A registry that holds what real tools pushed: skopeo copies images out of a registry beside it, oras pushes artifacts and tags."""
import gzip
import json
import os
import pathlib
import subprocess

from harness import tool
from registry import OCI_INDEX, OCI_MANIFEST

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
ARM = {"os": "linux", "architecture": "arm64", "variant": "v8"}
AMD = {"os": "linux", "architecture": "amd64"}
ACCEPT = {"Accept": ", ".join([OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST])}


def oras(registry, verb, *arguments, cwd=None):
    transport = ["--insecure"] if registry.ca else ["--plain-http"]
    login = ["--username", "alice", "--password", "wonder"] if registry.kind in ("htpasswd", "token") else []
    words = verb if isinstance(verb, list) else [verb]
    subprocess.run([tool("oras"), *words, *transport, *login, *map(str, arguments)], cwd=cwd, check=True, capture_output=True)


def skopeo_copy(source, destination, *options, registry=None):
    """`registry`: where the destination is, if that is one."""
    login = ["--dest-creds", "alice:wonder"] if registry is not None and registry.kind in ("htpasswd", "token") else []
    layout = destination.startswith("oci:")
    subprocess.run([tool("skopeo"), "copy", "-q", "--all", "--src-tls-verify=false", *([] if layout else ["--dest-tls-verify=false"]), *login, *options,
                    source, destination], check=True, capture_output=True)


def compressed(size):
    return gzip.compress(os.urandom(size), 1)  # skopeo compresses what is not


def push_images(registry, source):
    """An index of two platforms, a Docker schema 2 image, and `a` with a tag `b` beside a repository `a/b`; made in `source`."""
    layer = compressed(300_000)
    amd = source.push_image("app", [], [layer, compressed(5_000_000)])
    arm = source.push_image("app", [], [layer], {"architecture": "arm64", "variant": "v8"})
    source.push_index("app", ["v1"], [(AMD, amd), (ARM, arm)])
    source.push_image("old", ["v1"], [compressed(1000)])
    for number, names in enumerate((("a:b", "a:other"), ("a/b:latest",))):
        source.push_image("tiny", [f"v{number}"], [compressed(100 + number)])
        for name in names:
            skopeo_copy(f"docker://{source.host}/tiny:v{number}", f"docker://{registry.host}/{name}", registry=registry)
    skopeo_copy(f"docker://{source.host}/app:v1", f"docker://{registry.host}/multi/app:v1", registry=registry)
    skopeo_copy(f"docker://{source.host}/old:v1", f"docker://{registry.host}/legacy/schema2:old", "--format", "v2s2", registry=registry)


def push_artifact(registry, folder):
    """One of several titled files, one of them empty. Gives the folder they are in."""
    work = pathlib.Path(folder) / "artifact"
    (work / "weights").mkdir(parents=True)
    (work / "model.json").write_text('{"layers": 12}\n')
    (work / "weights/part-0.bin").write_bytes(os.urandom(4_500_000))
    (work / "empty.txt").write_bytes(b"")
    oras(registry, "push", "--artifact-type", "application/vnd.example.model", f"{registry.host}/models/tiny:2024",
         "model.json", "weights/part-0.bin", "empty.txt", cwd=work)
    return work


def push_tags(registry, repository, tag, names):
    oras(registry, "tag", f"{registry.host}/{repository}:{tag}", *names)


def multiply(registry, folder, name, count):
    """Repositories FOLDER/NAME0001...: pushing thousands takes minutes, so the files of the one that was pushed are linked in the registry's storage."""
    data = registry.folder / "data/docker/registry/v2/repositories" / folder
    files = [path.relative_to(data / name) for path in (data / name).rglob("*") if path.is_file()]
    for number in range(1, count):
        copy = data / f"{name}{number:04}"
        for file in files:
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            os.link(data / name / file, copy / file)


def repositories(registry):
    """Every one that the registry lists."""
    found, page = [], "/v2/_catalog?n=1000"
    while page:
        _, headers, raw = registry.request("GET", page, scope="registry:catalog:*")
        found += json.loads(raw)["repositories"]
        page = headers.get("link", "").split(">")[0].lstrip("<") or None
    return found


def manifests(registry, repository):
    """digest -> raw, of everything that its tags reach."""
    found, scope = {}, f"repository:{repository}:pull"
    queue = json.loads(registry.request("GET", f"/v2/{repository}/tags/list", scope=scope)[2])["tags"]
    if len(queue) > 100:
        queue = queue[:3]  # tags of one image
    while queue:
        _, headers, raw = registry.request("GET", f"/v2/{repository}/manifests/{queue.pop()}", headers=ACCEPT, scope=scope)
        found[headers["docker-content-digest"]] = raw
        queue += [child["digest"] for child in json.loads(raw).get("manifests", [])]
    return found
