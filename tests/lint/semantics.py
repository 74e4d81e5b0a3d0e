#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a numbered sentence of docs/semantics.md has no test that bears its number, or a number stands twice."""
import collections
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
numbers = re.findall(r"^- \*\*(S\d+)\*\*", (root / "docs/semantics.md").read_text(), re.M)
tests = "\n".join(p.read_text(errors="replace") for ext in ("*.cpp", "*_test.py") for p in (root / "tests").rglob(ext))
missing = [n for n in numbers if not re.search(rf"\b{n}(_|\b)", tests)]
twice = [n for n, count in collections.Counter(numbers).items() if count > 1]
print(f"{len(numbers)} sentences, {len(missing)} without a test, {len(twice)} twice")
for n in missing + twice:
    print(n)
sys.exit(1 if missing or twice else 0)
