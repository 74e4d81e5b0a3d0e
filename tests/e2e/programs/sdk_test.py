# SPDX-License-Identifier: Apache-2.0
"""berth's client library beside the official SDK for JavaScript: every method of it, against the same servers, compared field by
field, with the requests counted."""
import os
import sys
import unittest

from harness import BIN, Case, official_sdk
from registry import digest_of
from sdk import TOKEN, Beside, Probe, comparable, image, operations


class BesideTheSdk(Case):
    def setUp(self):
        self.sdk_folder = official_sdk()
        super().setUp()
        # Each has a registry with the same content, so that changes of one are not seen by the other.
        self.theirs, self.ours = (self.acr("--sample", "--tags", "250") for _ in range(2))
        self.sdk, self.berth = self.probes(self.theirs.said["ca"])
        self.sdk_there, self.berth_there = self.probes(self.ours.said["ca"])  # at the other's registry

    def acr(self, *arguments):
        return self.fake_registry("--acr", "--tls", "--auth", "bearer", "--entra", TOKEN, *arguments)

    def probes(self, ca, **env):
        sdk, berth = Probe.sdk(self.sdk_folder, ca=ca, env={**self.env, **env}), Probe.berth(BIN, ca=ca, env={**self.env, **env})
        self.addCleanup(sdk.close)
        self.addCleanup(berth.close)
        return sdk, berth

    def beside(self, berth=None):
        # berth goes to its own registry, whose certificate is of another CA.
        return Beside(self.sdk, berth or self.berth_there, self.theirs, self.ours, self.folder)

    def digests(self):
        def of(repository, tag):
            answer = self.berth.ask("artifact.getTagProperties", endpoint=f"https://{self.theirs.host}", credential=TOKEN,
                                    repository=repository, reference=tag, tag=tag)
            return answer["value"]["digest"]
        return of("library/hello", "v1"), of("library/multi", "latest")

    def compare_all(self, fresh):
        beside = self.beside()
        for what, op, words in operations(self.folder, self.digests()):
            with self.subTest(what):
                (theirs, ours), counts = beside.run(what, op, words, fresh=fresh)
                self.assertEqual(ours, theirs)
                self.assertLessEqual(counts[1], counts[0], f"requests of berth and of the SDK: {what}")
                self.assertGreater(counts[1], 0)
                if op == "downloadBlob" and "value" in ours:
                    self.assertEqual((self.folder / "download-ours").read_bytes(), (self.folder / "download-theirs").read_bytes())
        return beside

    def state(self, probe, registry):
        """All that a registry holds, as one client tells it."""
        at = {"endpoint": f"https://{registry.host}", "credential": TOKEN}
        out = {"repositories": probe.ask("listRepositoryNames", **at)["value"]["items"]}
        for name in out["repositories"]:
            out[name] = [comparable(probe.ask(op, repository=name, reference="any", **at), registry.host) for op in
                         ("repository.getProperties", "repository.listManifestProperties", "artifact.listTagProperties")]
        return out

    def test_every_method_alone_gives_the_same_for_no_more_requests(self):
        beside = self.compare_all(fresh=True)
        # What each left behind is the same, whoever looks.
        states = [self.state(self.sdk, self.theirs), self.state(self.berth, self.theirs),
                  self.state(self.sdk_there, self.ours), self.state(self.berth_there, self.ours)]
        self.assertGreater(len(states[0]["repositories"]), 1)
        for state in states[1:]:
            self.assertEqual(state, states[0])
        total = [sum(row[side] for row in beside.table) for side in (1, 2)]
        self.assertLess(total[1], total[0])

    def test_every_method_of_one_client_after_another(self):
        beside = self.compare_all(fresh=False)
        total = [sum(row[side] for row in beside.table) for side in (1, 2)]
        # The SDK keeps one token, whatever it is good for; berth one for each scope.
        self.assertLess(total[1], 0.8 * total[0])

    def test_names_are_made_without_asking(self):
        words = {"repository": "library/hello", "reference": "v1"}
        for op in ("endpoint", "repositoryName", "artifactName", "contentName"):
            (theirs, ours), counts = self.beside().run(op, op, words)
            self.assertEqual(ours, theirs)
            self.assertEqual(counts, [0, 0])
        # The SDK's reference lacks the port, and so names another registry.
        (theirs, ours), counts = self.beside().run("fullyQualifiedReference", "fullyQualifiedReference", words)
        self.assertEqual((theirs["value"], ours["value"], counts), ("127.0.0.1/library/hello:v1", "HOST/library/hello:v1", [0, 0]))

    def test_one_goes_on_where_the_other_stopped(self):
        at = {"endpoint": f"https://{self.theirs.host}", "credential": TOKEN, "byPage": True, "pageSize": 60, "repository": "library/many",
              "reference": "v1", "order": "LastUpdatedOnDescending"}
        op = "artifact.listTagProperties"
        pages = [probe.ask(op, **at)["value"]["pages"] for probe in (self.sdk, self.berth)]
        self.assertEqual([len(page["items"]) for page in pages[0]], [60, 60, 60, 60, 10])
        tokens = [[page.get("continuationToken") for page in walk] for walk in pages]
        self.assertEqual(tokens[0], tokens[1])
        for token, probe in ((tokens[0][1], self.berth), (tokens[1][1], self.sdk)):
            rest = probe.ask(op, **at, continuationToken=token)["value"]["pages"]
            self.assertEqual([[item["name"] for item in page["items"]] for page in rest],
                             [[item["name"] for item in page["items"]] for page in pages[0][2:]])

    def test_without_a_login(self):
        for registry in (self.theirs, self.ours):
            registry.close()
        self.theirs, self.ours = (self.acr("--sample", "--anonymous-pull") for _ in range(2))
        self.sdk, self.berth_there = self.probes(self.theirs.said["ca"])[0], self.probes(self.ours.said["ca"])[1]
        beside = self.beside()
        hello = {"repository": "library/hello", "reference": "v1"}
        for op in ("artifact.listTagProperties", "repository.getProperties", "getManifest"):
            (theirs, ours), counts = beside.run(op, op, hello, credential="")
            self.assertEqual(ours, theirs)
            self.assertIn("value", ours)
            self.assertLessEqual(counts[1], counts[0])
        (theirs, ours), _ = beside.run("a change", "repository.updateProperties", {**hello, "changes": {"canWrite": False}}, credential="")
        self.assertEqual((theirs["error"]["status"], ours["error"]["status"]), (401, 401))

    def test_the_same_login_by_the_azure_cli(self):
        az = self.folder / "az"
        az.write_text(f'#!/bin/sh\necho "$@" >> "$AZ_LOG"\necho \'{{"accessToken": "{TOKEN}", "expiresOn": "2090-01-01 00:00:00.000000", '
                      '"expires_on": 3786912000, "subscription": "s", "tenant": "t", "tokenType": "Bearer"}\'\n')
        az.chmod(0o755)
        asked = []
        for name, side in (("theirs", 0), ("ours", 1)):
            log = self.folder / f"az-{name}.log"
            probe = self.probes(self.theirs.said["ca"], PATH=f"{self.folder}:{os.environ['PATH']}", AZ_LOG=str(log))[side]
            answer = probe.ask("listRepositoryNames", endpoint=f"https://{self.theirs.host}", credential="az")
            self.assertIn("library/hello", answer["value"]["items"])
            asked.append(sorted(log.read_text().split()))
        self.assertEqual(asked[1], asked[0])

    def test_a_digest_that_is_not_what_was_promised(self):
        for registry in (self.theirs, self.ours):
            registry.close()
        wrong = {"method": "GET", "target": "/v2/*/manifests/*", "action": "flip_byte", "at": 20}
        self.theirs, self.ours = (self.fake_registry("--acr", "--tls", "--sample", faults=[wrong]) for _ in range(2))
        self.sdk, self.berth_there = self.probes(self.theirs.said["ca"])[0], self.probes(self.ours.said["ca"])[1]
        words = {"repository": "library/hello", "reference": "v1", "endpoint": f"https://{self.theirs.host}"}
        self.assertEqual(self.sdk.ask("getManifest", **words)["error"]["name"], "DigestMismatchError")
        words["endpoint"] = f"https://{self.ours.host}"
        self.assertEqual(self.berth_there.ask("getManifest", **words)["error"]["name"], "digest_mismatch")


