# SPDX-License-Identifier: Apache-2.0
"""Azure container registries from the command line and in a mount: properties, times, set, soft delete, purge, and what refusals say."""
import errno
import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from harness import BIN, Case, wait_until
from registry import digest_of


class AzureCase(Case):
    """A fake Azure container registry over TLS, told so by berth's configuration."""

    def azure(self, *arguments, faults=(), auth="none", says="acr = true", sample=True):
        r = self.fake_registry("--acr", "--tls", "--auth", auth, *(["--sample"] if sample else []), *arguments, faults=faults)
        config = self.folder / "config.toml"
        config.write_text(f'[registry."{r.host}"]\nca_file = "{r.said["ca"]}"\n{says}\n')
        self.env["BERTH_CONFIG"] = str(config)
        return r

    def fresh(self):
        """Another cache: nothing is remembered."""
        self.env["BERTH_CACHE"] = str(self.folder / f"cache{len(list(self.folder.iterdir()))}")

    def stat(self, place):
        return json.loads(self.berth("--json", "stat", place).stdout)[0]

    def requests_of(self, *arguments):
        """What berth asks for, without tokens."""
        said = self.berth("-vv", *arguments).stderr
        return [a for a in re.findall(r"http: (\w+) https?://[^/\s]+(/\S*): ", said) if a[1].startswith(("/v2/", "/acr/"))]


