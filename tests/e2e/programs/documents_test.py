# SPDX-License-Identifier: Apache-2.0
"""What the documents say is what happens: the demo, every command of README and troubleshooting, installing, fstab, completion, the manuals."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import unittest
import unittest.mock

from harness import BIN, ROOT, Case


class Documents(Case):
    def test_the_demo_runs_and_leaves_nothing(self):
        done = subprocess.run(["sh", "docs/demo.sh", str(BIN)], cwd=ROOT, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for word in ("library", "v1 -> .manifests/sha256/", "hello again", "weights/part-0.bin", '{"vocabulary":32000', "GREETING"):
            self.assertIn(word, done.stdout)
        self.assertEqual([l for l in pathlib.Path("/proc/mounts").read_text().splitlines() if "build/demo" in l], [])
        # The README shows what the demo says, to the letter, but for the port and the hour.
        shown = re.search(r"<!-- demo -->\n```console\n(.*)```\n<!-- end of demo -->", (ROOT / "README.md").read_text(), re.S).group(1)

        def masked(text):
            return re.sub(r"\x1b\[[0-9;]*m", "", re.sub(r"127\.0\.0\.1:\d+", "HOST", re.sub(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d", "DATE", text)))
        self.assertEqual(masked(done.stdout), masked(shown))

    def test_every_command_of_the_readme_works(self):
        r = self.registry()
        config = {"created": "2024-05-01T10:00:00Z", "config": {"Env": ["A=1"]}}
        r.push_image("library/hello", ["v1"], [b"layer one"], config)
        r.push_image("library/hello", ["v2"], [b"layer two"], {**config, "config": {"Env": ["A=2"]}})
        r.push_artifact("models/tiny", ["2024"], {"model.json": b"{}", "weights/part-0.bin": b"weights"})
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        scratch = self.folder / "tmp"
        scratch.mkdir()
        said = {}
        for page, least in (("README.md", 4), ("docs/troubleshooting.md", 4)):
            blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
            self.assertGreaterEqual(len(blocks), least)
            said[page] = "\n".join(self.sh("set -euo pipefail\nR=%s M=%s\n%s" % (r.host, mnt, block.replace("/tmp/", f"{scratch}/"))) for block in blocks)
        self.assertEqual((scratch / "tiny/model.json").read_bytes(), b"{}")
        readme = said["README.md"]
        self.assertIn('"A=2"', readme, "the difference of two configs")
        self.assertIn("2024-05-01T10:00:00Z %s/library/hello/v1/config.json" % mnt, readme, "the dates of all images")
        self.assertRegex(readme, r"1 application/vnd.example.thing", "the types of artifacts")
        self.assertRegex(readme, r"(?m)^9 sha256:[0-9a-f]{64}$", "the sizes of blobs")
        self.assertIn(f"{mnt}/library/hello/v1\n", readme, "what was seen since yesterday")
        self.assertRegex(readme, r"(?m)^([0-9a-f]{64})  manifest.json\n.*/\.manifests/sha256/\1$", "bytes have the digest of their name")
        self.assertRegex(readme, r"ok +fuse: ", "doctor")
        trouble = said["docs/troubleshooting.md"]
        self.assertIn("Nothing that was served is older", trouble)
        self.assertRegex(trouble, rf"serving {r.host} on {mnt}")
        self.assertRegex(trouble, r"(?m)^\d+$", "the numbers of stats.json and metrics")

    def test_every_line_of_the_readmes_consoles_is_run(self):
        readme = (ROOT / "README.md").read_text()
        blocks = re.findall(r"^```console\n(.*?)^```", re.sub(r"<!-- demo -->.*<!-- end of demo -->", "", readme, flags=re.S), re.M | re.S)
        lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
        elsewhere = {
            "./dev demo": "its script by test_the_demo_runs_and_leaves_nothing, the rest by the release build that is under test",
            "./dev install": "test_dev_install_needs_no_package_of_the_tests, test_installed_as_the_readme_says_it_mounts_by_fstab",
            "sudo cmake --install build/release --prefix /usr/local": "the same",
            "sudo ln -s /usr/local/sbin/mount.berth /sbin/mount.berth": "the same",
            "berth setup docker                   # or podman: buildah and skopeo follow it": "the tests of the credential helper with real tools",
            "berth login registry.example.com -u me": "the same",
            "docker pull registry.example.com/app": "the same",
        }
        here = [line for line in lines if line not in elsewhere]
        self.assertEqual(len(lines) - len(here), len(elsewhere), "nothing stands in that list that the page does not say")
        r = self.registry()
        for tag in ("v1", "v2"):
            r.push_image("library/hello", [tag], [tag.encode()], {"config": {"Env": [f"A={tag}"]}})
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        at, said = self.folder, ""
        for line in here:
            line = line.replace("registry.example.com", r.host).replace("/mnt/r", str(mnt)).split(" && cmake --build")[0]
            if line.startswith("cd "):
                at = line[3:]
                continue
            if line.startswith("cmake --preset"):
                at, line = ROOT, f"{line} -B {self.folder}/build"
            done = subprocess.run(["bash", "-c", line], cwd=at, env=self.env, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 1 if line.startswith("diff") else 0, line + done.stdout + done.stderr)
            said += done.stdout
        self.assertRegex(said, r"(?m)^lrwxrwxrwx .* v1 -> \.manifests/sha256/[0-9a-f]{64}$")
        self.assertRegex(said, r'(?m)^< +"A=v1"$')
        self.assertRegex(said, r"(?m)^[0-9a-f]{64}  library/hello/v1/layers/00.tar.gz$")

    def test_every_command_for_azure_works(self):
        r = self.fake_registry("--acr", "--soft-delete", "--tls", "--sample")
        (self.folder / "config.toml").write_text(f'[registry."{r.host}"]\nca_file = "{r.said["ca"]}"\nacr = true\n')
        self.env["BERTH_CONFIG"] = str(self.folder / "config.toml")
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        (block,) = re.findall(r"^```sh azure\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
        said = self.sh(f"set -eu\nR={r.host} M={mnt}\n{block}")
        self.assertRegex(said, r"(?m)^can_delete: +false$")
        self.assertIn("0 tags and 0 manifests", said)
        self.assertRegex(said, r"(?m)^2023-03-07T02:\d\d:\d\d\.\d+Z$")
        self.assertTrue(json.loads(self.berth("--json", "stat", f"{r.host}/library/hello:v1").stdout)[0]["can_write"] is False)

    def test_completion_scripts_are_valid_and_complete_places(self):
        r = self.registry()
        r.push_image("library/hello", ["v1", "v2"], [b"layer"])
        self.berth("ls", f"{r.host}/library/hello")
        for shell, check in (("bash", "bash -n"), ("zsh", "zsh -n"), ("fish", "fish -n")):
            path = self.folder / f"completion.{shell}"
            path.write_text(self.berth("completion", shell).stdout)
            if subprocess.run(["which", shell], capture_output=True).returncode == 0:
                self.sh(f"{check} {path}")
        found = self.sh(f"source {self.folder}/completion.bash; COMP_LINE='berth ls {r.host}/library/hello/'; COMP_POINT=${{#COMP_LINE}}; "
                        "_berth 2>/dev/null; printf '%s\\n' \"${COMPREPLY[@]}\"")
        # Bash takes what stands before the ':' of the port for another word.
        self.assertIn(f"{r.host.split(':')[1]}/library/hello/v1/", found.split())

    def test_completion_knows_the_options_of_a_command(self):  # S451
        scripts = {shell: self.folder / f"completion.{shell}" for shell in ("bash", "zsh", "fish")}
        for shell, path in scripts.items():
            path.write_text(self.berth("completion", shell).stdout)
        bash = lambda line: self.sh(f"source {scripts['bash']}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _berth 2>/dev/null; printf '%s\\n' \"${{COMPREPLY[@]}}\"").split()
        self.assertEqual(bash("berth purge --tr"), ["--trust-lists"])
        self.assertEqual(bash("berth purge --un"), ["--untagged", "--untagged-only"])
        self.assertIn("--platform", bash("berth ls --"))
        self.assertNotIn("--untagged", bash("berth ls --"))
        for line, found in {"berth purge --tr": ["--trust-lists"], "berth --timeout 5 ls --pl": ["--plain-http", "--platform"],
                            "berth --json purge --tr": ["--trust-lists"], "berth --plat": ["--platform"], "berth --timeout 5 --plat": ["--platform"],
                            "berth cache --off": ["--offline"], "berth unmount --off": ["--offline"], "berth completion --off": ["--offline"],
                            "berth version --off": ["--offline"]}.items():
            with self.subTest(line):
                self.assertEqual(bash(line), found)
                for shell, offered in (("fish", self.offered_by_fish), ("zsh", self.offered_by_zsh)):
                    if shutil.which(shell):
                        self.assertEqual(offered(scripts[shell], line), found, shell)
        self.assertIn("purge", bash("berth --timeout 5 p"))

    def offered_by_fish(self, script, line):
        found = self.sh(f"fish --no-config -c \"source {script}; complete -C '{line}'\"")
        return sorted(each.split("\t")[0] for each in found.splitlines())

    def offered_by_zsh(self, script, line):
        """What its function would add to the completions of the line's last word."""
        tab = self.folder / "tab.zsh"
        tab.write_text("compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -l -- $@ }\ncompdef() { }\n"
                       f"source {script}\nwords=({line})\nCURRENT=$#words\n_berth\n")
        found = self.sh(f"zsh -f {tab}")
        return sorted(found.split())

    def test_doctor_says_what_is_wrong_and_exits_so(self):
        r = self.registry("htpasswd")
        fine = self.berth("--json", "doctor", r.host, status=None)
        findings = json.loads(fine.stdout)
        # Its catalogue is refused to those without a credential: no problem of theirs.
        self.assertEqual([f["verdict"] for f in findings if f["area"] == "network"], ["warning"], fine.stdout)
        self.assertIn(f"berth ls {r.host}/REPOSITORY", fine.stdout)
        self.assertEqual(fine.returncode, 1 if any(f["verdict"] == "problem" for f in findings) else 0)
        r.kill()
        broken = self.berth("doctor", r.host, status=1).stdout
        self.assertRegex(broken, rf"(?m)^problem  network: .*{r.host}")
        self.assertRegex(broken, r"(?m)^ok +cache: ")

    def test_installed_as_the_readme_says_it_mounts_by_fstab(self):
        stage = self.folder / "stage"
        build = BIN.parent
        if not (build / "cmake_install.cmake").exists():
            self.skipTest("the programs under test are not in a build folder")
        subprocess.run(["cmake", "--install", str(build), "--prefix", "/usr/local"], env={**os.environ, "DESTDIR": str(stage)}, check=True,
                       capture_output=True)
        local = stage / "usr/local"
        for path in ("bin/berth", "libexec/berth/berthfs", "share/man/man1/berth.1", "share/man/man8/berthfs.8", "bin/docker-credential-berth",
                     "bin/berth-credential-provider", "libexec/docker/cli-plugins/docker-berth", "share/man/man1/docker-credential-berth.1",
                     "share/man/man8/berth-credential-provider.8", "share/man/man8/mount.berth.8"):
            self.assertTrue((local / path).is_file(), path)
        readme = (ROOT / "README.md").read_text()
        link = re.search(r"^\$ sudo (ln -s /usr/local/sbin/mount.berth .*)$", readme, re.M).group(1)
        line = re.search(r"^```fstab\n(.*)\n```", readme, re.M).group(1)
        r = self.registry()
        r.push_image("library/hello", ["v1"], [b"layer"])
        mnt = self.folder / "mnt"
        mnt.mkdir()
        self.mounts.append(mnt)
        (self.folder / "fstab").write_text(line.replace("registry.example.com", r.host).replace("/mnt/r", str(mnt)) + "\n")
        # In a mount namespace: /usr/local is what was just installed, and /sbin is empty but for the link.
        script = (f"mount --bind {local} /usr/local; mount -t tmpfs berth-test $(realpath /sbin); {link}; "
                  f"mount --fstab {self.folder}/fstab {mnt}; ls {mnt}/library/hello; cat {mnt}/library/hello/v1/layers/00.tar.gz; echo; "
                  f"findmnt -no FSTYPE,OPTIONS {mnt}; /usr/local/bin/berth unmount {mnt}; mount -t berth -o ro {r.host} {mnt}; umount {mnt}")
        done = subprocess.run(["unshare", "-m", "sh", "-euc", script], env={**self.env, "PATH": "/usr/bin:/bin:/usr/sbin"}, capture_output=True, text=True,
                              timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        listed, layer, mounted = done.stdout.splitlines()
        self.assertEqual((listed, layer), ("v1", "layer"))
        self.assertRegex(mounted, r"^fuse.berth +ro,.*allow_other")

    def test_the_manual_of_fstab_shows_a_line_that_is_understood(self):
        page = (ROOT / "docs/man/mount.berth.8").read_text()
        target, mnt, kind, options, *_ = re.search(r"^(\S+ +/\S+ +berth .*)$", page, re.M).group(1).split()
        self.assertEqual(kind, "berth")
        helper = self.folder / "mount.berth"
        helper.symlink_to(BIN / "berthfs")
        for more, status in (("", 0), (",nonsense", 1)):
            done = subprocess.run([str(helper), target, mnt, "-f", "-o", options + more], env=self.env, capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, status, done.stderr)
        warned = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(ROOT / "docs/man/mount.berth.8")], env=self.env,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual((warned.returncode, warned.stderr), (0, ""))
        self.assertIn("every user sees what those credentials may see", " ".join(re.sub(r".\x08", "", warned.stdout).split()))

    def test_dev_install_needs_no_package_of_the_tests(self):
        # Programs that only write down how they were called: nothing is installed and nothing is built here.
        bin = self.folder / "bin"
        bin.mkdir()
        calls = self.folder / "calls"
        for name, does in (("cmake", ""), ("apt-get", ""), ("dpkg-query", 'case "$*" in *gtest*|*registry*|*zsh*) ;; *) echo "install ok installed" ;; esac')):
            (bin / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{calls}\n{does}\n')
            (bin / name).chmod(0o755)
        copy = self.folder / "copy"
        copy.mkdir()
        shutil.copy(ROOT / "dev", copy / "dev")
        env = {**self.env, "PATH": f"{bin}:{os.environ['PATH']}"}
        done = subprocess.run(["./dev", "install", str(self.folder / "prefix")], cwd=copy, env=env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        called = calls.read_text()
        self.assertNotIn("apt-get", called, "what is missing is for tests alone")
        self.assertIn("dpkg-query -W -f=${Status} libfuse3-dev", called)
        self.assertNotIn("gtest", called)
        self.assertRegex(called, rf"cmake --preset release .*-DBERTH_BUILD_TESTS=OFF .*-DCMAKE_INSTALL_PREFIX={self.folder}/prefix")
        self.assertTrue(called.endswith("cmake --install build/install\n"), called)
        self.assertIn(f"ln -s {self.folder}/prefix/sbin/mount.berth /sbin/mount.berth", done.stderr)
        self.assertIn("absolute", subprocess.run(["./dev", "install", "here"], cwd=copy, env=env, capture_output=True, text=True, timeout=60).stderr)

    def test_a_build_after_a_demo_has_its_tests_again(self):
        presets = {p["name"]: p for p in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]}
        self.assertEqual(presets["release"]["cacheVariables"]["BERTH_BUILD_TESTS"], "ON")

    def test_the_manual_explains_every_option_of_every_command(self):
        page = (ROOT / "docs/man/berth.1").read_text()
        sections = re.split(r"(?m)^\.It Ic (?=\w)", page.split(".Sh COMMANDS")[1].split(".Sh OPTIONS")[0])[1:]
        about = {section.split()[0]: section for section in sections}
        about["unmount"] += about["umount"]
        common = page.split(".Sh OPTIONS")[1].split(".Sh ENVIRONMENT")[0]
        helped = {"": common, **{command: about[command] for command in about if command != "umount"}}
        for command, text in helped.items():
            shown = self.berth(*filter(None, [command]), "--help").stdout.split("Subcommands:")[0]
            flags = {flag for line in re.findall(r"(?m)^  (-[-\w,]+)", shown) for flag in line.split(",")}
            self.assertTrue(flags)
            named = self.flags_of(text) | (self.flags_of(common) if command else set())
            self.assertEqual(flags - named, set(), f"berth {command}")

    def test_the_manual_explains_every_option_of_a_mount(self):
        page = (ROOT / "docs/man/berthfs.8").read_text()
        shown = subprocess.run([str(BIN / "berthfs"), "--help"], capture_output=True, text=True, check=True).stdout
        options = re.findall(r"(?m)^  ([a-z_]+)[=\[ ]", shown.split("Options of -o")[1])
        self.assertGreater(len(options), 15)
        for option in options:
            self.assertRegex(page, rf"(?m)^\.It .*\bCm {option}\b", option)
        flags = set(re.findall(r"(?m)^(--?[a-z]+)", shown.split("Options of -o")[0]))
        self.assertEqual(flags - self.flags_of(page), set())

    @staticmethod
    def flags_of(page):
        """What mdoc writes as Fl, `Fl laR1` being four of them."""
        flags = set()
        for word in re.findall(r"\bFl (-?[\w-]+)", page):
            flags |= {"-" + word} if word.startswith("-") else {"-" + letter for letter in word}
        return flags


class Support(Case):
    def test_the_fake_registry_leaves_nothing_behind_when_a_signal_ends_it(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            folder = self.folder / number.name
            folder.mkdir()
            with unittest.mock.patch.dict(os.environ, TMPDIR=str(folder)):
                registry = self.fake_registry("--tls")
            self.assertTrue(os.listdir(folder), "its certificates")
            registry.process.send_signal(number)
            self.assertEqual(registry.process.wait(60), 0)
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
