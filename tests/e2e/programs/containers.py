# SPDX-License-Identifier: Apache-2.0
"""dockerd and containerd for a test, in folders of their own, ended with it."""
import os
import subprocess
import unittest

from harness import die_with_parent, tool, wait_until


def unavailable(why):
    """A skip; a failure where the tools are required."""
    if os.environ.get("BERTH_REQUIRE_PEERS") == "1":
        raise AssertionError(f"{why} (BERTH_REQUIRE_PEERS=1)")
    raise unittest.SkipTest(why)


def start(case, name, arguments, answers):
    if os.geteuid() != 0:
        unavailable(f"{name} needs root")
    log_path = case.folder / f"{name}.log"
    log = open(log_path, "wb")
    case.addCleanup(log.close)
    daemon = subprocess.Popen([tool(name), *map(str, arguments)], env=case.env, stdout=log, stderr=log, preexec_fn=die_with_parent)

    def stop():
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    case.addCleanup(stop)

    def is_up():
        if daemon.poll() is not None:
            unavailable(f"{name} does not run here: " + log_path.read_text()[-300:])
        return subprocess.run(answers, env=case.env, capture_output=True).returncode == 0
    wait_until(is_up, 60, name)


def start_dockerd(case):
    """docker finds it by its environment. Registries of 127.0.0.0/8 may speak plain http to it."""
    case.env["DOCKER_HOST"] = f"unix://{case.folder}/docker.sock"
    folder = case.folder
    start(case, "dockerd", ["-H", case.env["DOCKER_HOST"], "--data-root", folder / "docker-data", "--exec-root", folder / "docker-exec", "--pidfile",
                            folder / "dockerd.pid", "--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"],
          [tool("docker"), "version"])


def start_containerd(case):
    """ctr finds it by its environment."""
    folder = case.folder / "containerd"
    folder.mkdir()
    case.env["CONTAINERD_ADDRESS"] = f"{folder}/c.sock"
    case.env["CONTAINERD_SNAPSHOTTER"] = "native"
    config = folder / "config.toml"
    config.write_text(f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                      f'[grpc]\n  address = "{folder}/c.sock"\n')
    start(case, "containerd", ["-c", config], [tool("ctr"), "version"])
