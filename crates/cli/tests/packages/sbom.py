"""Writes what the program is made of, as a CycloneDX document, from `cargo metadata`. Needs no network.

    python3 sbom.py OUT.json

Only what is compiled into the program is listed: neither build tools nor what the tests use, for any system.
"""

import json
import subprocess
import sys
import uuid
from datetime import datetime, timezone

PROGRAM = "throughline-cli"


def metadata():
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def reached(nodes, first):
    """What the program needs at run time, itself included."""
    seen, waiting = set(), [first]
    while waiting:
        package = waiting.pop()
        if package in seen:
            continue
        seen.add(package)
        for needed in nodes[package]["deps"]:
            if any(kind["kind"] is None for kind in needed["dep_kinds"]):
                waiting.append(needed["pkg"])
    return seen


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def licence(package):
    text = (package["license"] or "").replace(" / ", " OR ").replace("/", " OR ")
    return [{"expression": text}] if text else []


def component(package, checksums):
    described = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "licenses": licence(package),
        "purl": reference(package),
    }
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if package["repository"]:
        described["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
    return described


def checksums(workspace):
    """The sums of Cargo.lock, by name and version."""
    sums, name, version = {}, None, None
    with open(f"{workspace}/Cargo.lock", encoding="utf-8") as lock:
        for line in lock:
            key, _, value = line.strip().partition(" = ")
            value = value.strip('"')
            if key == "name":
                name = value
            elif key == "version":
                version = value
            elif key == "checksum":
                sums[(name, version)] = value
    return sums


def main():
    known = metadata()
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    program = next(package for package in packages.values() if package["name"] == PROGRAM)
    needed = reached(nodes, program["id"])
    sums = checksums(known["workspace_root"])
    components = [component(packages[package], sums) for package in sorted(needed) if package != program["id"]]
    dependencies = [
        {
            "ref": reference(packages[package]),
            "dependsOn": sorted(
                {reference(packages[other["pkg"]]) for other in nodes[package]["deps"] if other["pkg"] in needed}
            ),
        }
        for package in sorted(needed)
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {**component(program, sums), "type": "application", "name": "throughline"},
        },
        "components": components,
        "dependencies": dependencies,
    }
    missing = [one["name"] for one in components if not one["licenses"]]
    if missing:
        sys.exit(f"without a licence: {', '.join(missing)}")
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(document, out, indent=1)
        out.write("\n")
    print(f"{sys.argv[1]}: {len(components)} crates")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