class Properties(AzureCase):
    def test_stat_shows_properties(self):  # S260
        r = self.azure()
        tag = self.stat(f"{r.host}/library/hello:v1")
        self.assertEqual(tag["kind"], "tag")
        self.assertEqual([tag[f"can_{what}"] for what in ("read", "write", "delete", "list")], [True] * 4)
        self.assertRegex(tag["updated"], r"^2023-03-07T02:\d\d:\d\d\.\d+Z$")
        self.assertEqual(tag["media_type"], "application/vnd.oci.image.manifest.v1+json")
        repository = self.stat(f"{r.host}/library/hello")
        self.assertEqual((repository["tag_count"], repository["manifest_count"]), (2, 2))
        manifest = self.stat(f"{r.host}/library/hello@{tag['digest']}")
        self.assertGreater(manifest["image_size"], 0)
        text = self.berth("stat", f"{r.host}/library/hello:v1").stdout
        self.assertRegex(text, r"(?m)^can_delete: +true$")

    def test_without_properties_stat_is_as_before(self):
        r = self.registry()
        r.push_image("app", ["v1"], [b"layer"])
        shown = self.stat(f"{r.host}/app:v1")
        self.assertNotIn("can_delete", shown)
        self.assertGreater(shown["size"], 0)

    def test_ls_l_costs_the_listing_and_no_head(self):  # S261
        r = self.azure("--tags", "300")
        asked = self.requests_of("ls", "-l", f"{r.host}/library/many")
        self.assertEqual([a for a in asked if a[0] == "HEAD"], [])
        self.assertEqual(len([a for a in asked if "_tags" in a[1]]), 1)
        rows = json.loads(self.berth("--json", "ls", "-l", f"{r.host}/library/many").stdout)
        self.assertEqual(len(rows), 300)
        self.assertTrue(all(row["digest"].startswith("sha256:") and row["mtime"].startswith("2023-03-07") for row in rows))
        self.assertEqual(self.requests_of("ls", "-l", f"{r.host}/library/many"), [], "the next process was told already")

    def test_ls_sorts(self):  # S262
        r = self.azure()
        repo = f"{r.host}/library/hello"
        names = lambda *more: self.berth("ls", *more, repo).stdout.split()
        self.assertEqual(names(), ["latest", "v1"])
        self.assertEqual(names("--reverse"), ["v1", "latest"])
        self.assertEqual(names("--sort", "updated"), ["v1", "latest"], "the newest first")
        self.assertEqual(names("--sort", "updated", "-r"), ["latest", "v1"])
        self.assertEqual([row["name"] for row in json.loads(self.berth("--json", "ls", "-l", "--sort", "updated", repo).stdout)], ["v1", "latest"])
        files = f"{r.host}/library/artifact:latest"
        sized = json.loads(self.berth("--json", "ls", "-l", "--sort", "size", files).stdout)
        self.assertEqual([row["size"] for row in sized], sorted((row["size"] for row in sized), reverse=True))
        self.berth("ls", "--sort", "colour", repo, status=2)

    def test_set_a_tag_a_digest_and_a_repository(self):  # S263
        r = self.azure()
        repo = f"{r.host}/library/hello"
        shown = self.berth("set", f"{repo}:v1", "can_delete=false", "can_write=false").stdout
        self.assertRegex(shown, rf"(?m)^place: +{repo}:v1$")
        self.assertRegex(shown, r"(?m)^digest: +sha256:[0-9a-f]{64}$")
        self.assertRegex(shown, r"(?m)^can_delete: +false$")
        self.assertRegex(shown, r"(?m)^can_read: +true$")
        tag = self.stat(f"{repo}:v1")
        self.assertEqual((tag["can_delete"], tag["can_write"], tag["can_list"]), (False, False, True))
        digest = json.loads(self.berth("--json", "set", f"{repo}@{tag['digest']}", "can_write=false").stdout)
        self.assertEqual((digest["digest"], digest["can_write"]), (tag["digest"], False))
        self.assertNotIn("tag", digest)
        self.berth("set", repo, "can_list=false")
        self.assertFalse(self.stat(repo)["can_list"])
        # One request for all of it.
        self.assertEqual([a[0] for a in self.requests_of("set", f"{repo}:v1", "can_delete=true", "can_write=true")].count("PATCH"), 1)

    def test_set_what_cannot_be(self):  # S264
        r = self.azure()
        repo = f"{r.host}/library/hello"
        for words in (["can_fly=true"], ["can_delete"], ["can_delete=no"], ["can_read=true", "can_read=false"]):
            said = self.berth("set", f"{repo}:v1", *words, status=2).stderr
            self.assertRegex(said, r"can_read")
        self.assertIn("does not have it", self.berth("set", f"{repo}:none", "can_delete=false", status=3).stderr.replace("there is no", "does not have it"))
        plain = self.registry()
        plain.push_image("app", ["v1"], [b"layer"])
        said = self.berth("set", f"{plain.host}/app:v1", "can_delete=false", status=1).stderr
        self.assertIn('capability "properties"', said)
        self.assertIn("acr = true", said)

    def test_set_of_what_stands_in_a_manifest_changes_nothing(self):  # S440
        r = self.azure()
        for repo, parts in (("hello", ("layers", "config.json", "manifest.json", "referrers")), ("artifact", ("files",)), ("multi", ("platforms", "layers", "config.json"))):
            image = f"{r.host}/library/{repo}:latest"
            for part in parts:
                said = self.berth("set", f"{image}/{part}", "can_delete=false", status=2).stderr
                self.assertIn(f"{image}/{part} is a ", said)
                self.assertIn("a tag (R/a:v1), a manifest (R/a@sha256:...) and a repository (R/a) have", said)
        self.berth("set", f"{r.host}/library", "can_delete=false", status=2)
        self.assertNotIn("PATCH", [method for _, method, _ in r.requests()])

    def test_set_by_each_path_of_a_tag_and_a_manifest(self):  # S440
        r = self.azure()
        hello, multi = f"{r.host}/library/hello", f"{r.host}/library/multi"
        self.assertIn("tag: ", self.berth("set", f"{hello}/.tags/v1", "can_delete=false").stdout)
        digest = self.stat(f"{hello}:v1")["digest"]
        for place in (f"{hello}@{digest}", f"{hello}/.manifests/{digest.replace(':', '/')}", f"{hello}:v1/properties"):
            shown = json.loads(self.berth("--json", "set", place, "can_write=false").stdout)
            self.assertEqual((shown["digest"], "tag" in shown), (digest, False), place)
        shown = json.loads(self.berth("--json", "set", f"{hello}/.properties", "can_write=true").stdout)
        self.assertEqual((shown["repository"], "tag" in shown, "digest" in shown), ("library/hello", False, False))
        for part in (f"{hello}:v1/properties", f"{hello}/.properties"):
            self.assertIn("cannot be removed", self.berth("rm", "-rf", part, status=2).stderr)  # S295
        shown = json.loads(self.berth("--json", "set", f"{multi}:latest/platforms/linux-amd64", "can_write=false").stdout)
        self.assertNotEqual(shown["digest"], self.stat(f"{multi}:latest")["digest"])


