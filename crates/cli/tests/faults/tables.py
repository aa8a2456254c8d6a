"""The tables of a warehouse: read with another program (the Python package deltalake), compared row for row."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

LOG = "fct_trigger"  # only grows, so its rows depend on the runs before


class Folder:
    """A warehouse on the local disk."""

    options: dict[str, str] = {}

    def __init__(self, path: Path):
        self.path = path

    def uri(self, table: str) -> str:
        return str(self.path / table)

    def names(self) -> list[str]:
        """All files, relative to the warehouse."""
        return [str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()]

    def read(self, name: str) -> bytes:
        return (self.path / name).read_bytes()


class Bucket:
    """A warehouse in an object store, looked at through a client without faults."""

    def __init__(self, store, prefix: str):
        self.store, self.prefix = store, prefix
        self.place, self.options = store.table(prefix)

    def uri(self, table: str) -> str:
        return f"{self.place}/{table}"

    def names(self) -> list[str]:
        return [key[len(self.prefix) + 1 :] for key in self.store.keys(self.prefix + "/")]

    def read(self, name: str) -> bytes:
        return self.store.read(f"{self.prefix}/{name}")


Warehouse = Folder | Bucket


def records(warehouse: Warehouse) -> list[dict]:
    """Records of all runs that have one, newest first."""
    names = [name for name in warehouse.names() if name.startswith("_runs/") and name.endswith(".json")]
    names = [name for name in names if not name.endswith(".partial.json")]
    return [json.loads(warehouse.read(name)) for name in sorted(names, reverse=True)]


def complete(warehouse: Warehouse) -> dict | None:
    """The record of the newest run in which every step was done."""
    return next((record for record in records(warehouse) if record["status"] == "done"), None)


def rows(warehouse: Warehouse, table: str, version: int | None) -> pa.Table:
    """A table's rows in one order, whatever order they were written in."""
    found = DeltaTable(warehouse.uri(table), version=version, storage_options=warehouse.options).to_pyarrow_table()
    found = found.select(sorted(found.column_names))
    keys = [(field.name, "ascending") for field in found.schema if not pa.types.is_nested(field.type)]
    return found.sort_by(keys).combine_chunks()


def published(warehouse: Warehouse) -> dict[str, pa.Table]:
    """The tables that a reader sees: those of the newest complete run, at its versions."""
    record = complete(warehouse)
    return {} if record is None else {name: rows(warehouse, name, v) for name, v in record["tables"].items()}


def heads(warehouse: Warehouse) -> dict[str, pa.Table]:
    """Each table at its newest version, as a reader that knows nothing of runs sees it."""
    names = {name.split("/")[0] for name in warehouse.names() if "/_delta_log/" in name and name.endswith(".json")}
    return {name: rows(warehouse, name, None) for name in sorted(names)}


def without_log(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    return {name: table for name, table in tables.items() if name != LOG}


def same(left: dict[str, pa.Table], right: dict[str, pa.Table]) -> bool:
    """Whether two sets of tables hold the same rows, to the last bit."""
    return left.keys() == right.keys() and all(left[name].equals(right[name]) for name in left)


def lost_and_doubled(expected: dict[str, pa.Table], found: dict[str, pa.Table]) -> tuple[int, int]:
    """Rows that are missing and rows that are too many, over all tables."""
    lost = doubled = 0
    for name in expected.keys() | found.keys():
        if name in expected and name in found and expected[name].equals(found[name]):
            continue
        want, have = (counted(tables.get(name)) for tables in (expected, found))
        lost += (want - have).total()
        doubled += (have - want).total()
    return lost, doubled


def counted(table: pa.Table | None) -> Counter:
    return Counter() if table is None else Counter(repr(list(row.values())) for row in table.to_pylist())


def doubled_firings(warehouse: Warehouse) -> int:
    """Firings that stand in the log of triggers more than once."""
    if not any(name.startswith(f"{LOG}/_delta_log/") for name in warehouse.names()):
        return 0
    log = rows(warehouse, LOG, None).select(["trigger", "key_values"])
    return sum(count - 1 for count in counted(log).values())


def leftovers(warehouse: Warehouse) -> list[str]:
    """Files that no log entry names, and what killed writers leave: unfinished files, progress of runs."""
    names = warehouse.names()
    named: set[str] = set()
    for entry in (name for name in names if "/_delta_log/" in name and name.endswith(".json")):
        table = entry.split("/")[0]
        for line in warehouse.read(entry).splitlines():
            action = json.loads(line)
            for kind in ("add", "remove"):
                if kind in action:
                    named.add(f"{table}/{action[kind]['path']}")
    data = [name for name in names if "part-" in name and not name.startswith(("_runs/", "_locks/"))]
    unfinished = [name for name in names if name.endswith((".tmp", ".partial.json"))]
    return sorted({name for name in data if name not in named} | set(unfinished))


def size_of_fault_free(tables: dict[str, pa.Table]) -> str:
    """How much is compared, for people."""
    return f"{len(tables)} tables, {sum(table.num_rows for table in tables.values()):,} rows"
