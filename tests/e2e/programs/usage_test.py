# SPDX-License-Identifier: Apache-2.0
"""Wrong use is told before anything is done, in words that help."""
import json
import os
import unittest

from harness import Case


class LayoutTags(Case):
    def setUp(self):
        super().setUp()
        self.r = self.registry()
        for repository in ("a", "b"):
            self.r.push_image(repository, ["v1"], [repository.encode()])
        self.layout = self.folder / "layout"

    def test_two_sources_for_one_tag_are_wrong_use(self):
        # S210
        a, b = f"{self.r.host}/a:v1", f"{self.r.host}/b:v1"
        for target in (f"oci:{self.layout}:x", f"oci:{self.layout}"):
            done = self.berth("cp", a, b, target, status=2)
            self.assertIn(b, done.stderr)
            self.assertIn("with a tag of its own", done.stderr)
            self.assertFalse(self.layout.exists(), "nothing is copied")

    def test_sources_of_different_tags_or_equal_digests_are_copied_together(self):
        # S210
        self.r.push_image("c", ["v1", "v2"], [b"a"])
        self.berth("cp", f"{self.r.host}/a:v1", f"{self.r.host}/c:v1", f"{self.r.host}/c:v2", f"oci:{self.layout}")
        tags = [m["annotations"]["org.opencontainers.image.ref.name"] for m in json.loads((self.layout / "index.json").read_text())["manifests"]]
        self.assertEqual(sorted(tags), ["v1", "v2"])
        # One that is absent does not keep the others.
        self.berth("cp", f"{self.r.host}/nope:v3", f"{self.r.host}/b:v1", f"oci:{self.folder}/other", status=3)
        self.assertTrue(os.path.exists(self.folder / "other/index.json"))


if __name__ == "__main__":
    unittest.main()
