# SPDX-License-Identifier: Apache-2.0
"""Every refusal of an Azure container registry, by the command that meets it: the whole line that a person reads."""
import base64
import json
import pathlib
import re
import unittest

from azure_test import AzureCase

ABSENT = "sha256:" + "b" * 64
MISSING = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
                      "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": ABSENT, "size": 2}})
LOCKED = ("it is locked: can_write or can_delete is false (HTTP 405 REGISTRY_DISALLOWED_OPERATION: The operation is disallowed on this registry, "
          "repository or image. View troubleshooting steps at "
          "https://aka.ms/acr/faq/#why-does-my-pull-or-push-request-fail-with-disallowed-operation); set both to true first; "
          "`berth set PLACE can_write=true can_delete=true` does, of the tag, its manifest and its repository, whichever is locked "
          "(`berth stat PLACE` shows it) (correlation id N)")
LACKS = ("the account lacks that right, or there is no such repository; the registry says insufficient_scope; "
         "tried: D/home/.docker/config.json (found)")
DELETING = ("deleting needs the right content/delete: of the role AcrDelete, or of Container Registry Repository Contributor on a registry whose "
            "rights are per repository (ABAC)")


def fault(status, code, message, method="", target="*", **headers):
    body = json.dumps({"errors": [{"code": code, "message": message}]})
    headers = {"Content-Type": "application/json", "X-Ms-Correlation-Request-Id": "correlation-1", **headers}
    return {"method": method, "target": target, "times": 0, "action": "status", "status": status, "body": body, "headers": headers}


class RefusalCase(AzureCase):
    def read(self, words, status, expected, before=(), faults=(), options=(), **more):
        """The last line of what `words` says; $R is the registry, $D a folder (D in the line), $DIGEST that of hello:v1 (any digest in the
        line), N a correlation id."""
        with self.subTest(words, fault=[f["status"] for f in faults]):
            r = self.azure(*options, faults=faults, **more)
            self.fresh()
            self.log_in(r)
            (self.folder / "file").write_text("hello")
            (self.folder / "missing.json").write_text(MISSING)
            digest = self.stat(f"{r.host}/library/hello:v1")["digest"] if "$DIGEST" in words else ""
            real = lambda text: text.replace("$DIGEST", digest).replace("$R", r.host).replace("$D", str(self.folder))
            for command in before:
                self.berth(*real(command).split())
            said = self.berth(*real(words).split(), status=status).stderr.splitlines()[-1]
            said = said.replace(r.host, "$R").replace(str(self.folder), "D")
            said = re.sub(r"sha256:(?!b{64})[0-9a-f]{64}", "$DIGEST", said)
            said = re.sub(r"correlation id correlation-\d+\)$", "correlation id N)", said)
            self.assertEqual(said, "berth: " + expected)
            r.close()

    def log_in(self, registry):
        file = pathlib.Path(self.env["HOME"]) / ".docker/config.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"auths": {registry.host: {"auth": base64.b64encode(b"alice:wonder").decode()}}}))
        file.chmod(0o600)


