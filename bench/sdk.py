#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""berth's client library beside the official SDK for JavaScript: a large blob up and down on docker-registry with TLS and relative
locations, its storage in memory; 10,000 tags with their properties on the fake registry; how many requests each operation takes.

Interleaved, a fresh process for each run; the time is that of the operation without the start of its process, CPU and memory are the
process's. `./dev bench sdk` runs it."""
import argparse
import datetime
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/e2e/programs")]
from registry import Registry  # noqa: E402
from sdk import TOKEN, Beside, Probe, operations  # noqa: E402
from side_by_side import machine, registry_version  # noqa: E402

MIB = 1 << 20
BEGIN, END = "<!-- table: written by ./dev bench sdk -->", "<!-- end of the SDK's table -->"


class Bench:
    def __init__(self, arguments, folder):
        self.bin, self.sdk, self.rounds, self.folder = pathlib.Path(arguments.bin), pathlib.Path(arguments.sdk), arguments.rounds, folder
        self.rows, self.notes = [], []

    def probes(self, ca):
        return {"the SDK": lambda: Probe.sdk(self.sdk, ca=ca), "berth": lambda: Probe.berth(self.bin, ca=ca)}

    def interleave(self, case, ca, run, size=None, others=None):
        """run(probe, who): the seconds of the operation. others: who -> a function that gives seconds, CPU seconds and peak memory."""
        def measured(start, who):
            probe = start()
            try:
                return run(probe, who), *probe.cost()
            finally:
                probe.close()
        contenders = {who: lambda who=who, start=start: measured(start, who) for who, start in self.probes(ca).items()} | (others or {})
        results = {who: [] for who in sorted(contenders, key=lambda who: who != "berth")}
        for turn in range(self.rounds):
            for who in sorted(contenders, reverse=turn % 2 == 1):
                results[who].append(contenders[who]())
                print(f"  {case} {turn + 1}: {who} {results[who][-1][0]:.3f} s", file=sys.stderr)
        medians = {who: [statistics.median(column) for column in zip(*runs)] for who, runs in results.items()}
        for who, runs in results.items():
            walls = [run[0] for run in runs]
            self.rows.append((case, who, medians[who], (min(walls), max(walls)), size, [a / b for a, b in zip(medians[who], medians["berth"])]))

    def blobs(self, size):
        registry = Registry(self.folder / "registry", "tls")
        try:
            file = self.folder / "blob"
            with open(file, "wb") as out:
                for _ in range(size // MIB):
                    out.write(os.urandom(MIB))
            at = {"endpoint": f"https://{registry.host}"}
            digest = registry.push_blob("bench/down", file)["digest"]
            number = [0]
            servers = {}  # CPU seconds of the registry's process, by case and client

            def registry_cpu():
                fields = pathlib.Path(f"/proc/{registry.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
                return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

            def asked(probe, op, **words):
                answer = probe.ask(op, **at, **words)
                if "value" not in answer or answer["value"]["digest"] != digest:
                    raise RuntimeError(f"{op}: {answer}")
                return answer["seconds"]

            def upload(probe, who):
                number[0] += 1  # a repository of its own, or the registry would have it already
                before = registry_cpu()
                seconds = asked(probe, "uploadBlob", repository=f"bench/up{number[0]}", file=str(file))
                servers.setdefault(who, []).append(registry_cpu() - before)
                return seconds

            def download(probe, _):
                target = self.folder / "downloaded"
                seconds = asked(probe, "downloadBlob", repository="bench/down", digest=digest, file=str(target))
                target.unlink()
                return seconds

            def by_curl():
                """What the registry takes: one PUT of a file whose digest is known beforehand."""
                number[0] += 1
                curl = ["curl", "-sf", "--cacert", str(registry.ca)]
                begun = subprocess.run([*curl, "-X", "POST", "-D", "-", "-o", "/dev/null", f"https://{registry.host}/v2/bench/up{number[0]}/blobs/uploads/"],
                                       capture_output=True, text=True, check=True).stdout
                place = next(line.split(": ", 1)[1].strip() for line in begun.splitlines() if line.lower().startswith("location:"))
                process = subprocess.Popen([*curl, "-H", "Expect:", "-H", "Content-Type: application/octet-stream", "-o", "/dev/null", "-w", "%{time_total}",
                                            "-T", str(file), f"https://{registry.host}{place}&digest={digest}"], stdout=subprocess.PIPE, text=True)
                said = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
                if os.waitstatus_to_exitcode(status) != 0:
                    raise RuntimeError("curl failed")
                return float(said), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024

            self.interleave(f"upload of a file of {size // MIB} MiB", registry.ca, upload, size, {"curl, one PUT": by_curl})
            said = ", ".join(f"{who} {statistics.median(runs):.2f} s" for who, runs in servers.items())
            self.notes.append(f"CPU time of docker-registry itself for one upload, nearly all of it one thread's after another: {said}.")
            self.interleave(f"download of {size // MIB} MiB to a file", registry.ca, download, size)
        finally:
            registry.close()

    def fake(self, *arguments):
        from harness import FakeRegistry
        return FakeRegistry(self.folder, "--acr", "--tls", "--auth", "bearer", "--entra", TOKEN, *arguments)

    def tags(self, count):
        registry = self.fake("--tags", count)
        try:
            words = {"endpoint": f"https://{registry.host}", "credential": TOKEN, "repository": "library/many", "reference": "v1",
                     "count": True}

            def listed(probe, _):
                answer = probe.ask("artifact.listTagProperties", **words)
                if answer["value"]["count"] != count:
                    raise RuntimeError("a list of another length")
                return answer["seconds"]

            self.interleave(f"{count:,} tags with their properties", registry.said["ca"], listed)
        finally:
            registry.close()

    def requests(self):
        """One line for each operation: alone, in a client of its own; and in its turn, by one client for all."""
        counted = {}
        for fresh in (True, False):
            theirs, ours = (self.fake("--sample", "--tags", "250") for _ in range(2))
            probes = [Probe.sdk(self.sdk, ca=theirs.said["ca"]), Probe.berth(self.bin, ca=ours.said["ca"])]
            try:
                def digest(repository, tag):
                    return probes[1].ask("artifact.getTagProperties", endpoint=f"https://{ours.host}", credential=TOKEN, repository=repository,
                                         reference=tag, tag=tag)["value"]["digest"]
                beside = Beside(*probes, theirs, ours, self.folder)
                for what, op, words in operations(self.folder, (digest("library/hello", "v1"), digest("library/multi", "latest"))):
                    (one, other), counts = beside.run(what, op, words, fresh=fresh)
                    if one != other:
                        raise RuntimeError(f"{what}: {one} and {other}")
                    counted.setdefault(what, []).extend(counts)
            finally:
                for each in (*probes, theirs, ours):
                    each.close()
        return counted


def cost_table(rows):
    lines = ["| case | who | s, median | best – worst | CPU s | CPU s/GB | MB/s | peak MiB | berth is |", "|---|---|---|---|---|---|---|---|---|"]
    for case, who, (wall, cpu, peak), (best, worst), size, ratio in rows:
        gb = size / 1e9 if size else None
        lines.append(f"| {case if who == 'berth' else ''} | {who} | {wall:.3f} | {best:.3f} – {worst:.3f} | {cpu:.2f} | "
                     f"{f'{cpu / gb:.2f}' if gb else '–'} | {f'{size / wall / 1e6:.0f}' if gb else '–'} | {peak / MIB:.0f} | "
                     f"{f'{ratio[0]:.2f} times as fast, in 1/{ratio[2]:.1f} of the memory' if who != 'berth' else '–'} |")
    return "\n".join(lines)


def request_table(counted):
    lines = ["| operation | the SDK, alone | berth, alone | the SDK, in turn | berth, in turn |", "|---|---|---|---|---|"]
    lines += [f"| {what} | {' | '.join(map(str, counts))} |" for what, counts in counted.items()]
    totals = [sum(column) for column in zip(*counted.values())]
    return "\n".join(lines + [f"| all of them | {' | '.join(map(str, totals))} |"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/release/bin", help="where acr-probe and fake-registry are")
    parser.add_argument("--sdk", default="build/peers/sdk", help="where tests/peers_sdk.sh put the SDK")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=512, help="of the blob, MiB")
    parser.add_argument("--tags", type=int, default=10_000)
    parser.add_argument("--case", action="append", choices=["blobs", "tags", "requests"], help="this one alone; more than once for more")
    parser.add_argument("--readme", help="write the tables into this file")
    arguments = parser.parse_args()
    if not pathlib.Path(arguments.sdk, "fetched-lock.json").exists():
        print("bench/sdk.py: not run: the official SDK is not fetched (tests/peers_sdk.sh)", file=sys.stderr)
        return
    os.environ["BERTH_BIN"] = str(pathlib.Path(arguments.bin).absolute())
    arguments.sdk = str(pathlib.Path(arguments.sdk).absolute())
    shm = "/dev/shm" if shutil.disk_usage("/dev/shm").free > 16 * arguments.size * MIB else None
    with tempfile.TemporaryDirectory(dir=shm, prefix="berth-bench-") as name:
        bench = Bench(arguments, pathlib.Path(name))
        wanted = arguments.case or ["blobs", "tags", "requests"]
        if "blobs" in wanted:
            bench.blobs(arguments.size * MIB)
        if "tags" in wanted:
            bench.tags(arguments.tags)
        counted = bench.requests() if "requests" in wanted else {}
    node = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout.strip()
    notes = "".join(f"- {note}\n" for note in bench.notes) + ("\n" if bench.notes else "")
    text = (f"Measured on {datetime.date.today()}, {machine()}, load {os.getloadavg()[0]:.1f} at the end; docker-registry {registry_version()} with TLS on "
            f"loopback, {'its storage and all files in memory' if shm else 'on disk'}; @azure/container-registry 1.1.2, Node {node}; {arguments.rounds} "
            f"interleaved rounds.\n\n{cost_table(bench.rows)}\n\n{notes}Requests, those for tokens and redirects included:\n\n{request_table(counted)}")
    print(text)
    if arguments.readme and not arguments.case:
        path = pathlib.Path(arguments.readme)
        head, rest = path.read_text().split(BEGIN, 1)
        path.write_text(head + BEGIN + "\n\n" + text + "\n\n" + END + rest.split(END, 1)[1])


if __name__ == "__main__":
    main()
