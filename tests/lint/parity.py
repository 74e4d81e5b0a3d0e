#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads docs/sdk-parity.md: every row names a test, every test that it names exists, and, where the official SDK is fetched
(tests/peers_sdk.sh), the table "Every type and its members" has a row for each type that the SDK exports, naming each public member and
option, and models.hpp has each value of its enums.

usage: parity.py ROOT tests|sdk. Exits 77 when the SDK is not there and is not required."""
import os
import pathlib
import re
import sys

root, what = pathlib.Path(sys.argv[1]), sys.argv[2]
page = (root / "docs/sdk-parity.md").read_text()


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def tests_that_are_missing():
    sources = "\n".join(path.read_text() for path in (root / "tests").rglob("*.cpp"))
    known = {f"{suite}.{test}" for suite, test in re.findall(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", sources)}
    for path in (root / "tests").rglob("*_test.py"):
        name = None
        for line in path.read_text().splitlines():
            if match := re.match(r"class (\w+)", line):
                name = match.group(1)
            elif match := re.match(r"    def (test_\w+)", line):
                known.add(f"{name}.{match.group(1)}")
    suites = {test.split(".")[0] for test in known}
    named = 0
    for line in page.splitlines():
        row = cells(line) if line.startswith("|") else []
        if len(row) < 3 or set(row[0]) <= set("- "):
            continue
        if not row[-1]:
            yield f"a row that shows nothing: {line[:100]}"
        suite = ""
        for word in re.findall(r"`([A-Za-z]*\.?\w+)`", row[-1]):
            suite = word.split(".")[0] or suite
            test = suite + word[word.index("."):] if "." in word else ""
            named += 1
            if test not in known if test else suite not in suites:
                yield f"no test {test or suite}: {line[:100]}"
    if named < 50:
        yield f"only {named} tests were found in the page: it is not read as it should be"


def types_of(text):
    """Exported classes, interfaces, object types and enums of a .d.ts, with their public members."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)
    for match in re.finditer(r"export (?:declare )?(?:class|interface|enum|type) (\w+)(?:[^={;]|=(?= \{))*\{", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        body = re.sub(r"\{[^{}]*\}", "{}", text[match.end():end - 1])
        members = set()
        for line in re.split(r"[;\n]", body):
            member = re.match(r"\s*(private |protected )?(?:static |readonly )*(\w+|\"[^\"]+\")\??\s*(?:[(:<=]|,?\s*$)", line)
            if member and not member.group(1) and member.group(2) != "constructor":
                members.add(member.group(2).strip('"'))
        yield match.group(1), members
    for name in re.findall(r"export (?:declare )?type (\w+) = \"", text):
        yield name, set()


def of_the_sdk(folder):
    sdk, out = folder / "node_modules/@azure", {}
    registry = sdk / "container-registry/dist/esm"
    for file in ("containerRegistryClient", "containerRepository", "registryArtifact", "models", "content/models", "content/containerRegistryContentClient"):
        out.update({name: members for name, members in types_of((registry / f"{file}.d.ts").read_text()) if not name.endswith("Impl")})
    generated = dict(types_of((registry / "generated/models/index.d.ts").read_text()))
    inherited = {}
    for package in ("core-client", "core-rest-pipeline"):
        for path in sorted((sdk / package / "dist/esm").glob("*.d.ts")):
            inherited.update(types_of(path.read_text()))
    out.update({name: generated[name] for name in ("ContainerRepositoryProperties", "ArtifactTagProperties")})
    out.update({name: inherited[name] for name in ("CommonClientOptions", "PipelineOptions", "InternalPipelineOptions", "OperationOptions", "OperationRequestOptions")})
    return out


def members_that_are_missing():
    folder = root / "build/peers/sdk"
    if not (folder / "fetched-lock.json").exists():
        required = os.environ.get("BERTH_REQUIRE_PEERS") == "1"
        print("the official SDK is not fetched (tests/peers_sdk.sh)" + (", and required here" if required else ": not run"))
        sys.exit(1 if required else 77)
    section = page.split("## Every type and its members", 1)[-1].split("\n## ", 1)[0]
    rows = {}
    for line in section.splitlines():
        row = cells(line) if line.startswith("|") else []
        for name in re.findall(r"`(\w+)`", row[0]) if row else []:
            rows[name] = re.findall(r"`([\w.]+)`", row[1])
    types = of_the_sdk(folder)
    print(f"{len(types)} types, {sum(map(len, types.values()))} members")
    if len(types) < 40:
        yield "the SDK's types are not read as they should be"
    for name, members in sorted(types.items()):
        if name not in rows:
            yield f"no row for {name}: {' '.join(sorted(members))}"
        elif lacking := members - set(rows[name]):
            yield f"the row of {name} lacks {' '.join(sorted(lacking))}"


def values_that_are_missing():
    registry = root / "build/peers/sdk/node_modules/@azure/container-registry/dist/esm"
    header = "".join((root / f"core/include/berth/{file}.hpp").read_text() for file in ("acr/models", "oci/media_type"))
    ours, values = set(re.findall(r'\bk\w+\s*=\s*"([^"]+)"', header)), {}
    for path in registry.rglob("*.d.ts"):
        for name, body in re.findall(r"export declare enum (Known(?:Artifact|Manifest|ContainerRegistry)\w+) \{(.*?)\n\}", path.read_text(), re.S):
            values[name] = set(re.findall(r'^ *\w+ = "([^"]+)"', body, re.M))
    print(f"{len(values)} enums, {sum(map(len, values.values()))} values")
    if len(values) < 4:
        yield "the SDK's enums are not read as they should be"
    for name, of_theirs in sorted(values.items()):
        if lacking := of_theirs - ours:
            yield f"{name}: no constant is {' '.join(sorted(lacking))}"


problems = list(tests_that_are_missing()) if what == "tests" else [*members_that_are_missing(), *values_that_are_missing()]
print("\n".join(problems) or "complete")
sys.exit(1 if problems else 0)
