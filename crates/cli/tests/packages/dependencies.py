"""Holds the crates of others against .config/deny.toml as far as that goes without network and without cargo-deny:
licences, sources, forbidden crates, and that each exception is still needed. Advisories are cargo-deny's.

    python3 dependencies.py .config/deny.toml
"""

import json
import re
import subprocess
import sys
import tomllib


def metadata():
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def permitted(expression, allowed):
    """Whether an SPDX expression can be met: one side of an OR, both of an AND."""
    words = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    at = 0

    def one():
        nonlocal at
        if words[at] == "(":
            at += 1
            met = either()
            at += 1
            return met
        name = words[at]
        at += 1
        if at < len(words) and words[at] == "WITH":
            name = f"{name} WITH {words[at + 1]}"
            at += 2
        return name in allowed

    def both():
        nonlocal at
        met = one()
        while at < len(words) and words[at] == "AND":
            at += 1
            met = one() and met
        return met

    def either():
        nonlocal at
        met = both()
        while at < len(words) and words[at] == "OR":
            at += 1
            met = both() or met
        return met

    return either()


def main():
    with open(sys.argv[1], "rb") as file:
        rules = tomllib.load(file)
    allowed = set(rules["licenses"]["allow"])
    exceptions = {one["crate"]: set(one["allow"]) for one in rules["licenses"].get("exceptions", [])}
    registries = {f"registry+{address}" for address in rules["sources"]["allow-registry"]}
    forbidden = {one["crate"] for one in rules["bans"]["deny"]}
    crates = [package for package in metadata()["packages"] if package["source"]]
    findings = []
    for package in crates:
        shown = f"{package['name']} {package['version']}"
        if package["source"] not in registries:
            findings.append(f"{shown} comes from {package['source']}")
        if package["name"] in forbidden:
            findings.append(f"{shown} is forbidden; `cargo tree --invert {package['name']}` says who asks for it")
        licence = package["license"] or ""
        if not licence or not permitted(licence, allowed | exceptions.get(package["name"], set())):
            findings.append(f"{shown} has the licence `{licence}`, which is not allowed")
        elif package["name"] in exceptions and permitted(licence, allowed):
            findings.append(f"{shown} needs no exception for its licence any more")
    names = {package["name"] for package in crates}
    findings += [f"`{name}` has an exception and is not used" for name in exceptions if name not in names]
    for finding in findings:
        print(finding, file=sys.stderr)
    if findings:
        sys.exit(f"{len(findings)} findings; {sys.argv[1]} says what crates may be")
    print(f"{len(crates)} crates: licences, sources and bans as {sys.argv[1]} says")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
