#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads docs/sdk-parity.md.
tests: every row names a test, or says "not applicable:" and why; every test that it names exists; and the table "Every type and its
  members" has each type of sdk-members.txt with each of its members: all that the official SDK exports, and all types of the packages
  below it that those lead to.
sdk: where the official SDK is fetched (tests/peers_sdk.sh), sdk-members.txt is what its own .d.ts files say, and models.hpp has each
  value of its enums.
write: writes sdk-members.txt from the SDK that is fetched.

usage: parity.py ROOT tests|sdk|write. Exits 77 when the SDK is not there and is not required."""
import os
import pathlib
import re
import sys

root, what = pathlib.Path(sys.argv[1]), sys.argv[2]
page = (root / "docs/sdk-parity.md").read_text()
members_file = root / "tests/lint/sdk-members.txt"
NOT_APPLICABLE = "not applicable: "


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
    named = 0
    for line in page.splitlines():
        row = cells(line) if line.startswith("|") else []
        if len(row) < 3 or row[-1] == "shown by" or set(row[0]) <= set("- "):
            continue
        words, suite = re.findall(r"`([A-Za-z]*\.?\w+)`", row[-1]), ""
        if not words and not row[-2].startswith(NOT_APPLICABLE):
            yield f"a row that shows nothing: {line[:100]}"
        for word in words:
            suite = word.split(".")[0] or suite
            test = suite + word[word.index("."):] if "." in word else ""
            named += 1
            if test not in known:
                yield f"no test {test}: {line[:100]}" if test else f"a suite and none of its tests ({suite}): {line[:100]}"
    if named < 50:
        yield f"only {named} tests were found in the page: it is not read as it should be"


def members_without_a_row():
    section = page.split("## Every type and its members", 1)[-1].split("\n## ", 1)[0]
    rows = {}
    for line in section.splitlines():
        row = cells(line) if line.startswith("|") else []
        for name in re.findall(r"`(\w+)`", row[0]) if row else []:
            rows.setdefault(name, set()).update(re.findall(r"`([\w.]+)`", row[1]))
    for line in members_file.read_text().splitlines():
        if line.startswith("#"):
            continue
        name, *members = line.replace(":", " ").split()
        if name not in rows:
            yield f"no row for {name}: {' '.join(members)}"
        elif lacking := set(members) - rows.pop(name):
            yield f"the rows of {name} lack {' '.join(sorted(lacking))}"
    for name in sorted(rows):
        yield f"a row of {name}, which the SDK has not"


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


def types_of(text):
    """Exported classes, interfaces, types and enums of a .d.ts: their names, public members, and all else that they name."""
    for part in re.split(r"^export ", without_comments(text), flags=re.M)[1:]:
        head = re.match(r"(?:declare )?(class|interface|enum|type) (\w+)(?:<[^{};]*?>)?((?:[^={;]|=(?= \{))*\{)?", part)
        if head:
            yield head.group(2), members_of(part[head.end():]) if head.group(3) else set(), set(re.findall(r"\b[A-Z]\w+", part))


def members_of(text):
    depth, end = 1, 0
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    body, members = re.sub(r"\{[^{}]*\}", "{}", text[:end - 1]), set()
    for line in re.split(r"[;\n]", body):
        member = re.match(r"\s*(private |protected )?(?:static |readonly )*(\w+|\"[^\"]+\")\??\s*(?:[(:<=]|,?\s*$)", line)
        if member and not member.group(1) and member.group(2) not in ("constructor", "new"):
            members.add(member.group(2).strip('"'))
    return members


def of_the_sdk(folder):
    """What the SDK exports, what its calls throw, and whatever type of the packages below it these name."""
    sdk, members, names = folder / "node_modules/@azure", {}, {}
    registry, roots = sdk / "container-registry/dist/esm", {"InternalPipelineOptions", "RestError", "AbortError"}
    files = [registry / f"{file}.d.ts" for file in (
        "containerRegistryClient", "containerRepository", "registryArtifact", "models", "content/models", "content/containerRegistryContentClient")]
    for file in files:
        roots |= {name for name, _, _ in types_of(file.read_text()) if not name.endswith("Impl")}
    files.append(registry / "generated/models/index.d.ts")
    for package in ("abort-controller", "core-auth", "core-client", "core-paging", "core-rest-pipeline", "core-tracing"):
        files += sorted((sdk / package / "dist/esm").rglob("*.d.ts"))
    for file in files:
        for name, of_it, named in types_of(file.read_text()):
            members.setdefault(name, of_it)
            names.setdefault(name, named)
    found = set()
    while roots:
        found.add(name := roots.pop())
        roots |= {other for other in names[name] if other in names} - found
    return {name: members[name] for name in sorted(found)}


def of_the_sdk_as_text():
    folder = root / "build/peers/sdk"
    if not (folder / "fetched-lock.json").exists():
        required = os.environ.get("BERTH_REQUIRE_PEERS") == "1"
        print("the official SDK is not fetched (tests/peers_sdk.sh)" + (", and required here" if required else ": not run"))
        sys.exit(1 if required else 77)
    types = of_the_sdk(folder)
    print(f"{len(types)} types, {sum(map(len, types.values()))} members")
    head = ("# Every type that a user of @azure/container-registry 1.1.2 meets, with its public members: `parity.py ROOT write`.\n"
            "# docs/sdk-parity.md has a row for each.\n")
    return head + "".join(f"{name}: {' '.join(sorted(members))}".rstrip() + "\n" for name, members in types.items())


def list_that_is_old():
    now = of_the_sdk_as_text().splitlines()
    if len(now) < 80:
        yield "the SDK's types are not read as they should be"
    listed = members_file.read_text().splitlines()
    yield from (f"{members_file.name} lacks: {line}" for line in now if line not in listed)
    yield from (f"{members_file.name} has, and the SDK has not: {line}" for line in listed if line not in now)


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


if what == "write":
    members_file.write_text(of_the_sdk_as_text())
    sys.exit(0)
problems = [*tests_that_are_missing(), *members_without_a_row()] if what == "tests" else [*list_that_is_old(), *values_that_are_missing()]
print("\n".join(problems) or "complete")
sys.exit(1 if problems else 0)
