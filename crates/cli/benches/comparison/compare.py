"""How much faster and smaller Throughline is than the engines a user would otherwise choose, on the same work.

What is compared. Touchpoints in Parquet → fct_journey (one row an instance of eight journeys, with every measure) is the
stage `fct_journey`; `all` goes on through performance (journey × segment × month, quarter, total, with exact
percentiles) to key journeys (exposure and churn at every quarter's end, adjusted over segment and tenure). SEMANTICS'
rules, nothing approximate, nothing left out for anyone. `workspace/` is Throughline's side, `peer_*.py` the others'.

What makes it fair.
* Every engine writes the same tables; before any time is printed they are held against each other row for row
  (equality.py), and where they differ none is.
* Same Parquet, warm cache, the same two cores and two threads, one process at a time, taking turns.
* A peer is written as one who knows it would: several formulations were timed, the fastest stayed, and its file says
  which were tried. Every peer may hold all it wants in memory. What a peer reads from YAML (the definitions) and
  imports counts, as does the start of ours.
* Peers write plain Parquet files (zstd). Throughline besides counts and checks every row on the way in, tests that
  journey_id is unique, and commits Delta tables; that is in its time.
* Wall is time until the process ended; CPU its user and system time; peak its largest resident memory, binary and
  interpreter included; read is what passed through system calls, all columns and passes;
  spilled is what was written beyond the tables, for ours what its run record says.

A ratio is peer / Throughline, the median over pairs of runs, with the least and the greatest of them.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from definitions import AS_OF

HERE = Path(__file__).resolve().parent
TABLES = {"fct_journey": ["fct_journey"], "all": ["fct_journey", "performance", "key_journeys"]}
PEERS = ["polars", "duckdb", "clickhouse"]
TOO_MUCH = 14 << 30  # a peer that holds more is stopped, before the machine is


@dataclass
class Engine:
    """What runs, and what its runs came to."""

    name: str
    settings: list[str] = field(default_factory=list)
    journeys: str = "journeys/eight.yaml"
    runs: list[dict] = field(default_factory=list)
    skipped: str | None = None

    @property
    def is_ours(self) -> bool:
        return self.name.startswith("throughline")


def command(engine: Engine, asked: argparse.Namespace, lake: Path, stage: str, out: Path) -> list[str]:
    """How an engine is called."""
    if not engine.is_ours:
        return [sys.executable, str(HERE / f"peer_{engine.name}.py"),
                "--lake", str(lake), "--out", str(out), "--stage", stage]  # fmt: skip
    chosen = ["--select", "fct_journey"] if stage == "fct_journey" else []
    return [str(asked.throughline), "--project", str(workspace(asked)), "run", "--as-of", AS_OF,
            "--spill-folder", str(asked.scratch), *chosen, *engine.settings]  # fmt: skip


def workspace(asked: argparse.Namespace) -> Path:
    """Throughline's side; for a log in order of customer a copy whose source declares that order."""
    if not asked.sorted:
        return HERE / "workspace"
    copy = asked.scratch / "workspace"
    shutil.copytree(HERE / "workspace", copy, dirs_exist_ok=True)
    pipeline = copy / "pipelines/comparison.yaml"
    time_column = "    time_column: occurred_at\n"
    order = "    sorted_by: [customer_id, occurred_at, touchpoint_id]\n"
    pipeline.write_text(pipeline.read_text().replace(time_column, time_column + order, 1))
    return copy


def run(engine: Engine, asked: argparse.Namespace, lake: Path, stage: str) -> dict | None:
    """Runs an engine once into an empty folder; None, with the reason kept, when it had to be stopped or failed."""
    out = asked.scratch / engine.name.replace(" ", "-")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    environment = os.environ | {"LAKE": str(lake), "WAREHOUSE": str(out), "JOURNEYS": engine.journeys}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    log = asked.scratch / "output.txt"
    called = command(engine, asked, lake, stage, out)
    with log.open("w") as output:
        began = time.perf_counter()
        child = subprocess.Popen(called, env=environment, stdout=output, stderr=output)
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            time.sleep(0.01)
            if resident(child.pid) > TOO_MUCH:
                engine.skipped = f"held more than {TOO_MUCH >> 30} GB and was stopped"
                child.send_signal(signal.SIGKILL)
                child.wait()
                return None
        wall = time.perf_counter() - began
        # Ended but not yet reaped, it can still be asked.
        passed = dict(line.split(": ") for line in Path(f"/proc/{child.pid}/io").read_text().splitlines())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{engine.name} failed with {child.returncode}:\n{log.read_text()[-3000:]}")
    measured = {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss << 10,
        "read": int(passed["rchar"]),
        "spilled": max(0, int(passed["wchar"]) - sum(file.stat().st_size for file in out.rglob("*") if file.is_file())),
    }
    if engine.is_ours:
        record = json.loads(next((out / "_runs").glob("*.json")).read_text())
        measured["spilled"] = sum(step["usage"]["bytes_spilled"] for step in record["steps"])
        measured["steps"] = {step["step"]: step["seconds"] for step in record["steps"]}
    return measured


