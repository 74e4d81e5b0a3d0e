#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth beside docker-credential-pass and -secretservice: wall time of one process, from exec to its end.

usage: helpers.py --bin DIR [--rounds N] [--readme FILE]
Contenders run one after the other in each round, in an order that rotates. `get` of berth is of a credential in its
file, and of a token of Entra ID that is kept; the others print their version, the least that they can do. Before that 64
processes ask at once for a token that nobody has, of a fake Azure container registry, with `berth` and a fake `az` beside
them: the exchanges that reach the registry are counted. --readme writes the table between its marks in that file.
Exits with 1 when `get` takes more than 1 ms or is not twice as fast as docker-credential-pass's `version`.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from side_by_side import machine

TOKEN = "an-entra-id-token"
BEGIN, END = "<!-- table: written by bench/helpers.py -->", "<!-- end of the helpers' table -->"


def run_once(argv, env, stdin):
    """posix_spawn and not fork: this interpreter's memory is no part of what is measured."""
    actions = [(os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    start = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, env, file_actions=actions)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"{argv} failed: {status}")
    return wall * 1000, (usage.ru_utime + usage.ru_stime) * 1000


class FakeAcr:
    """A registry on loopback whose exchange takes TOKEN."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "--acr", "--auth", "bearer", "--entra", TOKEN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.host = self.process.stdout.readline().split()[1].removeprefix("http://")

    def exchanges(self):
        """POSTs to /oauth2/exchange since the last such question."""
        self.process.stdin.write("requests\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("["):
                return sum(method == "POST" and "/oauth2/exchange" in target for _, method, target in json.loads(line))
        raise RuntimeError("the fake registry ended")

    def close(self):
        self.process.communicate()


def prepare(folder, programs, acr):
    home = folder / "home"
    config = home / ".config/berth/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[credential]\nstore = "file"\n[registry."{acr.host}"]\nplain_http = true\nacr = true\n')
    installed = folder / "bin"
    installed.mkdir()
    shutil.copy(programs / "docker-credential-berth", installed)
    (installed / "berth").symlink_to((programs / "berth").resolve())
    az = installed / "az"
    az.write_text(f"#!/bin/sh\necho '{json.dumps({'accessToken': TOKEN, 'expires_on': int(time.time()) + 3600})}'\n")
    az.chmod(0o755)
    env = {"HOME": str(home), "PATH": f"{installed}:{os.environ['PATH']}", "BERTH_TOKENS": str(folder / "tokens"),
           "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}
    own = str(installed / "docker-credential-berth")
    subprocess.run([own, "store"], env=env, check=True, text=True,
                   input=json.dumps({"ServerURL": "r.example", "Username": "alice", "Secret": "wonder"}))
    (folder / "store").write_text("r.example")
    (folder / "acr").write_text(acr.host)
    return own, env


def ask_at_once(own, env, folder, acr, count=64):
    acr.exchanges()
    running = []
    for _ in range(count):
        with open(folder / "acr", encoding="utf-8") as stdin:
            running.append(subprocess.Popen([own, "get"], env=env, stdin=stdin, stdout=subprocess.DEVNULL))
    if any([process.wait() for process in running]):
        raise RuntimeError("a process failed")
    return acr.exchanges()


def measure(contenders, env, rounds):
    times = {who: [] for who in contenders}
    names = list(contenders)
    for turn in range(rounds):
        for who in names[turn % len(names):] + names[:turn % len(names)]:
            times[who].append(run_once(contenders[who][0], env, contenders[who][1]))
    return times


def table(times, exchanges, rounds):
    lines = [f"Measured on {datetime.date.today()}, {machine()}, load {os.getloadavg()[0]:.1f} at the end; {rounds} interleaved rounds.", "",
             "| who | median ms | best ms | median ms of CPU |", "| --- | --- | --- | --- |"]
    for who, each in times.items():
        walls, cpus = zip(*each)
        lines.append(f"| {who} | {statistics.median(walls):.2f} | {min(walls):.2f} | {statistics.median(cpus):.2f} |")
    lines += ["", f"64 processes at once, for a token that nobody has: exchanges at the registry: {exchanges}."]
    return "\n".join(lines)


def write_readme(path, text):
    path = pathlib.Path(path)
    head, rest = path.read_text().split(BEGIN, 1)
    path.write_text(f"{head}{BEGIN}\n\n{text}\n\n{END}{rest.split(END, 1)[1]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--readme", help="write the table into this file")
    arguments = parser.parse_args()
    programs = pathlib.Path(arguments.bin).absolute()
    acr = FakeAcr(programs / "fake-registry")
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            own, env = prepare(folder, programs, acr)
            exchanges = ask_at_once(own, env, folder, acr)
            contenders = {"berth get, its file": ([own, "get"], folder / "store"), "berth get, a kept token": ([own, "get"], folder / "acr")}
            for peer in ("pass", "secretservice"):
                if program := shutil.which(f"docker-credential-{peer}"):
                    contenders[f"docker-credential-{peer} version"] = ([program, "version"], folder / "store")
            times = measure(contenders, env, arguments.rounds)
    finally:
        acr.close()
    text = table(times, exchanges, arguments.rounds)
    print(text)
    if arguments.readme:
        write_readme(arguments.readme, text)
    medians = {who: statistics.median(wall for wall, _ in each) for who, each in times.items()}
    slowest = max(median for who, median in medians.items() if who.startswith("berth"))
    peer = medians.get("docker-credential-pass version")
    fine = slowest <= 1.0 and exchanges == 1 and (peer is None or slowest * 2 <= peer)
    print("as promised" if fine else "NOT as promised: one exchange, at most 1 ms, and twice as fast as docker-credential-pass's version")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
