"""The program as these suites run it: the repository's pipeline on a small sample, in a warehouse of one's own."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[4]
WORKSPACE = ("pipelines", "sql", "data/seeds")
EARLIER, LATER = "2026-04-01", "2026-10-01"  # two cuts whose tables differ
OF_OTHERS = ("AWS_", "AZURE_", "AZURITE", "GCE_", "GOOGLE_", "IDENTITY_", "THROUGHLINE_")  # what the tester's shell sets
PATIENCE = 300  # seconds after which a run counts as hanging


def options(of: str, *numbers: tuple[str, int, str], words: tuple[tuple[str, str, str], ...] = ()) -> argparse.Namespace:
    """A suite's options: those that all suites have, and its own numbers and words (name, default, help).

    The folder to work in is there and empty; paths are whole.
    """
    arguments = argparse.ArgumentParser(description=of, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--throughline", type=Path, required=True, help="the program")
    arguments.add_argument("--work", type=Path, required=True, help="a folder to work in; what is there is removed")
    arguments.add_argument("--repository", type=Path, default=REPOSITORY, help="whose pipeline is run")
    for name, default, what in words:
        arguments.add_argument(name, default=default, help=what)
    for name, default, what in numbers:
        arguments.add_argument(name, type=int, default=default, help=what)
    arguments.add_argument("--customers", type=int, default=100, help="size of the sample")
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    given.throughline, given.work, given.repository = (
        path.resolve() for path in (given.throughline, given.work, given.repository)
    )
    shutil.rmtree(given.work, ignore_errors=True)
    given.work.mkdir(parents=True)
    return given


@dataclass
class Outcome:
    """How the program ended; the code is negative when a signal ended it."""

    code: int
    stdout: str
    stderr: str
    seconds: float


class Hangs(Exception):
    """The program did not end in time."""


class Program:
    """The program with a lake and a warehouse, each a path or a place in an object store."""

    def __init__(
        self, binary: Path, project: Path, lake: str, warehouse: str, environment: dict[str, str] | None = None
    ):
        self.binary, self.project = binary, project
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(OF_OTHERS)}
        self.environment |= {"LAKE": lake, "WAREHOUSE": warehouse, "NO_COLOR": "1"} | (environment or {})

    def start(self, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
        """Starts it, with standard error piped."""
        command = [*before, str(self.binary), "--project", str(self.project), *arguments]
        return subprocess.Popen(
            command,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # A stopped process is waked when the group it is in loses its terminal.
            start_new_session=True,
        )

    def call(self, *arguments: str, before: tuple[str, ...] = ()) -> Outcome:
        """Runs it to its end."""
        command = [*before, str(self.binary), "--project", str(self.project), *arguments]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command, env=self.environment, capture_output=True, text=True, errors="replace", timeout=PATIENCE
            )
        except subprocess.TimeoutExpired as expired:
            raise Hangs(f"{' '.join(arguments)} did not end in {PATIENCE} s") from expired
        return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - began)

    def run(self, cut: str, *more: str, before: tuple[str, ...] = ()) -> Outcome:
        """`run`, whatever cut is published."""
        return self.call(*run_arguments(cut), *more, before=before)

    def undisturbed(self, cut: str) -> Outcome:
        """`run` without a fault, which has to succeed: other runs are compared with its tables."""
        done = self.run(cut)
        if done.code:
            sys.exit(f"the undisturbed run as of {cut} failed with {done.code}:\n{done.stderr[-3000:]}")
        return done

    def start_run(self, cut: str, *more: str, before: tuple[str, ...] = ()) -> subprocess.Popen:
        """Starts `run`."""
        return self.start(*run_arguments(cut), *more, before=before)

    def query(self, sql: str) -> Outcome:
        """`query` as CSV."""
        return self.call("query", sql, "--format", "csv")


def run_arguments(cut: str) -> list[str]:
    """Going back to an earlier cut has to be asked for."""
    back = ["--full-refresh"] if cut == EARLIER else []
    return ["run", "--as-of", cut, *back, "--log-format", "json"]


def end(process: subprocess.Popen, by: signal.Signals | None = None) -> Outcome:
    """Sends a signal, if any, and waits for the end."""
    began = time.monotonic()
    if by is not None and process.poll() is None:
        process.send_signal(by)
    try:
        _, stderr = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as expired:
        process.kill()
        process.communicate()
        raise Hangs("a run did not end") from expired
    return Outcome(process.returncode, "", stderr or "", time.monotonic() - began)


def events(stderr: str) -> list[dict]:
    """The objects of `--log-format json`."""
    found = []
    for line in stderr.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                pass  # cut off by a kill
    return found


def workspace(repository: Path, folder: Path) -> Path:
    """A copy of the repository's pipeline, so that nobody edits it while runs are compared."""
    for part in WORKSPACE:
        shutil.copytree(repository / part, folder / part)
    return folder


TRIGGERS = """
triggers:
  low_completion:
    table: fct_journey_performance
    condition: completion_rate < 0.9
    route: you
    key: [journey, segment, period_kind, period_start]
    message: "{journey}: completion rate {completion_rate}"
"""


def small_workspace(binary: Path, folder: Path) -> Path:
    """The workspace of `throughline init`, with a trigger: runs of a second, so that many can be disturbed."""
    subprocess.run([str(binary), "init", str(folder)], check=True, capture_output=True)
    pipeline = folder / "pipelines" / "key_journeys.yaml"
    text = pipeline.read_text().replace("path: data/lake/", "path: ${LAKE}/")
    pipeline.write_text(text + TRIGGERS)
    return folder


def sample(binary: Path, folder: Path, customers: int) -> None:
    """Writes the sample company's lake."""
    subprocess.run(
        [str(binary), "sample", "--customers", str(customers), "--out", str(folder)], check=True, capture_output=True
    )


def projects(given: argparse.Namespace) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
    """The small workspace and the whole pipeline, each with its lake, in the folder to work in."""
    sample(given.throughline, given.work / "lake", given.customers)
    small = small_workspace(given.throughline, given.work / "small")
    whole = workspace(given.repository, given.work / "whole")
    return (small, small / "data" / "lake"), (whole, given.work / "lake")