def resident(pid: int) -> int:
    """Bytes a process holds; nothing once it ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def lake_of(asked: argparse.Namespace) -> Path:
    """The log asked for, made if it is not there yet."""
    name = f"{asked.touchpoints}{'-whale' if asked.whale else ''}{'-sorted' if asked.sorted else ''}"
    lake = asked.data / name
    if not (lake / "customers.parquet").exists() or not (lake / "touchpoints").exists():
        shutil.rmtree(lake, ignore_errors=True)
        say(f"writing {asked.touchpoints:,} touchpoints to {lake}")
        options = ["--whale", str(asked.whale)] * bool(asked.whale) + ["--sorted"] * asked.sorted
        arguments = ["--touchpoints", str(asked.touchpoints), "--out", str(lake), *options]
        subprocess.run([sys.executable, str(HERE / "generate.py"), *arguments], check=True)
    return lake


def check_equality(engines: list[Engine], asked: argparse.Namespace, lake: Path, stage: str) -> None:
    """One run of each, which also warms the cache; ends the comparison when a table differs from ours."""
    ours = asked.scratch / "throughline"
    for engine in engines:
        say(f"{stage}: {engine.name}, untimed")
        if run(engine, asked, lake, stage) is None or engine.name == "throughline" or "definitions" in engine.name:
            continue
        theirs = asked.scratch / engine.name.replace(" ", "-")
        check = [sys.executable, str(HERE / "equality.py"), str(ours), str(theirs), *TABLES[stage]]
        found = subprocess.run(check, capture_output=True, text=True)
        if found.returncode != 0:
            sys.exit(f"{engine.name} and throughline differ, so no time is printed:\n{found.stdout}{found.stderr}")


def take_turns(engines: list[Engine], asked: argparse.Namespace, lake: Path, stage: str) -> None:
    """Every engine once a round, each round beginning with another one."""
    for turn in range(asked.runs):
        for engine in engines[turn % len(engines) :] + engines[: turn % len(engines)]:
            if not engine.skipped:
                say(f"{stage}: round {turn + 1} of {asked.runs}, {engine.name}")
                measured = run(engine, asked, lake, stage)
                if measured:
                    engine.runs.append(measured)


def spread(values: list[float], form: str = "{:.1f}") -> str:
    """Median, with the least and the greatest."""
    low, middle, high = (form.format(value) for value in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low}–{high})"


def print_stage(engines: list[Engine], stage: str, instances: int, title: str, log_bytes: int) -> None:
    """The table of a stage. A read of less than a quarter of the log is none: it came in by mapped pages, uncounted."""
    print(f"\n{title}, stage {stage}: {instances:,} instances, tables equal row for row\n")
    header = f"{'':<26}{'wall s':>18}{'CPU s':>8}{'peak GB':>9}{'read MB':>9}{'spilled MB':>11}"
    print(f"{header}  {'wall / ours':<20}{'peak / ours':<18}")
    ours = engines[0]
    for engine in engines:
        if not engine.runs:
            print(f"{engine.name:<26}  skipped: {engine.skipped}")
            continue
        middle = {key: statistics.median(one[key] for one in engine.runs) for key in ("cpu", "peak", "read", "spilled")}
        read = f"{middle['read'] / 1e6:,.0f}" if middle["read"] > log_bytes / 4 else "-"
        figures = f"{spread([one['wall'] for one in engine.runs], '{:.2f}'):>18}{middle['cpu']:>8.1f}"
        figures += f"{middle['peak'] / 1e9:>9.2f}{read:>9}{middle['spilled'] / 1e6:>11,.0f}"
        ratios = ""
        if engine is not ours:
            pairs = list(zip(engine.runs, ours.runs))
            ratios = f"{spread([one['wall'] / other['wall'] for one, other in pairs]):<20}"
            ratios += spread([one["peak"] / other["peak"] for one, other in pairs])
        print(f"{engine.name:<26}{figures}  {ratios}".rstrip())
    for engine in engines:
        if engine.is_ours and engine.runs:
            steps = {step: statistics.median(one["steps"][step] for one in engine.runs) for step in engine.runs[0]["steps"]}
            total = sum(steps.values())
            shares = " · ".join(f"{step} {s:.2f} s ({s / total:.0%})" for step, s in steps.items() if s / total >= 0.005)
            print(f"{engine.name}'s steps: {shares}")


def keep(engines: list[Engine], asked: argparse.Namespace, stage: str, instances: int) -> None:
    """Appends a line an engine to the results."""
    git = ["git", "-C", str(HERE)]
    commit = subprocess.run([*git, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    with asked.results.open("a") as results:
        for engine in engines:
            line = {
                "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
                "commit": commit,
                "cpus": os.cpu_count(),
                "cores": len(asked.cores),
                "touchpoints": asked.touchpoints,
                "whale": asked.whale,
                "sorted": asked.sorted,
                "open": asked.open,
                "stage": stage,
                "engine": engine.name,
                "instances": instances,
                "skipped": engine.skipped,
                "runs": engine.runs,
            }
            results.write(json.dumps(line) + "\n")


def title(asked: argparse.Namespace) -> str:
    """`20,000,000 touchpoints, 5 % of them one customer's, in order of customer`."""
    whale = f", {asked.whale:.0%} of them one customer's" if asked.whale else ""
    belongs = ", every touchpoint belongs" if asked.open else ""
    return f"{asked.touchpoints:,} touchpoints{whale}{', in order of customer' if asked.sorted else ''}{belongs}"


def rows_of(folder: Path) -> int:
    """Instances, as the run's record counts them."""
    record = json.loads(next((folder / "_runs").glob("*.json")).read_text())
    return next(step["rows"] for step in record["steps"] if step["step"] == "fct_journey")