class SoftDelete(AzureCase):
    def test_deleted_content_is_listed_and_restored(self):  # S266
        r = self.azure("--soft-delete")
        repo = f"{r.host}/library/hello"
        digest = self.stat(f"{repo}:v1")["digest"]
        self.berth("purge", repo, "--filter", "^v1$", "--ago", "0d", "--yes")
        self.assertEqual(self.berth("ls", repo).stdout.split(), ["latest"])
        self.assertEqual(self.berth("deleted", "ls", r.host).stdout.split(), [repo])
        self.assertIn(f"{repo}:v1", self.berth("deleted", "ls", repo).stdout)
        listed = json.loads(self.berth("--json", "deleted", "ls", repo).stdout)
        self.assertEqual([(d["kind"], d["reference"], d["digest"]) for d in listed], [("tag", f"{repo}:v1", digest)])
        self.assertIn(f"restored {repo}:v1@{digest}", self.berth("deleted", "restore", f"{repo}:v1").stdout)
        self.assertEqual(self.berth("ls", repo).stdout.split(), ["latest", "v1"])
        self.assertIn("can be restored", self.berth("deleted", "restore", f"{repo}:none", status=3).stderr)
        self.berth("deleted", "restore", repo, status=2)
        self.berth("deleted", "ls", f"{repo}:v1", status=2)

    def test_a_repository_comes_back_with_its_tag(self):  # S266
        r = self.azure("--soft-delete")
        repo = f"{r.host}/library/artifact"
        self.berth("rm", "-r", repo)
        self.assertNotIn("artifact", self.berth("ls", f"{r.host}/library").stdout.split())
        self.berth("deleted", "restore", f"{repo}:latest")
        self.assertEqual(self.berth("ls", repo).stdout.split(), ["latest"])

    def test_a_manifest_comes_back_with_a_tag(self):
        r = self.azure("--soft-delete")
        repo = f"{r.host}/library/multi"
        child = json.loads(self.berth("cat", f"{repo}:latest/manifest.json").stdout)["manifests"][0]["digest"]
        self.berth("purge", repo, "--filter", ".*", "--ago", "0d", "--untagged", "--yes")
        self.assertIn(child, self.berth("deleted", "ls", repo).stdout)
        self.berth("deleted", "restore", f"{repo}@{child}", "--tag", "again")
        self.assertEqual(self.stat(f"{repo}:again")["digest"], child)