class EveryRefusal(RefusalCase):
    def test_401_the_account_lacks_the_right(self):  # S284
        few = {"auth": "bearer", "options": ["--rights", "pull,metadata_read"]}
        who = "$R refused user alice (from ~/.docker/config.json) for "
        self.read("tag $R/library/hello:v1 w", 4, "push of manifest $R/library/hello:w: " + who + f"repository:library/hello:pull,push: {LACKS} (correlation id N)", **few)
        self.read("cp $D/file $R/library/hello/.blobs/", 4, "upload of $R/library/hello: " + who + f"repository:library/hello:pull,push: {LACKS} (correlation id N)", **few)
        self.read("untag $R/library/hello:v1", 4, "deleting tag $R/library/hello:v1: " + who + f"repository:library/hello:delete: {LACKS}; {DELETING} (correlation id N)", **few)
        self.read("set $R/library/hello:v1 can_delete=true", 4,
                  "changing tag $R/library/hello:v1: " + who + f"repository:library/hello:metadata_write: {LACKS}; setting properties needs the right "
                  "metadata/write: of the role AcrPush alone it is no part on a registry whose rights are per repository (ABAC), where Container Registry "
                  "Repository Writer or Contributor has it (correlation id N)", **few)
        self.read("ls $R", 4, "repositories of $R: " + who + f"registry:catalog:*: {LACKS}; on a registry whose rights are per repository (ABAC) the list "
                  "needs the role Container Registry Repository Catalog Lister: name the repository, REGISTRY/NAME, without it (correlation id N)", **few)

    def test_403_denied(self):  # S283
        said = "client with IP '1.2.3.4' is not allowed access. Refer https://aka.ms/acr/firewall to grant access."
        self.read("ls $R/library/hello", 4, f"tags of $R/library/hello: the registry does not allow it (HTTP 403 DENIED: {said}); this is the registry's "
                  "firewall, not your login: let the address in under Networking of the registry, or go by its private endpoint (correlation id N)",
                  faults=[fault(403, "DENIED", said)])
        self.read("ls $R/library/hello", 4, "tags of $R/library/hello: the registry does not allow it (HTTP 403 DENIED: retrieving permissions failed); the "
                  "registry could not look up your rights: try again; if it stays so, the identity or its role assignment was removed (correlation id N)",
                  faults=[fault(403, "DENIED", "retrieving permissions failed")])
        self.read("ls $R/library/hello", 4, "tags of $R/library/hello: the registry does not allow it (HTTP 403 DENIED: requested access is denied); ask its "
                  "owner for the permission, or log in as somebody who has it (correlation id N)", faults=[fault(403, "DENIED", "requested access is denied")])

    def test_404_what_is_not_there(self):  # S282, S285
        self.read("set $R/library/nothing:v1 can_read=true", 3, "tag $R/library/nothing:v1: the registry does not have it (HTTP 404 NAME_UNKNOWN: repository "
                  "name not known to registry) (correlation id N)")
        for words in ("untag $R/library/hello:none", "tag $R/library/hello:none other", "cp $R/library/hello:none oci:$D/out"):
            self.read(words, 3, "tag $R/library/hello:none: the registry does not have it (HTTP 404 TAG_UNKNOWN: the specified tag does not exist) "
                      "(correlation id N)")
        for words in (f"rm $R/library/hello@{ABSENT}", f"cp $R/library/hello@{ABSENT} oci:$D/out"):
            self.read(words, 3, f"manifest $R/library/hello@{ABSENT}: the registry does not have it (HTTP 404 MANIFEST_UNKNOWN: manifest {ABSENT} is not "
                      "found) (correlation id N)")
        self.read(f"cat $R/library/hello/.blobs/sha256/{'b' * 64}", 3, f"$R/library/hello/.blobs/sha256/{'b' * 64}: $R/library/hello holds no blob {ABSENT} "
                  "(correlation id N)")
        self.read("cp $R/library/hello:v1 oci:$D/out", 3, "blob of $R/library/hello@$DIGEST: the registry does not have it (HTTP 404 BLOB_UNKNOWN: blob "
                  "unknown to registry) (correlation id N)", faults=[fault(404, "BLOB_UNKNOWN", "blob unknown to registry", "GET", "*/blobs/*")])
        # As of a registry that is not known for Azure's: a HEAD, which has no words.
        self.read("tag $R/library/hello:none other", 3, "manifest of $R/library/hello:none: the registry does not have it (HTTP 404) (correlation id N)", says="")

    def test_404_uploads_that_were_given_up(self):  # S285
        for code, message, remedy in (("BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry", "the registry gave the upload up: start it again"),
                                      ("BLOB_UPLOAD_INVALID", "blob upload invalid", "the upload went out of step with the registry after a broken "
                                       "connection: start it again")):
            self.read("cp $D/file $R/library/hello/.blobs/", 3, f"upload of $R/library/hello: the registry does not have it (HTTP 404 {code}: {message}); "
                      f"{remedy} (correlation id N)", faults=[fault(404, code, message, method, "*/blobs/uploads/*") for method in ("PATCH", "GET")])

    def test_400_what_was_sent_is_wrong(self):  # S285
        refused = "the registry refused the request (HTTP 400 "
        self.read("cp $D/file $R/library/hello/.blobs/", 1, "upload of $R/library/hello: the registry received other bytes than were sent; upload of "
                  f"$R/library/hello: {refused}DIGEST_INVALID: provided digest did not match uploaded content) (correlation id N)",
                  faults=[fault(400, "DIGEST_INVALID", "provided digest did not match uploaded content", "PUT", "*/blobs/uploads/*")])
        self.read("cp $D/file $R/library/hello/.blobs/", 1, f"upload of $R/library/hello: {refused}NAME_INVALID: invalid repository name) (correlation id N)",
                  faults=[fault(400, "NAME_INVALID", "invalid repository name", "POST", "*/blobs/uploads/*")])
        self.read("tag $R/library/hello:v1 w", 1, f"push of manifest $R/library/hello:w: {refused}MANIFEST_INVALID: manifest invalid) (correlation id N)",
                  faults=[fault(400, "MANIFEST_INVALID", "manifest invalid", "PUT")])
        self.read("cp $D/missing.json $R/library/hello:w", 1, f"push of manifest $R/library/hello:w: {refused}MANIFEST_BLOB_UNKNOWN: blob unknown to "
                  "registry) (correlation id N)")
        # What berth itself finds wrong with a file.
        self.read("cp $D/file $R/library/hello/.manifests/", 2, "D/file is no manifest; a blob is copied to $R/library/hello/.blobs/: a manifest for "
                  "$R/library/hello without a media type: it names none itself, give one")

    def test_405_what_is_locked(self):  # S280
        lock = ["set $R/library/hello:v1 can_write=false"]
        self.read("tag $R/library/hello:latest v1", 4, "push of manifest $R/library/hello:v1: " + LOCKED, before=lock)
        self.read("cp $R/library/multi:latest $R/library/hello:v1", 4, "push of manifest $R/library/hello:v1: " + LOCKED, before=lock)
        self.read("untag $R/library/hello:v1", 4, "deleting tag $R/library/hello:v1: " + LOCKED, before=lock)
        self.read("rm -f $R/library/hello@$DIGEST", 4, "deletion of manifest $R/library/hello@$DIGEST: " + LOCKED, before=lock)
        self.read("rm -rf $R/library/hello", 4, "deleting repository $R/library/hello: " + LOCKED, before=lock)

    def test_405_by_tag(self):  # S285
        # Only who does not know the registry for Azure's asks so.
        self.read("untag $R/library/hello:v1", 1, "untagging of $R/library/hello:v1: the registry cannot remove a tag alone; to delete the manifest with all "
                  "its tags, name it by its digest; untagging of $R/library/hello:v1: the registry does not offer it (HTTP 405 UNSUPPORTED: A manifest can "
                  "only be deleted by digest.) (correlation id N)", says="")

    def test_409_somebody_else_is_at_it(self):  # S285
        self.read("deleted restore $R/library/hello@$DIGEST --tag latest", 1, "restoring $R/library/hello@$DIGEST: it was changed meanwhile, or is in use "
                  "(HTTP 409 CONFLICT: the tag exists and leads to another manifest); another manifest has the tag by now: `berth deleted restore "
                  "--force` moves it (correlation id N)", options=["--soft-delete"],
                  before=["cp $R/library/multi:latest $R/library/hello:latest"])

    def test_429_too_many(self):  # S281
        self.read("tag $R/library/hello:v1 w", 1, "push of manifest $R/library/hello:w: the registry wants fewer requests (HTTP 429 TOOMANYREQUESTS: too many "
                  "requests); try again in 300 s (correlation id N)", faults=[fault(429, "TOOMANYREQUESTS", "too many requests", "PUT", **{"Retry-After": "300"})])

        # Whether it is a repository at all is told by the list of them.
        self.read("ls $R/library/hello", 1, "$R/library/hello: looking for it: repositories of $R: the registry wants fewer requests (HTTP 429 "
                  "TOOMANYREQUESTS: too many requests); try again in 300 s (correlation id N)",
                  faults=[fault(429, "TOOMANYREQUESTS", "too many requests", "GET", "*_catalog*", **{"Retry-After": "300"})])

    def test_404_no_such_api(self):  # S286
        self.read("deleted ls $R", 1, "deleted repositories of $R: $R has no such API: it is no Azure container registry, or the address is not its own "
                  "(HTTP 404)", faults=[{"method": "GET", "target": "/acr/*", "times": 0, "action": "status", "status": 404, "body": "Not found"}])


if __name__ == "__main__":
    unittest.main()
