#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a numbered sentence of docs/semantics.md has no test that bears its number, a number stands twice, or a comment with a number stands above no test."""
import collections
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
numbers = re.findall(r"^- \*\*(S\d+)\*\*", (root / "docs/semantics.md").read_text(), re.M)
texts = {p: p.read_text(errors="replace") for ext in ("*.cpp", "*_test.py") for p in (root / "tests").rglob(ext)}
tests = "\n".join(texts.values())
# In C++ the comment stands right above its test, or at the head of a file that is all of the sentence's.
stray = [f"{p.relative_to(root)}: {found[1]}" for p, text in texts.items() if p.suffix == ".cpp"
         for found in re.finditer(r"^(//.*\bS\d+\b.*)\n(?://.*\n)*(?!//|TEST|#include)", text, re.M)]
missing = [n for n in numbers if not re.search(rf"\b{n}(_|\b)", tests)]
twice = [n for n, count in collections.Counter(numbers).items() if count > 1]
print(f"{len(numbers)} sentences, {len(missing)} without a test, {len(twice)} twice, {len(stray)} above no test")
for n in missing + twice + stray:
    print(n)
sys.exit(1 if missing or twice or stray else 0)