class ContentBesideTheSdk(Case):
    """The content client against docker-registry, with TLS and relative locations."""

    def setUp(self):
        self.sdk_folder = official_sdk()
        super().setUp()
        self.server = self.registry("tls")
        self.at = {"endpoint": f"https://{self.server.host}", "repository": "beside/sdk"}
        self.sdk = Probe.sdk(self.sdk_folder, ca=self.server.ca, env=self.env)
        self.berth = Probe.berth(BIN, ca=self.server.ca, env=self.env)
        self.addCleanup(self.sdk.close)
        self.addCleanup(self.berth.close)

    def ask(self, probe, op, **words):
        before = self.server.requests()
        answer = probe.ask(op, **self.at, **words)
        self.counted = self.server.requests() - before
        return comparable(answer, self.server.host)

    def value(self, probe, op, **words):
        answer = self.ask(probe, op, **words)
        self.assertIn("value", answer, answer)
        return answer["value"]

    def test_what_one_pushes_the_other_pulls(self):
        for number, (pusher, puller) in enumerate(((self.sdk, self.berth), (self.berth, self.sdk))):
            file = self.folder / f"layer-{number}"
            file.write_bytes(os.urandom((9 << 20) + number))
            content = file.read_bytes()
            self.assertEqual(self.value(pusher, "uploadBlob", file=str(file)), {"digest": digest_of(content), "sizeInBytes": len(content)})
            config = f'{{"number":{number}}}'
            self.value(pusher, "uploadBlob", text=config)
            manifest = image(config, "x").replace(digest_of(b"x"), digest_of(content)).replace('"size": 1}', f'"size": {len(content)}}}')
            self.assertEqual(self.value(pusher, "setManifest", text=manifest, tag=f"v{number}"), {"digest": digest_of(manifest.encode())})
            got = self.value(puller, "getManifest", reference=f"v{number}")
            self.assertEqual(got["content"], manifest)
            self.assertEqual(got, self.value(pusher, "getManifest", reference=got["digest"]))
            target = self.folder / f"pulled-{number}"
            self.value(puller, "downloadBlob", digest=got["layers"][0]["digest"], file=str(target))
            self.assertEqual(target.read_bytes(), content)

    def test_deletions_and_refusals_are_the_same(self):
        empty = self.value(self.sdk, "uploadBlob", text="")
        self.assertEqual(self.value(self.berth, "uploadBlob", text=""), empty)
        absent = "sha256:" + "1" * 64
        for op, words in (("getManifest", {"reference": "none"}), ("getManifest", {"reference": absent}),
                          ("downloadBlob", {"digest": absent, "file": str(self.folder / "absent")}),
                          ("deleteBlob", {"digest": absent}), ("deleteManifest", {"digest": absent}),
                          ("setManifest", {"text": image("absent", "too"), "tag": "broken"}),
                          ("listRepositoryNames", {}), ("repository.getProperties", {}), ("artifact.getTagProperties", {"reference": "v", "tag": "v"})):
            with self.subTest(op):
                theirs, ours = self.ask(self.sdk, op, **words), self.ask(self.berth, op, **words)
                self.assertEqual(ours, theirs)
        for pusher, deleter in ((self.sdk, self.berth), (self.berth, self.sdk)):
            pushed = self.value(pusher, "uploadBlob", text="to be deleted")
            self.value(deleter, "deleteBlob", digest=pushed["digest"])
            self.assertEqual(self.server.request("HEAD", f"/v2/beside/sdk/blobs/{pushed['digest']}")[0], 404)

    def test_no_more_requests_than_the_sdk(self):
        file = self.folder / "file"
        file.write_bytes(os.urandom(9 << 20))
        for op, words in (("uploadBlob", {"text": "some bytes"}), ("uploadBlob", {"file": str(file)}), ("uploadBlob", {"text": ""}),
                          ("downloadBlob", {"digest": digest_of(b"some bytes"), "file": str(self.folder / "to")}),
                          ("getManifest", {"reference": "none"}), ("deleteBlob", {"digest": digest_of(b"some bytes")})):
            counts = []
            for probe in (self.sdk, self.berth):
                self.ask(probe, op, **words)
                counts.append(self.counted)
                if op == "deleteBlob":
                    self.value(probe, "uploadBlob", text="some bytes")
            self.assertLessEqual(counts[1], counts[0], op)
            self.assertGreater(counts[1], 0, op)


if __name__ == "__main__":
    unittest.main()