def say(text: str) -> None:
    """Progress, apart from the results."""
    print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """What is asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--throughline", type=Path, required=True, help="the program")
    parser.add_argument("--data", type=Path, required=True, help="folder of the logs, made where they are missing")
    parser.add_argument("--touchpoints", type=int, default=2_000_000)
    parser.add_argument("--whale", type=float, default=0.0, help="one customer's share of all touchpoints, e.g. 0.05")
    parser.add_argument("--sorted", action="store_true", help="the log in order of customer, time and id")
    parser.add_argument("--stages", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="none: Throughline alone")
    parser.add_argument("--open", action="store_true", help="the eight definitions without `includes`: every touchpoint belongs")
    parser.add_argument("--definitions", type=int, choices=[8, 32], default=8, help="32: Throughline with 32 too")
    parser.add_argument("--memory-limit", metavar="SIZE", help="Throughline under this limit too, e.g. 512MB")
    parser.add_argument("--cores", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--results", type=Path, default=HERE / "results.jsonl")
    asked = parser.parse_args()
    asked.throughline = asked.throughline.resolve()
    asked.data = asked.data.resolve()
    asked.scratch = asked.data / "scratch"
    return asked


def main() -> None:
    """Makes the log, compares the tables, takes turns, prints and keeps what came of it."""
    asked = arguments()
    os.sched_setaffinity(0, asked.cores)  # which children inherit
    lake = lake_of(asked)
    log_bytes = sum(file.stat().st_size for file in (lake / "touchpoints").iterdir())
    for stage in asked.stages:
        journeys = "open/eight.yaml" if asked.open else "journeys/eight.yaml"
        engines = [Engine("throughline", journeys=journeys)]
        if asked.memory_limit:
            limit = ["--memory-limit", asked.memory_limit]
            engines.append(Engine(f"throughline {asked.memory_limit}", limit, journeys))
        if asked.definitions == 32:
            engines.append(Engine("throughline 32 definitions", journeys="journeys/*.yaml"))
        engines += [Engine(peer, journeys=journeys) for peer in asked.peers]
        check_equality(engines, asked, lake, stage)
        instances = rows_of(asked.scratch / "throughline")
        take_turns(engines, asked, lake, stage)
        print_stage(engines, stage, instances, title(asked), log_bytes)
        keep(engines, asked, stage, instances)
    shutil.rmtree(asked.scratch)


if __name__ == "__main__":
    main()
