"""Holds what Throughline writes against published schemas, with the reference validator.

1. Every OpenLineage event of real runs (a good one, one whose data tests fail, one whose step fails; to a file, and over
   HTTP to a server of this script) against OpenLineage's own JSON Schemas: the event, and each facet against the schema
   that its `_schemaURL` names.
2. Every YAML file of the repository's pipelines against the JSON Schemas that `throughline schema` prints, and files with
   mistakes that it must refuse.
"""

import argparse
import collections
import copy
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import jsonschema
import yaml
from referencing import Registry, Resource

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[3]
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
AS_OF = "2026-10-01"


def published_schemas():
    files = [HERE / "openlineage" / "OpenLineage.json", *sorted((HERE / "openlineage" / "facets").glob("*.json"))]
    schemas = [json.loads(file.read_text()) for file in files]
    return Registry().with_resources([(schema["$id"], Resource.from_contents(schema)) for schema in schemas])


class Events:
    """Validates events and counts them."""

    def __init__(self):
        self.registry = published_schemas()
        self.validators = {}
        self.events = collections.Counter()
        self.facets = collections.Counter()
        self.problems = []

    def validator(self, url):
        if url not in self.validators:
            self.validators[url] = jsonschema.Draft202012Validator(
                {"$ref": url}, registry=self.registry, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            )
        return self.validators[url]

    def hold(self, value, url, what):
        for error in self.validator(url).iter_errors(value):
            self.problems.append(f"{what}: {error.json_path}: {error.message}")

    def take(self, event):
        name = event["job"]["name"]
        self.events[event["eventType"]] += 1
        self.hold(event, EVENT, f"{event['eventType']} of {name}")
        holders = [("run", event["run"].get("facets")), ("job", event["job"].get("facets"))]
        for dataset in event["inputs"] + event["outputs"]:
            for kind in ("facets", "inputFacets", "outputFacets"):
                holders.append((dataset["name"], dataset.get(kind)))
        for holder, facets in holders:
            for facet, value in (facets or {}).items():
                self.facets[facet] += 1
                self.hold({**value}, value["_schemaURL"], f"facet {facet} of {holder} in {name}")


def check_transitions(events):
    """Each run of a job starts once and ends once, after it started."""
    states = collections.defaultdict(list)
    for event in events:
        states[event["run"]["runId"]].append(event["eventType"])
    for run, seen in states.items():
        assert len(seen) == 2 and seen[0] == "START" and seen[1] in ("COMPLETE", "FAIL", "ABORT"), (run, seen)


class Server:
    """An endpoint that keeps what is posted to it."""

    def __init__(self):
        self.events, self.keys = [], set()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/api/v1/lineage", self.path
                server.events.append(json.loads(body))
                server.keys.add(self.headers.get("Authorization"))
                self.send_response(201)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.http.server_address[1]}"