class Purge(AzureCase):
    def test_the_plan_is_shown_and_then_done(self):  # S267
        r = self.azure("--tags", "5")
        repo = f"{r.host}/library/many"
        dry = self.berth("purge", repo, "--filter", "v[1-3]", "--ago", "30d", "--dry-run").stdout
        self.assertEqual(re.findall(r"(?m)^would delete (\S+)  ", dry), [f"{repo}:v3", f"{repo}:v2", f"{repo}:v1"])
        self.assertIn("3 tags and 0 manifests of 1 repository to delete", dry)
        self.assertEqual(len(self.berth("ls", repo).stdout.split()), 5)
        done = self.berth("purge", repo, "--filter", "v[1-3]", "--ago", "30d", "--keep", "1", "--yes").stdout
        self.assertEqual(sorted(re.findall(r"(?m)^deleted (\S+)$", done)), [f"{repo}:v1", f"{repo}:v2"])
        self.assertIn("2 tags and 0 manifests deleted", done)
        self.assertEqual(self.berth("ls", repo).stdout.split(), ["v3", "v4", "v5"], "the next command knows")
        # A registry: the filter names the repository, too.
        dry = self.berth("purge", r.host, "--filter", "library/ma.*:^v4$", "--filter", "library/hello:v1", "--ago", "0d", "-n").stdout
        self.assertEqual(sorted(re.findall(r"(?m)^would delete (\S+)  ", dry)), [f"{r.host}/library/hello:v1", f"{repo}:v4"])

    def test_untagged_manifests_go_and_what_is_needed_stays(self):  # S268
        r = self.azure()
        multi = f"{r.host}/library/multi"
        self.assertIn("0 tags and 0 manifests", self.berth("purge", multi, "--untagged-only", "--ago", "0d", "-n").stdout, "an index needs them")
        shown = json.loads(self.berth("--json", "purge", multi, "--filter", ".*", "--untagged", "--ago", "0d", "--yes").stdout)
        self.assertEqual(len(shown["plan"]["tags"]), 1)
        self.assertEqual((shown["tags_deleted"], shown["manifests_deleted"]), (1, 3))
        self.assertEqual(len(shown["deleted"]), 4)
        self.assertEqual(shown["kept"], [])

    def test_locked_stays_unless_included(self):  # S269
        r = self.azure("--tags", "2")
        repo = f"{r.host}/library/many"
        self.berth("set", f"{repo}:v1", "can_delete=false")
        self.assertIn("1 tag and 0 manifests", self.berth("purge", repo, "--filter", ".*", "--ago", "0d", "-n").stdout)
        shown = self.berth("purge", repo, "--filter", ".*", "--ago", "0d", "--include-locked", "--yes").stdout
        self.assertRegex(shown, rf"would delete {repo}:v1 .*locked")
        self.assertIn("2 tags and 0 manifests deleted", shown)

    def test_nothing_goes_without_a_yes(self):  # S270
        r = self.azure("--tags", "2")
        repo = f"{r.host}/library/many"
        said = self.berth("purge", repo, "--filter", ".*", "--ago", "0d", status=2)
        self.assertIn("nothing was deleted", said.stderr)
        self.assertIn("--yes", said.stderr)
        self.assertIn("2 tags and 0 manifests", said.stdout, "the plan was shown")
        for answer, left in (("n\n", 2), ("y\n", 0)):
            shown, status = self.on_a_terminal(answer, "purge", repo, "--filter", ".*", "--ago", "0d")
            self.assertIn("Delete 2 tags and 0 manifests? [y/N]", shown)
            self.assertEqual(status, 1 if left else 0, shown)
            self.fresh()
            listed = self.berth("ls", repo, status=None)
            self.assertEqual(len(listed.stdout.split()), left)

    def on_a_terminal(self, answer, *arguments):
        mine, theirs = pty.openpty()
        process = subprocess.Popen([str(BIN / "berth"), *map(str, arguments)], env=self.env, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = ""
        while "[y/N]" not in shown and select.select([mine], [], [], 30)[0]:
            shown += os.read(mine, 4096).decode()
        os.write(mine, answer.encode())
        status = process.wait(30)
        while select.select([mine], [], [], 0.2)[0]:
            try:
                shown += os.read(mine, 4096).decode()
            except OSError:
                break
        os.close(mine)
        return shown, status

    def test_untagged_of_a_repository_needs_no_filter_and_lists_are_as_long_as_one_says(self):  # S368
        r = self.azure()
        hello = f"{r.host}/library/hello"
        self.berth("untag", f"{r.host}/library/artifact:latest")
        shown = self.berth("purge", f"{r.host}/library/artifact", "--untagged", "--ago", "0d", "--yes").stdout
        self.assertIn("0 tags and 1 manifest deleted", shown)
        self.berth("purge", hello, "--untagged", "--ago", "0d", "--yes")
        self.fresh()
        self.assertEqual(self.berth("ls", hello).stdout.split(), ["latest", "v1"])
        r.requests()
        self.berth("purge", r.host, "--filter", ".*:nothing", "--ago", "0d", "-n", "--repository-page-size", "1")
        lists = [target for _, _, target in r.requests() if "_catalog" in target]
        self.assertTrue(lists and all("n=1" in target for target in lists), lists)
        said = self.berth("purge", r.host, "--filter", ".*:x", "--ago", "0d", "-n", "--filter-timeout-seconds", "0", status=2).stderr
        self.assertIn("--filter-timeout-seconds", said)

    def test_wrong_use_and_other_registries(self):  # S271
        r = self.azure()
        repo = f"{r.host}/library/hello"
        for arguments, word in (([repo, "--filter", ".*"], "--ago"), ([repo, "--ago", "1d"], "--filter"), ([r.host, "--ago", "1d"], "REPOSITORY:TAG"),
                                ([repo, "--filter", "(", "--ago", "1d"], "regular expression"), ([repo, "--filter", ".*", "--ago", "soon"], "soon"),
                                ([f"{repo}:v1", "--filter", ".*", "--ago", "1d"], "a registry or of a repository")):
            self.assertIn(word, self.berth("purge", *arguments, "--yes", status=2).stderr)
        self.berth("purge", f"{r.host}/none", "--filter", ".*", "--ago", "0d", "-n", status=3)
        plain = self.registry()
        plain.push_image("app", ["v1"], [b"layer"])
        for arguments in (["purge", f"{plain.host}/app", "--filter", ".*", "--ago", "0d", "-n"], ["deleted", "ls", plain.host]):
            said = self.berth(*arguments, status=1).stderr
            self.assertIn('capability "properties"', said)

    def test_a_list_that_is_shorter_than_the_count_is_trusted_when_told(self):  # S441
        r = self.azure("--tags", "3")
        repo = f"{r.host}/library/many"
        self.berth("set", f"{repo}:v2", "can_list=false")
        self.fresh()
        self.assertEqual(self.berth("ls", repo).stdout.split(), ["v1", "v3"])
        arguments = ["purge", repo, "--filter", ".*", "--ago", "0d", "--yes"]
        said = self.berth(*arguments, status=1)
        self.assertEqual(said.stderr, f"berth: tags of {repo}: the registry listed 2 and counts 3: the list was cut short, or some of them were deleted or "
                         "hidden meanwhile; if something in it is hidden (can_list=false), `berth purge --trust-lists` goes by what is listed, and what "
                         "only a hidden index needs goes too\n")
        self.assertNotIn("deleted", said.stdout)
        self.assertIn("2 tags and 0 manifests deleted", self.berth(*arguments, "--trust-lists").stdout)
        self.assertEqual(self.stat(f"{repo}:v2")["kind"], "tag", "the hidden one is still there")

    def test_an_age_beyond_150_years_is_taken_for_those(self):  # S442
        r = self.azure()
        for age in ("99999d", "99999999999999999999999d"):
            done = self.berth("purge", f"{r.host}/library/hello", "-f", ".*", "--ago", age, "-n")
            self.assertEqual(done.stderr, f"berth: warning: --ago {age} is taken for 150 years, the most that there is\n")
            self.assertIn("0 tags and 0 manifests", done.stdout)

    def test_interrupted_it_says_how_far_it_came(self):  # S272
        r = self.azure("--tags", "40", faults=[{"method": "DELETE", "target": "*/_tags/*", "times": 0, "action": "latency", "milliseconds": 150}])
        repo = f"{r.host}/library/many"
        process = self.start("purge", repo, "--filter", ".*", "--ago", "0d", "--yes", "-j", "1")
        seen = 0
        for line in process.stdout:
            seen += line.startswith(b"deleted ")
            if seen == 2:
                process.send_signal(signal.SIGINT)
                break
        rest, said = process.stdout.read(), process.stderr.read()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.returncode, 130, said)
        gone = seen + rest.count(b"\ndeleted ") + rest.startswith(b"deleted ")
        self.assertRegex(said.decode(), rf"interrupted after {gone} tags and 0 manifests; the rest was left as it was")
        self.fresh()
        left = len(self.berth("ls", repo).stdout.split())
        self.assertIn(40 - left, (gone, gone + 1), "one may have been under way")

    def test_what_went_meanwhile_counts_as_deleted(self):
        r = self.azure("--tags", "2", faults=[{"method": "DELETE", "target": "*/_tags/v1*", "action": "error", "status": 404, "code": "TAG_UNKNOWN"}])
        done = self.berth("purge", f"{r.host}/library/many", "--filter", ".*", "--ago", "0d", "--yes").stdout
        self.assertIn("2 tags and 0 manifests deleted", done)


