#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docker-credential-berth beside docker-credential-pass and -secretservice: wall time of one process, from exec to its end.

usage: helpers.py --bin DIR [--rounds N]
Contenders run one after the other in each round, in an order that rotates. `get` of berth is of a credential in its
file, and of a token of Entra ID that is kept; the others print their version, the least that they can do. Then 64
processes ask at once for a token that nobody has, and what berth was asked is counted.
Exits with 1 when `get` takes more than 1 ms or is not twice as fast as docker-credential-pass's `version`.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


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


def prepare(folder, helper):
    home = folder / "home"
    config = home / ".config/berth/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('[credential]\nstore = "file"\n')
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "BERTH_TOKENS": str(folder / "tokens")}
    installed = folder / "bin"
    installed.mkdir()
    shutil.copy(helper, installed)
    now = int(time.time() * 1000)
    berth = installed / "berth"
    berth.write_text(f'#!/bin/sh\necho x >> {folder}/asked\nsleep 0.2\n'
                     f'echo \'{{"token":"{"t" * 1500}","issued":{now},"expires":{now + 3 * 3600 * 1000}}}\'\n')
    berth.chmod(0o755)
    own = str(installed / pathlib.Path(helper).name)
    subprocess.run([own, "store"], env=env, check=True, text=True,
                   input=json.dumps({"ServerURL": "r.example", "Username": "alice", "Secret": "wonder"}))
    (folder / "store").write_text("r.example")
    (folder / "acr").write_text("my.azurecr.io")
    return own, env


def ask_at_once(own, env, folder, count=64):
    running = [subprocess.Popen([own, "get"], env=env, stdin=open(folder / "acr"), stdout=subprocess.DEVNULL) for _ in range(count)]
    if any([process.wait() for process in running]):
        raise RuntimeError("a process failed")
    return (folder / "asked").read_text().count("x")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        own, env = prepare(folder, pathlib.Path(arguments.bin) / "docker-credential-berth")
        exchanges = ask_at_once(own, env, folder)
        contenders = {"berth get, its file": ([own, "get"], folder / "store"), "berth get, a kept token": ([own, "get"], folder / "acr")}
        for peer in ("pass", "secretservice"):
            if program := shutil.which(f"docker-credential-{peer}"):
                contenders[f"docker-credential-{peer} version"] = ([program, "version"], folder / "store")
        times = {who: [] for who in contenders}
        names = list(contenders)
        for turn in range(arguments.rounds):
            for who in names[turn % len(names):] + names[:turn % len(names)]:
                times[who].append(run_once(contenders[who][0], env, contenders[who][1]))
    print("| who | median ms | best ms | median ms of CPU |\n| --- | --- | --- | --- |")
    medians = {who: statistics.median(wall for wall, _ in each) for who, each in times.items()}
    for who, each in times.items():
        print(f"| {who} | {medians[who]:.2f} | {min(each)[0]:.2f} | {statistics.median(cpu for _, cpu in each):.2f} |")
    print(f"\n64 processes at once, a token that nobody has: {exchanges} exchange(s); load {os.getloadavg()[0]:.1f}")
    slowest = max(medians[who] for who in names if who.startswith("berth"))
    peer = medians.get("docker-credential-pass version")
    fine = slowest <= 1.0 and exchanges == 1 and (peer is None or slowest * 2 <= peer)
    print("as promised" if fine else "NOT as promised: at most 1 ms, and twice as fast as docker-credential-pass's version")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
