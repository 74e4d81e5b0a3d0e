# SPDX-License-Identifier: Apache-2.0
"""The tools of docs/credentials.md: what is run is what stands there, with the name of a real registry in it."""
import os
import pathlib
import re
import shlex

from harness import ROOT, tool

DOCUMENT = ROOT / "docs/credentials.md"
# What each needs besides, because the registry is on this machine and speaks plain http.
LOOPBACK = {"docker, no daemon": "--insecure", "buildx": "--raw", "podman": "--tls-verify=false", "buildah": "--tls-verify=false",
            "skopeo": "--tls-verify=false --raw", "oras": "--plain-http", "crane": "--insecure"}
# What says that the registry gave what it was asked for.
SIGNS = {"docker": "Downloaded newer image|Image is up to date", "podman": "[0-9a-f]{64}", "buildah": "[0-9a-f]{64}", "oras": "Downloaded ",
         "ctr": "done: ", "curl": '"tags":'}


def rows(second):
    """The cells of the table whose first column is `tool` and whose second one is this."""
    table = re.search(rf"^\| tool \| {re.escape(second)} \|.*\n\| -.*\n((?:\|.*\n)+)", DOCUMENT.read_text(), re.M).group(1)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def documented():
    """Tool -> the two lines: which set it up, which use it."""
    return {name: (set_up.strip("`"), use.strip("`")) for name, set_up, use in rows("set up")}


def set_up(case, name, host, only=False):
    """Runs the first line; `only` for this registry. A login is made by the test itself."""
    words = shlex.split(documented()[name][0])
    if words[:2] == ["berth", "setup"]:
        case.berth(*words[1:], "--yes", *(["--registry", host] if only else []))
    if name == "buildx":
        link_buildx(case)


def of_host(text, host):
    """lib/app of this registry, in plain http."""
    text = text.replace("https://registry", "http://registry").replace("registry.example.com/app", f"{host}/lib/app")
    return text.replace("/v2/app/", "/v2/lib/app/").replace("registry.example.com", host)


def hosts_script(host):
    """What has containerd's own files carry a token."""
    return of_host(re.search(r"^```sh\n((?:(?!```).*\n)+ctr image pull --hosts-dir.*\n)```", DOCUMENT.read_text(), re.M).group(1), host)


def use(name, host):
    """The second line, for lib/app:v1 of this registry: a shell runs it, as somebody's own would."""
    line = of_host(documented()[name][1], host)
    tool(line.split()[0])
    # Some take options before the image alone.
    return ["sh", "-c", re.sub(rf"(\S*{re.escape(host)}/lib/app:v1)", rf"{LOOPBACK.get(name, '')} \1", line)]


def sign(name):
    return SIGNS.get(name, "schemaVersion")


def link_buildx(case):
    """docker looks for its plugins in folders of its own; this one is fetched."""
    plugins = pathlib.Path(case.home / ".docker/cli-plugins")
    plugins.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(plugins / "docker-buildx"):
        (plugins / "docker-buildx").symlink_to(tool("docker-buildx"))