class Refusals(AzureCase):
    """What refusals_test.py does not hold of S280 to S286."""

    def test_locked(self):  # S280
        r = self.azure()
        repo = f"{r.host}/library/hello"
        self.berth("set", repo, "can_write=false")
        shown = json.loads(self.berth("--json", "purge", repo, "--filter", "^v1$", "--ago", "0d", "--yes").stdout)
        self.assertEqual([kept["reason"] for kept in shown["kept"]], ["locked"])
        self.berth("set", repo, "can_delete=false")
        shown = json.loads(self.berth("--json", "purge", repo, "--filter", "^v1$", "--ago", "0d", "--yes", status=None).stdout)
        self.assertEqual((shown["plan"]["tags"], shown["kept"], shown["tags_deleted"]), ([], [], 0))
        self.assertIn("the repository itself is locked", shown["left_out"][0]["error"])

    def test_no_such_api(self):  # S286
        r = self.fake_registry("--tls", "--sample")
        config = self.folder / "config.toml"
        config.write_text(f'[registry."{r.host}"]\nca_file = "{r.said["ca"]}"\nacr = true\n')
        self.env["BERTH_CONFIG"] = str(config)
        self.assertEqual(self.berth("ls", f"{r.host}/library/hello").stdout.split(), ["latest", "v1"], "it is read all the same")
        self.assertIn("no Azure container registry", self.berth("deleted", "ls", r.host, status=1).stderr)


