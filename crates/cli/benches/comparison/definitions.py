"""The journey definitions of the workspace, as the peers read them: one source, the YAML that Throughline runs.

Why window functions can express the rules of matching exactly (SEMANTICS 2), for `on_restart: split`:

* No event both starts a journey and closes it, so a start opens an instance whatever came before: nothing is open, or
  what is open expires or restarts. Every start begins a segment that reaches to the customer's next start.
* Only touchpoints that start, end, abandon or are included can be members. In a segment they all are, until one of
  them is too late (strictly more than `within` after the start, or than `idle` after the one before it: neither it nor
  any after it is a member) or is the first end or abandonment (the last member). The touchpoint "before it" is the
  member before it, since up to the first closing all of them are members; others change nothing, for a limit they pass
  is passed by the next relevant one too.
* A segment that was not ended or abandoned is expired when the next start, or `as_of` after the last one, lies beyond a
  limit, counted from the last member; else restarted, or still open after the last start.

`conditions` are SQL over `event` and `topic` alone, so a peer may decide them once for each distinct pair.

This file also holds what else all peers share: their arguments, the instant of the cut, the landmarks.
"""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import yaml

HERE = Path(__file__).parent
AS_OF = "2026-10-01"
AS_OF_US = 1_790_812_800_000_000
WEEK_US = 7 * 86_400_000_000
ASSISTED = ("phone", "chat", "field", "store")  # channels of a contact (SEMANTICS 3)
# First instants after a quarter, none whose exposure window begins before the log (SEMANTICS 5).
LANDMARKS = [f"{year}-{month}-01" for year in (2025, 2026) for month in ("01", "04", "07", "10")]
THREADS = 2
SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@dataclass(frozen=True)
class Definition:
    """One journey; limits in microseconds. An end left out never holds, `includes` left out always does."""

    name: str
    starts: str
    ends: str
    abandons: str
    includes: str
    within: int
    idle: int


def microseconds(text: str) -> int:
    """`45 days` as microseconds."""
    count, unit = text.split()
    return int(count) * SECONDS[unit.removesuffix("s")] * 1_000_000


def load(file: str | None = None) -> list[Definition]:
    """The definitions of a file beside the pipeline; by default of the one that `JOURNEYS` names, as for Throughline."""
    file = file or os.environ.get("JOURNEYS", "journeys/eight.yaml")
    text = (HERE / "workspace/pipelines" / file).read_text()
    return [
        Definition(
            name,
            raw["starts"],
            raw.get("ends", "FALSE"),
            raw.get("abandons", "FALSE"),
            raw.get("includes", "TRUE"),
            microseconds(raw["within"]),
            microseconds(raw["idle"]),
        )
        for name, raw in yaml.safe_load(text).items()
    ]


def peer_arguments(description: str) -> argparse.Namespace:
    """What every peer is asked: `--lake`, `--out`, `--stage`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lake", type=Path, required=True, help="what generate.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="an empty folder for the tables")
    parser.add_argument("--stage", choices=["fct_journey", "all"], default="all")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    return arguments
