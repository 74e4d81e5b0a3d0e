#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fails, printing the chain, when a layer includes or links what tests/lint/layers.txt does not allow it.

usage: layers.py SOURCE_ROOT [--self-test]
Includes are followed file by file, so that a forbidden layer is found also behind an allowed header of a lower one.
Links are read from the CMake lists of core, fuse and plugin, and followed target by target.
"""
import pathlib
import re
import sys

THIRD_PARTY = ("fmt/", "openssl/", "simdjson", "nlohmann/", "toml++/", "curl/", "spdlog/", "CLI/", "fuse3/",
               "fuse_lowlevel", "fuse_opt", "fuse.h", "grpc", "pcre2", "zlib.h", "zstd.h")
# Files of a layer's folder that are a target of their own.
SPLIT = {"digest/digest": "digest_text", "oci/reference": "oci_names"}


def read_rules(path):
    uses, third = {}, {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if not line:
            continue
        name, rest = line.split(":", 1)
        layers, _, headers = rest.partition("|")
        uses[name], third[name] = layers.split(), tuple(headers.split())
    return uses, third


def closure(uses, layer):
    seen, queue = {layer}, [layer]
    while queue:
        for other in uses[queue.pop()]:
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return seen


def layer_of(root, path):
    relative = path.relative_to(root).as_posix()
    for prefix in ("core/include/berth/", "core/src/"):
        if relative.startswith(prefix):
            inside = relative[len(prefix):]
            stem = inside.rsplit(".", 1)[0]
            return SPLIT.get(stem, inside.split("/")[0])
    if relative.startswith("fuse/"):
        return "fuse"
    if relative.startswith("plugin/"):
        folder = relative.split("/")[1]
        return {"credential": "helper"}.get(folder, folder)  # core has a layer of that name
    return None


def includes(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if match:
            yield number, match.group(2)


def resolve(root, path, name):
    for base in (root / "core/include", root / "core/src", path.parent, root / "fuse", root / "plugin/cli", root / "plugin/credential"):
        candidate = base / name
        if candidate.is_file():
            return candidate
    return None


def check_file(root, uses, third, start):
    layer = layer_of(root, start)
    if layer is None or layer not in uses:
        return [f"{start.relative_to(root)}: its layer is not in layers.txt"]
    allowed, problems = closure(uses, layer), []
    stack, seen = [(start, [start])], {start}
    while stack:
        path, chain = stack.pop()
        for number, name in includes(path):
            if name.startswith(("support/", "tests/")) or name.startswith(("gtest/", "gmock/")):
                problems.append(describe(root, chain, number, name, "product code must not use tests/support"))
            target = resolve(root, path, name)
            if target is None:
                if path == start and name.startswith(THIRD_PARTY) and not name.startswith(third[layer] or ("\0",)):
                    problems.append(describe(root, chain, number, name, f"{layer} may not use this library"))
                continue
            other = layer_of(root, target)
            if other and other not in allowed:
                problems.append(describe(root, chain + [target], number, name, f"{layer} may not use {other}"))
            elif target not in seen:
                seen.add(target)
                stack.append((target, chain + [target]))
    return problems


def describe(root, chain, number, name, why):
    steps = " -> ".join(p.relative_to(root).as_posix() for p in chain)
    return f"{steps} (line {number}: {name}): {why}"


def read_links(root):
    """target -> the targets of ours that it links, from berth_layer(... USES ...) and target_link_libraries(...)."""
    links = {}
    for cmake in [p for top in ("core/src", "fuse", "plugin") for p in sorted((root / top).rglob("CMakeLists.txt"))]:
        text = re.sub(r"#.*", "", cmake.read_text())
        for name, body in re.findall(r"berth_layer\(\s*(\w+)([^)]*)\)", text):
            used = re.search(r"USES\s+([\w\s]*?)(?:PRIVATE|SOURCES|$)", body)
            links.setdefault(name, set()).update(used.group(1).split() if used else [])
        for name, body in re.findall(r"target_link_libraries\(\s*(\S+)([^)]*)\)", text):
            links.setdefault(name.removeprefix("berth_"), set()).update(re.findall(r"\bberth_(\w+)", body))
    return links


def check_links(root, uses):
    """The whole way from a target to a layer that it may not have, whoever on the way linked it."""
    links, problems = read_links(root), []
    # The libraries are named as the layers; a program may have what its library may.
    programs = {"berth": "cli", "berthfs": "fuse", "${name}": "helper"}
    for start in links:
        layer = programs.get(start, start)
        allowed = closure(uses, layer) if layer in uses else {start}
        stack, seen = [[start]], {start}
        while stack:
            chain = stack.pop()
            for other in sorted(links.get(chain[-1], ())):
                if other in seen or other not in uses:
                    continue
                seen.add(other)
                if other not in allowed:
                    problems.append(f"{' -> '.join(chain + [other])}: {layer} may not link {other}")
                else:
                    stack.append(chain + [other])
    return problems


def check_cycles(uses):
    return [f"layers.txt: {a} and {b} use each other" for a in uses for b in uses
            if a < b and b in closure(uses, a) and a in closure(uses, b)]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    uses, third = read_rules(root / "tests/lint/layers.txt")
    if "--self-test" in sys.argv:
        return self_test(root)
    files = [p for top in ("core", "fuse", "plugin") for ext in ("*.hpp", "*.cpp") for p in sorted((root / top).rglob(ext))]
    problems = check_cycles(uses) + check_links(root, uses)
    for path in files:
        problems += check_file(root, uses, third, path)
    for problem in problems:
        print(problem)
    print(f"{len(files)} files, {len(problems)} forbidden arrows")
    return 1 if problems else 0


def self_test(root):
    """The checker finds what is planted: an upward include behind an allowed header, a library, a link."""
    import shutil
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "tree"
        shutil.copytree(root / "core", copy / "core")
        (copy / "core/src/base/planted.hpp").write_text('#include "berth/http/url.hpp"\n')
        (copy / "core/src/json/planted.cpp").write_text('#include "base/planted.hpp"\n#include <curl/curl.h>\n')
        (copy / "core/src/base/CMakeLists.txt").write_text("berth_layer(base USES tree)\n")
        (copy / "plugin").mkdir()
        (copy / "plugin/CMakeLists.txt").write_text("target_link_libraries(berth_helper PUBLIC berth_credential PRIVATE berth_json)\n"
                                                    "target_link_libraries(${name} PRIVATE berth_helper)\n")
        uses, third = read_rules(root / "tests/lint/layers.txt")
        found = check_links(copy, uses)
        found += check_file(copy, uses, third, copy / "core/src/json/planted.cpp")
        expected = ("base -> tree", "${name} -> helper -> json", "credential -> base -> tree", "json may not use http", "json may not use this library")
        missed = [e for e in expected if not any(e in f for f in found)]
        chain = any("json/planted.cpp -> core/src/base/planted.hpp -> core/include/berth/http/url.hpp" in f for f in found)
        for line in found:
            print("found:", line)
        if missed or not chain:
            print("missed:", missed, "chain printed:", chain)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