class Locks(AzureCase):
    def test_what_is_not_to_be_listed_is_in_no_list_and_found_by_its_name(self):  # S450
        r = self.azure()
        hello, library = f"{r.host}/library/hello", f"{r.host}/library"
        self.berth("set", f"{hello}:v1", "can_list=false")
        self.berth("set", f"{library}/multi", "can_list=false")
        self.fresh()
        self.assertEqual(self.berth("ls", hello).stdout.split(), ["latest"])
        self.assertEqual(self.berth("ls", library).stdout.split(), ["artifact", "hello"])
        self.assertIn("layers", self.berth("cat", f"{hello}:v1/manifest.json").stdout)
        self.assertFalse(self.stat(f"{hello}:v1")["can_list"])
        # What no list shows can be shown again.
        for hidden in (f"{hello}:v1", f"{library}/multi"):
            self.assertRegex(self.berth("set", hidden, "can_list=true").stdout, r"(?m)^can_list: +true$")
        self.fresh()
        self.assertEqual(self.berth("ls", hello).stdout.split(), ["latest", "v1"])
        self.assertEqual(self.berth("ls", library).stdout.split(), ["artifact", "hello", "multi"])
        self.assertIn("there is no", self.berth("set", f"{library}/none", "can_list=true", status=3).stderr)

    def test_what_is_refused_while_it_is_looked_for_is_not_absent(self):  # S450
        r = self.fake_registry("--sample", faults=[{"target": "*/tags/list*", "times": 0, "action": "error", "status": 403, "code": "DENIED"}])
        self.assertNotIn("there is no", self.berth("set", f"{r.host}/library/hello:none", "can_list=true", status=4).stderr)

    def test_what_is_not_to_be_read_is_listed_and_names_its_lock(self):  # S450
        r = self.azure()
        hello = f"{r.host}/library/hello"
        digest = self.stat(f"{hello}:v1")["digest"]
        for locked in (f"{hello}@{digest}", hello):
            self.berth("set", locked, "can_read=false")
            self.fresh()
            said = self.berth("cat", f"{hello}:v1/manifest.json", status=4).stderr
            self.assertEqual(self.berth("ls", hello).stdout.split(), ["latest", "v1"], locked)
            self.assertIn("it is locked: can_read is false", said)
            self.assertIn("`berth set PLACE can_read=true`", said)
            self.berth("set", locked, "can_read=true")
            self.fresh()
            self.assertIn("layers", self.berth("cat", f"{hello}:v1/manifest.json").stdout)
        self.berth("set", f"{hello}:v1", "can_read=false")
        self.fresh()
        self.assertIn("layers", self.berth("cat", f"{hello}:v1/manifest.json").stdout, "by the digest, which its properties tell")

    def test_a_purge_leaves_out_what_it_may_not_look_into(self):
        r = self.azure()
        digest = self.stat(f"{r.host}/library/multi:latest")["digest"]
        self.berth("set", f"{r.host}/library/multi@{digest}", "can_read=false")
        done = self.berth("purge", r.host, "--filter", ".*:nothing", "--untagged", "--ago", "0d", "-n", status=4)
        self.assertIn(f"what {r.host}/library/multi@{digest} needs", done.stderr)
        self.assertIn("it is locked: can_read is false", done.stderr)
        self.assertIn("0 tags and 0 manifests", done.stdout)


