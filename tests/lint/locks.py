#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails when a file has a Mutex and the lock order in berth/base/sync.hpp does not name it, or names one that is not there.

A file is named by its layer and stem: core/src/tree/tags.hpp and core/src/tree/tags.cpp are tree/tags.
"""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
MUTEX = re.compile(r"^\s*(?:(?:mutable|static|inline)\s+)*Mutex\s+\w+\s*[;{=]", re.M)


def name_of(path):
    parts = path.relative_to(root).with_suffix("").parts
    if parts[:2] == ("core", "src"):
        return "/".join(parts[2:])
    if parts[:3] == ("core", "include", "berth"):
        return "/".join(parts[3:])
    return "/".join(parts)


def files():
    return [p for top in ("core", "fuse", "plugin") for ext in ("*.hpp", "*.cpp") for p in (root / top).rglob(ext)]


def check(order, having):
    """What is wrong, in sentences."""
    named = re.findall(r"\b[a-z_]+(?:/[a-z_0-9]+)+\b", order)
    return ([f"{name} has a Mutex that the lock order in berth/base/sync.hpp does not name" for name in sorted(having - set(named))] +
            [f"the lock order in berth/base/sync.hpp names {name}, which has no Mutex" for name in named if name not in having] +
            [f"the lock order in berth/base/sync.hpp names {name} twice" for name in sorted({n for n in named if named.count(n) > 1})])


if "--self-test" in sys.argv:
    planted = check("///   tree/tags, tree/gone, base/log, base/log", {"tree/tags", "base/log", "http/new"})
    assert [line.split()[0] for line in planted] == ["http/new", "the", "the"], planted
    assert MUTEX.search("  mutable Mutex mutex_;") and MUTEX.search("    Mutex mutex;") and not MUTEX.search("  Mutex& mutex_;"), "the pattern"
    assert not check("///   tree/tags, base/log", {"tree/tags", "base/log"})
    sys.exit(0)

text = (root / "core/include/berth/base/sync.hpp").read_text()
order = re.search(r"/// Lock order, (.*?)^class", text, re.M | re.S)
wrong = check(order.group(1) if order else "", {name_of(p) for p in files() if MUTEX.search(p.read_text(errors="replace"))})
for line in wrong:
    print(line)
sys.exit(1 if wrong else 0)
