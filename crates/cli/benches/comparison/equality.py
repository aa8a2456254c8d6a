"""Holds two engines' tables against each other, row for row; exits with 1 and says where they differ.

Texts, counts, statuses and instants must be the same, floats to a relative 1e-9, nulls in the same places. A program of
its own, because a parent's memory would be counted as its children's (compare.py measures them).
"""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

KEYS = {
    "fct_journey": ["journey_id"],
    "performance": ["journey", "segment", "period_kind", "period_start"],
    "key_journeys": ["landmark", "journey", "segment"],
}
TOLERANCE = 1e-9


def files(folder: Path, table: str) -> list[Path]:
    """A peer's one file, or the live files that the log of a Delta table names."""
    log = sorted((folder / table / "_delta_log").glob("*.json"))
    if not log:
        return [folder / f"{table}.parquet"]
    actions = [json.loads(line) for entry in log for line in entry.read_text().splitlines()]
    removed = {action["remove"]["path"] for action in actions if "remove" in action}
    return [folder / table / a["add"]["path"] for a in actions if "add" in a and a["add"]["path"] not in removed]


def rows(folder: Path, table: str, journey: str) -> pa.Table:
    """The rows of one journey in the order of their key."""
    parts = [pq.read_table(file, filters=[("journey", "=", journey)]) for file in files(folder, table)]
    return pa.concat_tables(parts, promote_options="permissive").sort_by([(key, "ascending") for key in KEYS[table]])


def difference(left: pa.ChunkedArray, right: pa.ChunkedArray) -> str | None:
    """What is different, if anything."""
    right = right.cast(left.type)
    if not pc.all(pc.equal(pc.is_null(left), pc.is_null(right))).as_py():
        return f"nulls in other places ({left.null_count} and {right.null_count})"
    if pa.types.is_floating(left.type):
        x, y = (column.drop_null().to_numpy() for column in (left, right))
        unequal = ~(np.abs(x - y) <= TOLERANCE * np.maximum(np.abs(x), np.abs(y)))  # so that a NaN is unequal
    else:
        x, y = left.drop_null(), right.drop_null()
        unequal = pc.not_equal(x, y).to_numpy()
    if not unequal.any():
        return None
    first = int(np.argmax(unequal))
    return f"{int(unequal.sum())} of {len(unequal)} values, the first {x[first]} and {y[first]}"


def differences(ours: Path, theirs: Path, table: str) -> list[str]:
    """Every column that differs, journey by journey, so that memory stays small; columns of ours alone are its own."""
    journeys = [pc.unique(pq.read_table(file, columns=["journey"])["journey"]) for file in files(ours, table)]
    theirs_too = pc.unique(pq.read_table(files(theirs, table)[0], columns=["journey"])["journey"])
    found = []
    for journey in sorted({name for part in [*journeys, theirs_too] for name in part.to_pylist()}):
        left, right = rows(ours, table, journey), rows(theirs, table, journey)
        if len(left) != len(right):
            found.append(f"{table}, {journey}: {len(left)} and {len(right)} rows")
            continue
        for column in right.column_names:
            said = difference(left[column], right[column])
            if said:
                found.append(f"{table}.{column}, {journey}: {said}")
    return found


def main() -> int:
    """Arguments: our warehouse, a peer's folder, the tables."""
    ours, theirs, *tables = sys.argv[1:]
    found = [line for table in tables for line in differences(Path(ours), Path(theirs), table)]
    print("\n".join(found[:20]), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
