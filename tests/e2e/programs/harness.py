# SPDX-License-Identifier: Apache-2.0
"""What the tests of whole programs share: berth and berthfs as a user runs them, real registries, and cleaning up."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests/support"))
from registry import Registry, die_with_parent  # noqa: E402

BIN = pathlib.Path(os.environ.get("BERTH_BIN", ROOT / "build/release/bin"))
PEERS = ROOT / "build/peers/bin"


def tool(name):
    """A peer: fetched, installed, or a skip that names it; a failure where peers are required."""
    path = PEERS / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        if os.environ.get("BERTH_REQUIRE_PEERS") == "1":
            raise AssertionError(f"{name} is required here (BERTH_REQUIRE_PEERS=1) and neither fetched nor installed")
        raise unittest.SkipTest(f"{name} is neither fetched (tests/peers.sh) nor installed")
    return found


def official_sdk():
    """The folder with the SDK's packages, as tool() gives a program."""
    folder = ROOT / "build/peers/sdk"
    if (folder / "fetched-lock.json").exists() and shutil.which("node"):
        return folder
    if os.environ.get("BERTH_REQUIRE_PEERS") == "1":
        raise AssertionError("the official SDK is required here (BERTH_REQUIRE_PEERS=1) and not fetched")
    raise unittest.SkipTest("the official SDK is not fetched (tests/peers_sdk.sh)")


def closed_port():
    """Nobody listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def wait_until(condition, seconds=20, what="the condition"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come true within {seconds} s")


class FakeRegistry:
    """tests/support's fake registry as a program. `faults`: its script. What it prints is in `said`: registry, tokens, storage, ca, client-cert..."""

    def __init__(self, folder, *arguments, faults=()):
        script = pathlib.Path(tempfile.mkstemp(suffix=".json", dir=folder)[1])
        script.write_text(json.dumps(list(faults)))
        self.process = subprocess.Popen([str(BIN / "fake-registry"), "--script", str(script), *map(str, arguments)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1, preexec_fn=die_with_parent)
        self.said = {}
        last = "client-key" if {"--tls", "--expired"} & set(arguments) else "storage"
        while last not in self.said:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the fake registry did not start")
            name, value = line.split(maxsplit=1)
            self.said[name] = value.strip()
        self.host = self.said["registry"]

    def requests(self):
        """Those since the last call: [server, method, target] each."""
        self.process.stdin.write("requests\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def clear_faults(self):
        """Every request from now on is answered as usual; what stalls goes on stalling."""
        self.tell("clear", "cleared")

    def break_storage(self):
        """Ends the connections to the storage, in the middle of what goes over them."""
        self.tell("break", "broken")

    def tell(self, command, answer):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        if self.process.stdout.readline().strip() != answer:
            raise RuntimeError("the fake registry ended")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Case(unittest.TestCase):
    """A scratch folder, an environment without the user's own credentials, and mounts that go away whatever happens."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-e2e-"))
        os.chmod(self.folder, 0o755)
        self.home = self.folder / "home"
        self.home.mkdir()
        self.env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(self.home), "TERM": "dumb", "LC_ALL": "C.UTF-8",
                    "BERTH_CACHE": str(self.folder / "cache"), "BERTH_TOKENS": str(self.folder / "tokens"),
                    **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "TSAN_", "UBSAN_", "LSAN_"))}}
        self.mounts = []
        self.addCleanup(self.clean_up)

    def clean_up(self):
        for mnt in self.mounts:
            pid = self.daemon(mnt)
            subprocess.run(["umount", "-l", str(mnt)], capture_output=True)
            if pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
                    wait_or_kill(pid)
        shutil.rmtree(self.folder, ignore_errors=True)

    def registry(self, kind="plain", name="registry", port=None):
        registry = Registry(self.folder / name, kind, port)
        self.addCleanup(registry.close)
        return registry

    def fake_registry(self, *arguments, faults=()):
        registry = FakeRegistry(self.folder, *arguments, faults=faults)
        self.addCleanup(registry.close)
        return registry

    def assert_errno(self, number, call, *arguments):
        with self.assertRaises(OSError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.errno, number, raised.exception)

    def berth(self, *arguments, status=0, env=None, input=None, timeout=120):
        """Runs berth in a pipe; checks its exit status; gives its output."""
        done = subprocess.run([str(BIN / "berth"), *map(str, arguments)], env={**self.env, **(env or {})}, input=input, timeout=timeout,
                              capture_output=True, text=True)
        if status is not None:
            self.assertEqual(done.returncode, status, f"berth {' '.join(map(str, arguments))}:\n{done.stdout}{done.stderr}")
        return done

    def start(self, *arguments, env=None, **more):
        return subprocess.Popen([str(BIN / "berth"), *map(str, arguments)], env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                                stdout=more.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE, preexec_fn=die_with_parent, **more)

    def mount(self, place, options="", name="mnt", env=None, status=0):
        mnt = self.folder / name
        mnt.mkdir(exist_ok=True)
        arguments = ["mount"] + (["-o", options] if options else []) + ([place] if place else []) + [str(mnt)]
        if status == 0:
            self.mounts.append(mnt)
        self.berth(*arguments, env=env, status=status)
        return mnt

    def unmount(self, mnt):
        pid = self.daemon(mnt)
        wait_until(lambda: subprocess.run([str(BIN / "berth"), "unmount", str(mnt)], env=self.env, capture_output=True).returncode == 0,
                   what="unmounting")
        if pid:
            wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists() or is_zombie(pid), what="the end of berthfs")
        self.mounts.remove(mnt)

    def daemon(self, mnt):
        """The process that serves a mount, by its command line."""
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if words[0].endswith(b"berthfs") and str(mnt).encode() in words and not is_zombie(int(entry.name)):
                        return int(entry.name)
        return None

    def sh(self, script, status=0, **more):
        done = subprocess.run(["bash", "-c", script], env={**self.env, **more}, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, f"{script}\n{done.stdout}{done.stderr}")
        return done.stdout


def is_zombie(pid):
    """All of it has ended: the first thread is a zombie while others still let go of their files."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    return re.search(r"^State:\s+Z", status, re.M) is not None and re.search(r"^Threads:\s+1$", status, re.M) is not None


def wait_or_kill(pid):
    for _ in range(100):
        if not pathlib.Path(f"/proc/{pid}").exists() or is_zombie(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
