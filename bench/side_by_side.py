#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs berth and its peers interleaved against one docker-registry on loopback, and prints medians and ratios.

Every case has rounds; in each round every contender runs once, in an order that rotates, so that a noisy minute hits
them alike. Wall time and user+sys CPU of the contender's whole process tree are taken by wait4 (its peak memory would
include this interpreter's, from before exec).
What is written goes to fresh folders and is deleted after each round, so that the next one finds memory that was in use
before: a virtual machine's fresh memory costs more than what is measured.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
from registry import Registry, die_with_parent, free_port  # noqa: E402

GIB = 1 << 30
MIB = 1 << 20


class Measured:
    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu


def run_timed(argv, env=None, stdout=subprocess.DEVNULL):
    """One program (a list, or a shell line) to its end. CPU includes its children."""
    if isinstance(argv, str):
        argv = ["bash", "-c", "set -eo pipefail; " + argv]
    start = time.perf_counter()
    process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
    error = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{argv}: exit {process.returncode}: {error.decode(errors='replace')[-500:]}")
    return Measured(wall, usage.ru_utime + usage.ru_stime)


class Throttle:
    """nginx on loopback before a registry, with a limit for each connection."""

    def __init__(self, folder, registry, rate):
        folder.mkdir()
        self.host = f"127.0.0.1:{free_port()}"
        self.config = folder / "nginx.conf"
        self.config.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{}}\nhttp {{ access_log off; client_body_temp_path {folder}/body;\n"
            f"proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
            f"server {{ listen {self.host}; location / {{ proxy_pass http://{registry.host}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n"
            f"proxy_max_temp_file_size 0; limit_rate {rate}; }} }} }}\n")

    def __enter__(self):
        self.process = subprocess.Popen(["nginx", "-c", str(self.config)], stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        for _ in range(100):
            try:
                socket.create_connection(self.host.split(":"), 1).close()
                return self.host
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("nginx did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, arguments, folder):
        self.bin = pathlib.Path(arguments.bin)
        self.peers = pathlib.Path(arguments.peers).absolute()
        self.rounds = arguments.rounds
        self.folder = folder
        self.registry = Registry(folder / "registry")
        self.rows = []
        self.notes = []
        self.count = 0
        self.env = dict(os.environ, BERTH_TOKENS=str(folder / "tokens"), DOCKER_CONFIG=str(folder / "docker"))
        self.mounts = []

    # Content, pushed once.
    def prepare(self):
        random = self.folder / "random"
        # Looks compressed by its first bytes, every 16 MiB: skopeo compresses what does not.
        magic = b"\x1f\x8b\x08"
        with open(random, "wb") as file:
            for piece in range(1024):
                file.write(magic + os.urandom(MIB - 3) if piece % 16 == 0 else os.urandom(MIB))
        self.plain = random
        self.one = self.registry.push_blob("bench/one", random)
        self.registry.push_image("bench/one", ["v1"], [self.one])
        layers = []
        with open(random, "rb") as file:
            for _ in range(64):
                layers.append(self.registry.push_blob("bench/many", file.read(16 * MIB)))
        self.registry.push_image("bench/many", ["v1"], layers)
        tags = [f"v{n:04}" for n in range(2000)]
        self.registry.push_image("bench/tags", tags, [self.registry.push_blob("bench/tags", b"layer")])

    def fresh(self, name):
        self.count += 1
        return self.folder / "out" / f"{name}-{self.count}"

    def tool(self, name):
        path = self.peers / name
        return str(path) if path.exists() else shutil.which(name)

    def berth_env(self, cache):
        return dict(self.env, BERTH_CACHE=str(cache))

    def interleave(self, case, contenders, size=None, rounds=None):
        """contenders: name -> callable that runs once and gives Measured (or None: not here)."""
        results = {name: [] for name in contenders}
        names = list(contenders)
        for turn in range(rounds or self.rounds):
            for name in names[turn % len(names):] + names[:turn % len(names)]:
                results[name].append(contenders[name]())
                print(f"  {case} {turn + 1}: {name} {results[name][-1].wall:.3f} s", file=sys.stderr)
            self.forget_output()
        self.report(case, results, size)

    def forget_output(self):
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        (self.folder / "out").mkdir()

    def report(self, case, results, size):
        first = next(iter(results))
        base = statistics.median(m.wall for m in results[first])
        for name, runs in results.items():
            walls = sorted(m.wall for m in runs)
            row = {"case": case, "who": name, "wall": statistics.median(walls), "best": walls[0], "worst": walls[-1],
                   "cpu": statistics.median(m.cpu for m in runs),
                   "ratio": statistics.median(walls) / base, "rounds": len(runs), "size": size}
            self.rows.append(row)

    # Cases.
    def pull(self, repository, case, host=None, rounds=None, size=GIB):
        host, rounds = host or self.registry.host, rounds or self.rounds

        def berth():
            return run_timed([str(self.bin / "berth"), "cp", f"{host}/{repository}:v1", f"oci:{self.fresh('berth-layout')}:v1"],
                             self.berth_env(self.fresh("berth-cache")))
        contenders = {"berth cp": berth}
        if self.tool("oras"):
            contenders["oras cp"] = lambda: run_timed(
                [self.tool("oras"), "cp", "--from-plain-http", "--to-oci-layout", f"{host}/{repository}:v1", f"{self.fresh('oras')}:v1"], self.env)
        if self.tool("crane"):
            contenders["crane pull"] = lambda: run_timed(
                [self.tool("crane"), "pull", "--insecure", "--format", "oci", f"{host}/{repository}:v1", str(self.fresh("crane"))], self.env)
        if self.tool("skopeo"):
            contenders["skopeo copy"] = lambda: run_timed(
                ["skopeo", "copy", "-q", "--src-tls-verify=false", f"docker://{host}/{repository}:v1", f"oci:{self.fresh('skopeo')}:v1"], self.env)
        (self.folder / "out").mkdir(exist_ok=True)
        self.interleave(case, contenders, size, rounds)

    def case_pull_one(self):
        self.pull("bench/one", "pull, 1 layer of 1 GiB, to an OCI layout")

    def case_pull_many(self):
        self.pull("bench/many", "pull, 64 layers of 16 MiB, to an OCI layout")

    def case_pull_slow(self):
        """A server that bounds each connection, as many storages and networks do: nginx before the registry."""
        if not shutil.which("nginx"):
            return
        with Throttle(self.folder / "nginx", self.registry, "24m") as host, open(self.plain, "rb") as file:
            layer = self.registry.push_blob("bench/slow", file.read(192 * MIB))
            self.registry.push_image("bench/slow", ["v1"], [layer])
            self.pull("bench/slow", "pull, 1 layer of 192 MiB, 24 MiB/s a connection, to an OCI layout", host, min(self.rounds, 3), 192 * MIB)

    def mount(self, cache):
        mnt = self.fresh("mnt")
        mnt.mkdir(parents=True)
        subprocess.run([str(self.bin / "berth"), "mount", self.registry.host, str(mnt)], env=self.berth_env(cache), check=True)
        self.mounts.append(mnt)
        return mnt

    def unmount(self, mnt):
        for _ in range(50):
            if subprocess.run([str(self.bin / "berth"), "unmount", str(mnt)], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        self.mounts.remove(mnt)
        # The daemon syncs and ends after the unmount returns: the next timed run must not pay for it.
        for _ in range(200):
            if not self.daemon_pids(mnt):
                break
            time.sleep(0.05)

    @staticmethod
    def daemon_pids(mnt):
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if line and line[0].endswith(b"berthfs") and str(mnt).encode() in line:
                    found.append(int(entry.name))
        return found

    def high_water(self, mnt):
        pids = self.daemon_pids(mnt)
        if not pids:
            return 0
        match = re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pids[0]}/status").read_text())
        return int(match.group(1)) * 1024

    def case_mount(self):
        blob = f"bench/one/.blobs/sha256/{self.one['digest'].split(':')[1]}"
        results = {k: {} for k in ("cold", "second", "remount")}
        water = 0
        host = self.registry.host

        def add(case, name, measured):
            results[case].setdefault(name, []).append(measured)
            print(f"  mount {case}: {name} {measured.wall:.3f} s", file=sys.stderr)

        for turn in range(self.rounds):
            cache = self.fresh("cache")
            mnt = self.mount(cache)

            def cold():
                return self.timed_in(mnt, ["cat", str(mnt / blob)])
            target = self.fresh("oras-blob")
            target.parent.mkdir(exist_ok=True)
            peers = []
            if self.tool("oras"):
                peers.append(("oras blob fetch, then cat", lambda: run_timed(
                    f"{self.tool('oras')} blob fetch --plain-http --output {target} {host}/bench/one@{self.one['digest']} && cat {target} >/dev/null", self.env)))
            peers.append(("curl, then openssl", lambda: run_timed(
                f"curl -s -o {target}.curl http://{host}/v2/bench/one/blobs/{self.one['digest']} && openssl dgst -sha256 {target}.curl >/dev/null", self.env)))
            order = [("cat through the mount", cold)] + peers
            for name, one in order[turn % len(order):] + order[:turn % len(order)]:
                add("cold", name, one())
            water = max(water, self.high_water(mnt))
            for name, path in (("cat through the mount", mnt / blob), ("cat of the plain file", self.plain))[::1 if turn % 2 else -1]:
                add("second", name, self.timed_in(mnt, ["cat", str(path)]))
            self.unmount(mnt)
            mnt = self.mount(cache)
            for name, path in (("cat through the mount", mnt / blob), ("cat of the plain file", self.plain))[::1 if turn % 2 else -1]:
                add("remount", name, self.timed_in(mnt, ["cat", str(path)]))
            water = max(water, self.high_water(mnt))
            self.unmount(mnt)
            self.forget_output()
        self.report_first("1 GiB blob, cold, through the mount", results["cold"], GIB)
        self.report_first("the same, read again", results["second"], GIB)
        self.report_first("the same, first read after a remount", results["remount"], GIB)
        self.notes.append("CPU of reads through the mount: cat's and berthfs's together.")
        self.notes.append(f"Memory high-water mark of berthfs over all of these: {water / MIB:.1f} MiB.")

    def timed_in(self, mnt, argv, env=None):
        """A program that reads a mount: berthfs's CPU meanwhile is a part of what it costs."""
        before = self.daemon_cpu(mnt)
        measured = run_timed(argv, env)
        measured.cpu += self.daemon_cpu(mnt) - before
        return measured

    def daemon_cpu(self, mnt):
        pids = self.daemon_pids(mnt)
        if not pids:
            return 0.0
        fields = pathlib.Path(f"/proc/{pids[0]}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def report_first(self, case, results, size):
        ordered = {"cat through the mount": results["cat through the mount"]}
        ordered.update(results)
        self.report(case, ordered, size)

    def case_list(self):
        """`ls` of 2,000 tags: time and requests, through the mount and as peers list."""
        results = {}
        requests = {}

        def add(case, name, measured, before):
            results.setdefault(case, {}).setdefault(name, []).append(measured)
            if before is not None:
                requests[(case, name)] = self.registry.requests() - before

        # A colour for links that lead nowhere, as Debian's dircolors sets one, makes ls look where each leads.
        coloured = dict(os.environ, LS_COLORS="ln=01;36:or=40;31;01")

        def through_a_mount(*commands):
            """Each command in a fresh mount, and then again."""
            mnt = self.mount(self.fresh("cache"))
            for command in commands:
                for time in ("first", "again"):
                    before = self.registry.requests()
                    add(f"{command[0]} of 2,000 tags{command[1]}, {time}", "through the mount", self.timed_in(mnt, f"{command[0]} {mnt}/bench/tags | wc -l", coloured), before)
            self.unmount(mnt)

        there = f"{self.registry.host}/bench/tags"
        peers = [(f"{name} {words}", f"{self.tool(name)} {line} {there} | wc -l") for name, words, line in
                 (("crane", "ls", "ls --insecure"), ("oras", "repo tags", "repo tags --plain-http")) if self.tool(name)]
        peers.append(("skopeo list-tags", f"skopeo list-tags --tls-verify=false docker://{there} | wc -l"))
        for _ in range(self.rounds):
            through_a_mount(("ls", " in a pipe"), ("ls -l", ""))
            through_a_mount(("ls --color=always", ""))  # a cache of its own: the links that ls -l read are remembered
            for name, line in peers:
                before = self.registry.requests()
                add("ls of 2,000 tags in a pipe, first", name, run_timed(line, self.env), before)
        for case, by_name in results.items():
            self.report(case, by_name, None)
        for (case, name), number in requests.items():
            self.notes.append(f"Requests, {case}, {name}: {number}.")
        shutil.rmtree(self.folder / "out", ignore_errors=True)

    def case_cached_manifest(self):
        cache = self.folder / "manifest-cache"
        place = f"{self.registry.host}/bench/tags:v0000/manifest.json"
        env = self.berth_env(cache)
        run_timed([str(self.bin / "berth"), "cat", place], env)
        before = self.registry.requests()
        run_timed([str(self.bin / "berth"), "cat", place], env)
        self.notes.append(f"Requests of `berth cat` of a cached manifest: {self.registry.requests() - before}.")
        contenders = {"berth cat": lambda: run_timed([str(self.bin / "berth"), "cat", place], env)}
        if self.tool("crane"):
            contenders["crane manifest"] = lambda: run_timed([self.tool("crane"), "manifest", "--insecure", f"{self.registry.host}/bench/tags:v0000"], self.env)
        if self.tool("oras"):
            contenders["oras manifest fetch"] = lambda: run_timed(
                [self.tool("oras"), "manifest", "fetch", "--plain-http", f"{self.registry.host}/bench/tags:v0000"], self.env)
        contenders["skopeo --version"] = lambda: run_timed(["skopeo", "--version"], self.env)
        self.interleave("a cached manifest on the command line", contenders, None, 4 * self.rounds)

    def case_verify(self):
        cache = self.folder / "verify-cache"
        env = self.berth_env(cache)
        run_timed([str(self.bin / "berth"), "cp", f"{self.registry.host}/bench/one:v1", f"oci:{self.folder / 'verify-layout'}:v1"], env)
        self.interleave("verify a cached blob of 1 GiB", {
            "berth cache verify": lambda: run_timed([str(self.bin / "berth"), "cache", "verify"], env),
            "openssl dgst": lambda: run_timed(["openssl", "dgst", "-sha256", str(self.plain)])}, GIB)

    def close(self):
        for mnt in list(self.mounts):
            subprocess.run(["umount", "-l", str(mnt)], capture_output=True)
        self.registry.close()


def table(bench):
    lines = ["| case | who | wall s, median | best – worst | CPU s/GB | MB/s | berth is |", "|---|---|---|---|---|---|---|"]
    last = None
    for row in bench.rows:
        case = row["case"] if row["case"] != last else ""
        last = row["case"]
        gb = row["size"] / 1e9 if row["size"] else None
        cpu = f"{row['cpu'] / gb:.2f}" if gb else "–"
        rate = f"{row['size'] / row['wall'] / 1e6:.0f}" if gb else "–"
        ratio = "–" if row["ratio"] == 1 else f"{row['ratio']:.2f} times as fast"
        lines.append(f"| {case} | {row['who']} | {row['wall']:.3f} | {row['best']:.3f} – {row['worst']:.3f} | {cpu} | {rate} | "
                     f"{ratio} |")
    return "\n".join(lines)


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores of {model.group(1) if model else platform.machine()}, Linux {platform.release().split('-')[0]}"


def update_readme(path, text):
    path = pathlib.Path(path)
    begin, end = "<!-- table: written by ./dev bench -->", "<!-- end of table -->"
    old = path.read_text() if path.exists() else f"{begin}\n{end}\n"
    head, rest = old.split(begin, 1)
    path.write_text(head + begin + "\n\n" + text + "\n\n" + end + rest.split(end, 1)[1])


def main():
    cases = [name[5:] for name in dir(Bench) if name.startswith("case_")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, help="where berth and berthfs are")
    parser.add_argument("--peers", default="", help="where oras and crane are")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readme", help="write the table into this file")
    parser.add_argument("--json", help="write the rows into a file of this folder")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="of " + ", ".join(cases))
    arguments = parser.parse_args()
    for case in arguments.cases:
        if case not in cases:
            parser.error(f"no case {case}: there are {', '.join(cases)}")
    pathlib.Path("build/bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="build/bench") as name:
        bench = Bench(arguments, pathlib.Path(name).absolute())
        try:
            bench.prepare()
            for case in arguments.cases or ["pull_one", "pull_many", "pull_slow", "mount", "list", "cached_manifest", "verify"]:
                getattr(bench, "case_" + case)()
        finally:
            bench.close()
    text = (f"Measured on {datetime.date.today()}, {machine()}, load {os.getloadavg()[0]:.1f} at the end; docker-registry "
            f"{registry_version()} on loopback, on the same cores; {arguments.rounds} interleaved rounds.\n\n" + table(bench) +
            "\n\n" + "\n".join("- " + note for note in bench.notes))
    print(text)
    if arguments.readme and not arguments.cases:
        update_readme(arguments.readme, text)
    if arguments.json:
        pathlib.Path(arguments.json, "side_by_side.json").write_text(json.dumps(bench.rows, indent=1))


def registry_version():
    out = subprocess.run(["docker-registry", "--version"], capture_output=True, text=True).stdout
    match = re.search(r"\d+\.\d+\.\d+", out)
    return match.group(0) if match else ""


if __name__ == "__main__":
    main()