def run(throughline, workspace, arguments, code, environment=()):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("OPENLINEAGE_")}
    variables.update(environment)
    done = subprocess.run(
        [throughline, "--project", str(workspace), *arguments], capture_output=True, text=True, env=variables, timeout=600
    )
    if done.returncode != code:
        sys.exit(f"throughline {' '.join(arguments)} ended with {done.returncode}, not {code}:\n{done.stderr}")
    return done


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def workspace_of_the_repository(folder):
    for name in ("pipelines", "sql", "data/seeds"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


def check_events(throughline, folder):
    workspace = workspace_of_the_repository(folder)
    run(throughline, workspace, ["sample", "--customers", "300", "--out", str(workspace / "data/lake")], 0)
    checked = Events()

    good = folder / "good.jsonl"
    run(throughline, workspace, ["run", "--as-of", AS_OF, "--openlineage", f"file:{good}"], 0)

    server = Server()
    parent = "01890a5d-ac96-774b-bcce-b302099a8057"
    environment = {
        "OPENLINEAGE_URL": server.url(),
        "OPENLINEAGE_API_KEY": "secret",
        "OPENLINEAGE_NAMESPACE": "throughline-check",
        "OPENLINEAGE_PARENT_ID": f"airflow/nightly.run/{parent}",
    }
    run(throughline, workspace, ["run", "--as-of", AS_OF], 0, environment)
    assert server.keys == {"Bearer secret"}, server.keys
    assert len(server.events) == len(lines(good)), (len(server.events), len(lines(good)))
    assert any(event["run"]["facets"].get("parent", {}).get("run", {}).get("runId") == parent for event in server.events)

    pipeline = workspace / "sql" / "facts" / "journeys.yaml"
    written = pipeline.read_text()
    failing = "accepted_values: { membership: [active, churned, lost] }"
    assert written.count(failing) == 1
    pipeline.write_text(written.replace(failing, "accepted_values: { membership: [active] }"))
    tests_failed = folder / "tests.jsonl"
    run(throughline, workspace, ["run", "--as-of", AS_OF, "--openlineage", f"file:{tests_failed}"], 3)
    pipeline.write_text(written)

    # The largest file of the calls loses the bytes of its first column: the source fails while it is read.
    victim = max((workspace / "data/lake/calls").rglob("*.parquet"), key=lambda file: file.stat().st_size)
    content = bytearray(victim.read_bytes())
    content[4 : len(content) // 8] = bytes(len(content) // 8 - 4)
    victim.write_bytes(content)
    step_failed = folder / "failed.jsonl"
    run(throughline, workspace, ["run", "--as-of", AS_OF, "--openlineage", f"file:{step_failed}"], 1)

    for events in (lines(good), server.events, lines(tests_failed), lines(step_failed)):
        check_transitions(events)
        for event in events:
            checked.take(event)

    assert {"START", "COMPLETE", "FAIL"} <= set(checked.events), checked.events
    for facet in ("columnLineage", "dataQualityAssertions", "outputStatistics", "errorMessage", "parent", "sql", "schema"):
        assert checked.facets[facet] > 0, facet
    broken = copy.deepcopy(server.events[0])
    del broken["run"]["runId"]
    before = len(checked.problems)
    checked.hold(broken, EVENT, "a broken event")
    assert len(checked.problems) > before, "the validator refuses nothing"
    del checked.problems[before:]
    if checked.problems:
        sys.exit("\n".join(checked.problems[:20]) + f"\n{len(checked.problems)} problems")
    print(f"OpenLineage: {sum(checked.events.values())} events valid ({dict(checked.events)}),")
    print(f"             {sum(checked.facets.values())} facets valid: {', '.join(sorted(checked.facets))}")


class Loader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: a day is a text, `on` is no truth."""


Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":bool"))]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))


def check_yaml(throughline):
    kinds = {"pipeline": ["*.yaml"], "sources": ["sources/*.yaml"], "journeys": ["journeys/*.yaml", "retail/journeys/*.yaml"], "tests": ["tests/*.yaml", "retail/tests/*.yaml"]}
    counted = 0
    for kind, globs in kinds.items():
        schema = json.loads(subprocess.run([throughline, "schema", kind], capture_output=True, check=True).stdout)
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema)
        folders = (REPOSITORY / "pipelines", REPOSITORY / "crates/cli/src/command/init/workspace/pipelines")
        for file in sorted(file for folder in folders for glob in globs for file in folder.glob(glob)):
            content = yaml.load(file.read_text(), Loader)
            errors = [f"{file}: {error.json_path}: {error.message}" for error in validator.iter_errors(content)]
            if errors:
                sys.exit("\n".join(errors))
            counted += 1
            name = next(iter(content))
            broken = {**content, name: 3.5} if kind != "pipeline" else {**content, "ownr": "me"}
            assert not validator.is_valid(broken), f"the schema of {kind} accepts a mistake"
    print(f"JSON Schema: {counted} YAML files valid")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--throughline", required=True)
    throughline = str(pathlib.Path(parser.parse_args().throughline).resolve())
    check_yaml(throughline)
    with tempfile.TemporaryDirectory(prefix="throughline-schemas") as folder:
        check_events(throughline, pathlib.Path(folder))


if __name__ == "__main__":
    main()