class Storage(AzureCase):
    SIZE = 24 << 20

    def test_a_link_to_the_storage_that_lapses_in_the_middle_is_asked_for_anew(self):
        # The first download stands still in its middle, and those that berth opens beside it at once.
        stall = {"server": "storage", "method": "GET", "action": "stall_body"}
        r = self.fake_registry("--acr", "--storage-seconds", "3", "--big", self.SIZE, faults=[
            {**stall, "from": 2, "times": 1, "at": self.SIZE // 3}, {**stall, "from": 2, "times": 0, "at": 0}])
        image = f"{r.host}/library/big:latest"
        digest = json.loads(self.berth("cat", f"{image}/manifest.json").stdout)["layers"][0]["digest"]
        self.berth("cat", f"{image}/config.json")  # the first blob
        self.links(r)
        copy = self.start("cp", f"{image}/layers/00.tar.gz", str(self.folder / "out"))
        self.addCleanup(copy.communicate)
        self.addCleanup(copy.kill)
        kept = lambda: sum(f.stat().st_blocks * 512 for f in (self.folder / "cache/ingest").rglob("data") if f.exists())
        wait_until(lambda: kept() > self.SIZE // 6, what="some bytes")
        links = self.links(r)
        lapsed = max(until for _, until in links)
        wait_until(lambda: time.time() >= lapsed, what="the end of the links")
        for link, _ in links:
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(link)
            self.assertEqual(refused.exception.code, 403)
        self.links(r)
        self.assertIsNone(copy.poll())
        r.clear_faults()
        r.break_storage()
        self.assertEqual(copy.wait(60), 0)
        self.assertEqual(digest_of((self.folder / "out").read_bytes()), digest)
        again = self.links(r)
        self.assertTrue(again)
        self.assertTrue(all(until > lapsed for _, until in again), "no link was used past its end")

    def links(self, registry):
        """To the storage, which were followed since the last call, each with its end."""
        return [(f"http://{registry.said['storage']}{target}", int(re.search(r"se=(\d+)", target).group(1)))
                for server, _, target in registry.requests() if server == "storage"]


class Mounted(AzureCase):
    def test_tags_properties_and_times(self):
        r = self.azure()
        mnt = self.mount(r.host)
        hello = mnt / "library/hello"
        self.assertEqual(sorted(os.listdir(hello / ".tags/v1")), ["can_delete", "can_list", "can_read", "can_write", "created", "digest", "updated"])
        self.assertEqual((hello / ".tags/v1/digest").read_text(), "sha256:" + os.readlink(hello / "v1").rsplit("/", 1)[1] + "\n")
        updated = (hello / ".tags/v1/updated").read_text()
        self.assertRegex(updated, r"^2023-03-07T02:")
        self.assertEqual(self.sh(f"date -u -r {hello}/.tags/v1/updated +%FT%H:%M:%S").strip(), updated[:19])
        self.assertEqual(self.sh(f"stat -c %Y {hello}/v1"), self.sh(f"stat -c %Y {hello}/.tags/v1"))
        self.assertEqual((hello / ".properties/tag_count").read_text(), "2\n")
        self.assertIn("properties", os.listdir(hello / "v1"))
        self.assertEqual((hello / "v1/properties/media_type").read_text(), "application/vnd.oci.image.manifest.v1+json\n")
        self.assertEqual(self.sh(f"ls -t {hello}").split(), ["v1", "latest"], "the newest first")
        self.assertEqual(os.stat(hello / ".tags/v1/can_read").st_size, 5)
        self.assertNotIn(".tags", os.listdir(hello))
        self.assertEqual(len(os.listdir(hello / ".manifests/sha256")), 2)

    def test_ls_l_of_a_mount_is_one_listing(self):
        r = self.azure("--tags", "300")
        mnt = self.mount(r.host)
        before = self.asked(mnt)
        self.assertEqual(len(self.sh(f"ls -l {mnt}/library/many").splitlines()), 301)
        self.assertLessEqual(self.asked(mnt) - before, 4, "no HEAD for each")

    def asked(self, mnt):
        return json.loads((mnt / ".berth/stats.json").read_text())["http_requests_total"]

    def test_a_read_only_mount_changes_nothing(self):
        r = self.azure()
        mnt = self.mount(r.host)
        path = mnt / "library/hello/.tags/v1/can_delete"
        self.assert_errno(errno.EROFS, path.write_text, "false\n")
        self.assertEqual(path.read_text(), "true\n")

    def test_properties_are_set_through_the_mount(self):
        r = self.azure()
        mnt = self.mount(r.host, "rw")
        path = mnt / "library/hello/.tags/v1/can_delete"
        self.assertEqual(path.read_text(), "true\n")
        self.sh(f"echo false > {path}")
        self.assertEqual(path.read_text(), "false\n")
        self.assertEqual(os.stat(path).st_size, 6)
        self.fresh()
        self.assertFalse(self.stat(f"{r.host}/library/hello:v1")["can_delete"])
        self.sh(f"echo true > {path}; echo false > {mnt}/library/hello/.properties/can_write; printf false > {mnt}/library/hello/v1/properties/can_write")
        self.fresh()
        self.assertTrue(self.stat(f"{r.host}/library/hello:v1")["can_delete"])
        self.assertFalse(self.stat(f"{r.host}/library/hello")["can_write"])
        self.assertIn("set can_delete of", (mnt / ".berth/log").read_text())

    def test_errors_come_from_write_itself(self):  # S148
        r = self.azure(faults=[{"method": "PATCH", "target": "*", "times": 0, "action": "error", "status": 403, "code": "DENIED", "message": "not you"}])
        mnt = self.mount(r.host, "rw")
        tag = mnt / "library/hello/.tags/v1"
        said = subprocess.run(["bash", "-c", f"echo false > {tag}/can_delete"], capture_output=True, text=True)
        self.assertEqual(said.returncode, 1)
        self.assertIn("Permission denied", said.stderr)
        self.assertIn("not you", (mnt / ".berth/log").read_text())
        self.assert_errno(errno.EINVAL, (tag / "can_delete").write_text, "maybe\n")
        self.assert_errno(errno.EPERM, (tag / "digest").write_text, "x")
        self.assert_errno(errno.EPERM, (mnt / "library/hello/v1/manifest.json").write_text, "x")
        self.assertEqual((tag / "can_delete").read_text(), "true\n")

    def test_under_allow_other_changes_are_the_mounters_alone(self):  # S149
        r = self.azure()
        mnt = self.mount(r.host, "rw,allow_other")
        path = mnt / "library/hello/.tags/v1/can_delete"
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"]
        self.assertEqual(subprocess.run([*nobody, f"cat {path}"], capture_output=True, text=True).stdout, "true\n")
        refused = subprocess.run([*nobody, f"echo false > {path}"], capture_output=True, text=True)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("Permission denied", refused.stderr)
        self.assertEqual(path.read_text(), "true\n")
        self.sh(f"echo false > {path}")
        self.assertEqual(path.read_text(), "false\n")

    def test_other_changes_are_refused_by_name(self):
        r = self.azure()
        mnt = self.mount(r.host, "rw")
        hello = mnt / "library/hello"
        for number, call in ((errno.EPERM, lambda: os.mkdir(hello / "new")), (errno.EPERM, lambda: (hello / "file").write_text("x")),
                             (errno.EPERM, lambda: os.chmod(hello / ".tags/v1/can_read", 0o600)), (errno.EPERM, lambda: os.utime(hello)),
                             (errno.EPERM, lambda: os.truncate(hello / "v1/manifest.json", 0)), (errno.EINVAL, lambda: os.truncate(hello / ".tags/v1/can_read", 3))):
            self.assert_errno(number, call)

    def test_offline_shows_what_was_seen(self):
        r = self.azure()
        self.berth("ls", "-l", f"{r.host}/library/hello")
        r.close()
        mnt = self.mount(r.host, "offline")
        self.assertEqual((mnt / "library/hello/.tags/v1/can_delete").read_text(), "true\n")
        self.assertRegex(self.sh(f"ls -l --time-style=full-iso {mnt}/library/hello"), r"2023-03-07 .* v1 ->")


if __name__ == "__main__":
    unittest.main()
