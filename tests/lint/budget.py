#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the sizes of files and how much of the public headers is comment; fails past the hard limits.

Hard: no file over 800 lines, public headers at least 25 % comment in all. The budget to aim for: median file
<= 130 lines, 95th percentile <= 500.
"""
import pathlib
import statistics
import sys

root = pathlib.Path(sys.argv[1])
files = {p: p.read_text(errors="replace").splitlines()
         for top in ("core", "fuse", "plugin") for ext in ("*.hpp", "*.cpp") for p in (root / top).rglob(ext)}
sizes = sorted(len(lines) for lines in files.values())
p95 = sizes[int(len(sizes) * 0.95)]
print(f"{len(files)} files, {sum(sizes)} lines, median {statistics.median(sizes):.0f}, 95 % {p95}, max {sizes[-1]}")
public = [line.strip() for path, lines in files.items() if "core/include" in path.as_posix() for line in lines if line.strip()]
share = 100 * sum(line.startswith("//") or "///" in line for line in public) / len(public)
print(f"public headers: {len(public)} lines, {share:.0f} % with a comment")
bad = [f"{p.relative_to(root)}: {len(l)} lines" for p, l in files.items() if len(l) > 800]
for line in bad:
    print("too long:", line)
sys.exit(1 if bad or share < 25 else 0)
