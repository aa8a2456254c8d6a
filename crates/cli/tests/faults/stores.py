#!/usr/bin/env python3
"""The whole program on object stores: the same tables as on a local disk, with and without faults in between.

Starts each store on the loopback address, puts a small sample's lake into a bucket, and runs the repository's pipeline
with sources and warehouse there (s3://, az://, gs://). Everything is held against a run on the local disk, row for row.
Then what a person gets to read when credentials, bucket, rights, endpoint or store are wrong; two runs at once; killed
runs; and runs through a proxy that resets, delays, refuses and cuts, after each of which readers look and the run is
repeated.
"""

import json
import random
import signal
import sys
import time
from pathlib import Path

import pyarrow as pa

import fault_proxy as fp
from fault_proxy import FaultProxy, Rule
from program import EARLIER, LATER, Hangs, Outcome, Program, end, options, projects
from servers import STORES, Store
from tables import (
    Bucket,
    Folder,
    doubled_firings,
    heads,
    leftovers,
    lost_and_doubled,
    published,
    same,
    size_of_fault_free,
    without_log,
)
from tally import Tally

LOG_ENTRY = r"/_delta_log/\d{20}\.json"
DATA = r"part-.*\.parquet"

# Each set of rules goes wrong a few times in a run of some hundred requests.
PLANS = {
    "latency": [Rule(fp.LATENCY, chance=0.15)],
    "resets before": [Rule(fp.RESET_BEFORE, chance=0.08)],
    "resets after it was applied": [Rule(fp.RESET_AFTER, chance=0.08)],
    "500": [Rule(fp.ERROR, chance=0.08)],
    "500 after it was applied": [Rule(fp.ERROR_AFTER, method="PUT", chance=0.15)],
    "503 slow down": [Rule(fp.SLOW_DOWN, chance=0.15)],
    "cut uploads": [Rule(fp.CUT_UPLOAD, method="PUT", chance=0.25)],
    "cut downloads": [Rule(fp.CUT_DOWNLOAD, method="GET", chance=0.08)],
    "lost answers to commits": [Rule(fp.RESET_AFTER, method="PUT", path=LOG_ENTRY, chance=0.5)],
    "commits: lost answers, then silence": [
        Rule(fp.RESET_AFTER, method="PUT", path=LOG_ENTRY, chance=0.15, most=1),
        Rule(fp.RESET_BEFORE, path=LOG_ENTRY, chance=0.3),
    ],
    "commits that do not arrive": [Rule(fp.RESET_BEFORE, method="PUT", path=LOG_ENTRY, chance=0.4)],
    "everything": [
        Rule(fault, chance=0.02)
        for fault in (fp.RESET_BEFORE, fp.RESET_AFTER, fp.ERROR, fp.SLOW_DOWN, fp.CUT_UPLOAD, fp.CUT_DOWNLOAD)
    ],
    "the store goes away": [Rule(fp.RESET_BEFORE, path=r".*", chance=1.0)],
}  # fmt: skip


class Suite:
    """One store, two lakes in it, and what local runs make of the same lakes."""

    def __init__(self, binary: Path, store: Store, small: "Local", whole: "Local", seed: int):
        self.binary, self.store, self.small, self.whole = binary, store, small, whole
        self.expected = small.expected
        self.dice, self.tally, self.number, self.touched = random.Random(seed), Tally(), 0, 0
        for local in (small, whole):
            for file in sorted(path for path in local.lake.rglob("*") if path.is_file()):
                store.upload(file, f"{local.name}/lake/{file.relative_to(local.lake)}")
        self.proxy = FaultProxy(store.port)

    def at(
        self, prefix: str, port: int | None = None, local: "Local | None" = None, **environment: str
    ) -> tuple[Program, Bucket]:
        """The program on a warehouse of this prefix, over the proxy's port or the store's own."""
        local = local or self.small
        settings = self.store.environment(port) | environment
        places = self.store.place(f"{local.name}/lake"), self.store.place(prefix)
        program = Program(self.binary, local.project, *places, settings)
        return program, Bucket(self.store, prefix)

    def fresh(self) -> str:
        self.number += 1
        return f"warehouse-{self.number}"

    def must(self, holds: bool, what: str, outcome: Outcome | None = None) -> None:
        print(f"  {'ok' if holds else 'NOT'}: {what}", flush=True)
        if not holds:
            shown = f" (exit {outcome.code}: {outcome.stderr[-1500:]})" if outcome else ""
            self.tally.find(f"{self.store.name}: {what}{shown}")

    def holds(self, warehouse: Bucket, cut: str) -> bool:
        return same(comparable(published(warehouse)), self.expected[cut])

    # Without faults

    def plain(self) -> None:
        """The same rows as on the local disk."""
        for local in (self.whole, self.small):
            program, warehouse = self.at(f"{local.name}/standing", local=local)
            for cut in (EARLIER, LATER):
                done = program.run(cut)
                self.must(done.code == 0, f"{local.name}: a run as of {cut} is done in {done.seconds:.1f} s", done)
                equal = same(comparable(published(warehouse)), local.expected[cut])
                self.must(equal, f"its tables are those of a local run: {size_of_fault_free(local.expected[cut])}")
            self.seconds = done.seconds
            self.must(not leftovers(warehouse), "nothing is left over")
            answer = program.query("SELECT count(*) AS n FROM fct_journey")
            self.must(answer.code == 0 and int(answer.stdout.split()[1]) > 0, "`query` reads them", answer)
            again = program.run(LATER, "--retry")
            finished = again.code == 0 and "nothing is left to do" in again.stderr
            self.must(finished, "--retry finds nothing left to do", again)
            self.must(same(comparable(published(warehouse)), local.expected[LATER]), "readers see the same tables")

    def other_names(self) -> None:
        """The same place under the other names and credentials that it has."""
        for what, root, environment in self.store.elsewhere():
            prefix = self.fresh()
            places = f"{root}small/lake", f"{root}{prefix}"
            done = Program(self.binary, self.small.project, *places, environment).run(LATER)
            equal = done.code == 0 and self.holds(Bucket(self.store, prefix), LATER)
            self.must(equal, f"{what} ({root}): a run is done, and its tables are those of a local run", done)

    # What is reported

    def wrong_settings(self) -> None:
        for refusal in self.store.refusals():
            program, _ = self.at("refused", **refusal.environment)
            for name in refusal.unset:
                del program.environment[name]
            done = program.run(EARLIER)
            text = done.stderr + done.stdout
            missing = [word for word in refusal.words if word not in text]
            hidden = [*self.store.secrets, "wrong-secret-12", "StringToSign", "string to sign", "panicked"]
            secret = [secret for secret in hidden if secret in text]
            holds = done.code == refusal.code and not missing and not secret and done.seconds < 60
            wrong = "" if holds else f"; missing {missing}, secret {secret}"
            self.must(holds, f"{refusal.what}: exit {refusal.code}, {refusal.words} shown{wrong}", done)
        for variable in ("LAKE", "WAREHOUSE"):
            program, _ = self.at("refused")
            program.environment[variable] = self.store.place("somewhere", bucket="no-such-bucket")
            done = program.run(EARLIER)
            missing = f"the {self.store.container} does not exist"
            self.must(done.code in (1, 2) and missing in done.stderr, f"{missing} ({variable}): reported", done)
        self.proxy.set([Rule(fp.UNCONDITIONAL, method="PUT")], 1)
        program, warehouse = self.at(self.fresh(), self.proxy.port)
        done = program.run(EARLIER)
        holds = done.code == 1 and "ignores conditional puts" in done.stderr and not without_log(heads(warehouse))
        self.must(holds, "a store that ignores conditional puts is refused before anything is written", done)
        self.proxy.set([], 1)

    # Leases

    def leases(self) -> None:
        # Of the whole pipeline: runs of the small workspace may be over before the other begins.
        prefix = self.fresh()
        program, warehouse = self.at(prefix, local=self.whole)
        first = program.start_run(EARLIER)
        second = program.start_run(EARLIER)
        outcomes = sorted([end(first), end(second)], key=lambda outcome: outcome.code)
        codes = [outcome.code for outcome in outcomes]
        named = "(pid " in outcomes[1].stderr and " on host " in outcomes[1].stderr
        self.must(codes == [0, 4] and named, f"of two runs at once one is done, the other names the holder: {codes}", outcomes[1])
        equal = same(comparable(published(warehouse)), self.whole.expected[EARLIER])
        self.must(equal and not doubled_firings(warehouse), "and nothing is doubled")

        prefix = self.fresh()
        program, warehouse = self.at(prefix)
        run = program.start_run(EARLIER)
        while not (names := locks(warehouse)) and run.poll() is None:
            time.sleep(0.02)
        end(run, signal.SIGKILL)
        done = program.run(EARLIER)
        self.must(done.code == 0, "on the same machine a killed holder is followed at once", done)
        # The same holder on a machine whose processes cannot be seen.
        newest = f"_locks/key_journeys/{max(locks(warehouse))}"
        holder = json.loads(warehouse.read(newest)) | {"released": False, "machine": "elsewhere", "host": "elsewhere"}
        self.store.put(f"{prefix}/{newest}", json.dumps(holder).encode())
        held = program.run(EARLIER, "--lease-seconds", "4")
        self.must(held.code == 4 and "elsewhere" in held.stderr, "on another machine it is respected while it may live", held)
        time.sleep(6)
        done = program.run(EARLIER, "--lease-seconds", "4")
        self.must(done.code == 0, "and followed when it was not heard of for as long as a lease lasts", done)

    def sleepers(self, times: int) -> None:
        """Holders that sleep beyond their lease are followed, and publish nothing when they wake.

        A sleeper is stopped after one of its first steps. Its events show that it was not done by then, and the entries
        of the tables' logs who made them and when.
        """
        fault = "asleep beyond its lease"
        for number in range(times):
            prefix, steps = self.fresh(), self.dice.randrange(1, 12)
            program, warehouse = self.at(prefix, local=self.whole)
            sleeper = program.start_run(EARLIER, "--lease-seconds", "2")
            events, seen = "", 0
            for line in sleeper.stderr:
                events += line
                seen += '"step_finished"' in line
                if seen == steps:
                    break
            sleeper.send_signal(signal.SIGSTOP)
            awake = sleeper.poll() is None and '"run_finished"' not in events
            asleep_at = newest_commit(warehouse)
            time.sleep(4)
            done = program.run(EARLIER, "--lease-seconds", "2")
            followed_at = newest_commit(warehouse)
            sleeper.send_signal(signal.SIGCONT)
            woken = end(sleeper)
            place = f"{self.store.name}, {fault}, after {steps} steps"
            if not awake or done.code or woken.code != 4:
                self.tally.find(f"{place}: still at work {awake}, the follower ended with {done.code}, the sleeper with "
                                f"{woken.code}: {done.stderr[-400:]} {woken.stderr[-800:]}")  # fmt: skip
            if newest_commit(warehouse) != followed_at or followed_at == asleep_at:
                self.tally.find(f"{place}: the sleeper published after it was followed")
            lost, doubled = lost_and_doubled(self.whole.expected[EARLIER], comparable(published(warehouse)))
            doubled += doubled_firings(warehouse)
            again = program.run(EARLIER)
            left = leftovers(warehouse)
            more = lost_and_doubled(self.whole.expected[EARLIER], comparable(published(warehouse)))
            if lost or doubled or left or again.code or any(more):
                self.tally.find(f"{place}: {lost} rows lost, {doubled} doubled, left over {left[:5]}, then {again.code}, {more}")
            word = "equal" if not (again.code or any(more)) else "DIFFERENT"
            self.tally.add(fault, {4: "exit 4"}.get(woken.code, str(woken.code)), "new", word, lost, doubled, len(left))

    # With faults

    def faults(self, seeds: int) -> None:
        plans = list(PLANS.items())
        standing = LATER
        for seed in range(seeds):
            name, rules = plans[seed % len(plans)]
            fresh = self.dice.random() < 0.4
            prefix = self.fresh() if fresh else "small/standing"
            cut = EARLIER if fresh or standing == LATER else LATER
            before = {} if fresh else self.expected[standing]
            through, warehouse = self.at(prefix, self.proxy.port, **{self.store.attempts: "4"})
            try:
                if name == "the store goes away":
                    run = through.start_run(cut)
                    time.sleep(self.dice.uniform(0.5, 4))
                    self.proxy.set(rules, seed)
                    outcome = end(run)
                else:
                    self.proxy.set(rules, seed)
                    outcome = through.run(cut)
                touched = self.proxy.faults()
                self.proxy.set([], seed)
                self.look_and_repeat(name, cut, before, fresh, outcome, prefix, warehouse, seed, touched)
                standing = standing if fresh else cut
            except Hangs as hang:
                self.proxy.set([], seed)
                self.tally.find(f"{name}, seed {seed}: {hang}")
            if seed % 10 == 9:
                print(f"  {seed + 1} of {seeds} seeds", flush=True)
        self.standing = standing

    def kills(self, times: int) -> None:
        """SIGKILL, and SIGINT for every third, on the store itself."""
        standing = self.standing
        for number in range(times):
            fresh = self.dice.random() < 0.4
            prefix = self.fresh() if fresh else "small/standing"
            cut = EARLIER if fresh or standing == LATER else LATER
            before = {} if fresh else self.expected[standing]
            program, warehouse = self.at(prefix)
            by = signal.SIGINT if number % 3 == 2 else signal.SIGKILL
            run = program.start_run(cut)
            time.sleep(0.3 + self.seconds * self.dice.random())
            outcome = end(run, by)
            if by == signal.SIGINT and outcome.code not in (0, 130):
                self.tally.find(f"SIGINT: ended with {outcome.code}: {outcome.stderr[-600:]}")
            self.look_and_repeat(by.name, cut, before, fresh, outcome, prefix, warehouse, number, 0)
            standing = standing if fresh else cut
        self.standing = standing

    def look_and_repeat(self, fault, cut, before, fresh, outcome, prefix, warehouse, seed, touched) -> None:
        after = self.expected[cut]
        place = f"{self.store.name}, {fault}, seed {seed}"
        words = {0: "done", 1: "exit 1", 2: "exit 2", 4: "exit 4", 130: "130", -9: "killed"}
        if outcome.code not in words or "panicked" in outcome.stderr or any(
            secret in outcome.stderr for secret in self.store.secrets
        ):
            self.tally.find(f"{place}: ended with {outcome.code}: {outcome.stderr[-800:]}")
        now = comparable(published(warehouse))
        seen = "old" if same(now, before) else "new" if same(now, after) else "a mixture"
        if seen == "a mixture" or (outcome.code == 0 and seen != "new"):
            self.tally.find(f"{place}: the run ended with {outcome.code}, and readers see {seen}")
        for name, table in comparable(heads(warehouse)).items():
            if not any(name in known and table.equals(known[name]) for known in (before, after)):
                self.tally.find(f"{place}: the newest version of {name} is neither the old nor the new table")
        plain, _ = self.at(prefix)
        retry = ["--retry"] if seed % 2 else []
        done = plain.run(cut, *retry)
        if done.code:
            self.tally.find(f"{place}: the rerun ended with {done.code}: {done.stderr[-800:]}")
        lost, doubled = lost_and_doubled(after, comparable(published(warehouse)))
        doubled += doubled_firings(warehouse)
        left = leftovers(warehouse)
        if lost or doubled or left:
            self.tally.find(f"{place}: after the rerun {lost} rows lost, {doubled} doubled, left over {left[:5]}")
        word = "equal" if not (lost or doubled or done.code) else "DIFFERENT"
        self.touched += touched
        seen = "nothing yet" if fresh and seen == "old" else seen
        self.tally.add(fault, words.get(outcome.code, str(outcome.code)), seen, word, lost, doubled, len(left))


def locks(warehouse: Bucket) -> list[str]:
    names = [name.removeprefix("_locks/key_journeys/") for name in warehouse.names() if name.startswith("_locks/")]
    return [name for name in names if name.endswith(".json")]


def newest_commit(warehouse: Bucket) -> list[str]:
    """The newest entry of each table's log."""
    entries: dict[str, str] = {}
    for name in warehouse.names():
        table, _, entry = name.partition("/_delta_log/")
        if entry.endswith(".json"):
            entries[table] = max(entry, entries.get(table, ""))
    return sorted(f"{table} {entry}" for table, entry in entries.items())


def comparable(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Without the log of triggers, and where a row was read from without the place of the lake."""
    found = {}
    for name, table in without_log(tables).items():
        if "rejected_origin" in table.column_names:
            at = table.column_names.index("rejected_origin")
            origins = [origin and origin.split("lake/", 1)[-1] for origin in table["rejected_origin"].to_pylist()]
            table = table.set_column(at, "rejected_origin", pa.array(origins, pa.string()))
            table = table.sort_by([(field.name, "ascending") for field in table.schema]).combine_chunks()
        found[name] = table
    return found


class Local:
    """A workspace and its lake on the local disk, and what runs there make of it."""

    def __init__(self, name: str, binary: Path, project: Path, lake: Path, warehouse: Path):
        self.name, self.project, self.lake = name, project, lake
        program, folder, self.expected = Program(binary, project, str(lake), str(warehouse)), Folder(warehouse), {}
        for cut in (EARLIER, LATER):
            program.undisturbed(cut)
            self.expected[cut] = comparable(published(folder))


def main() -> int:
    given = options(
        __doc__,
        ("--seeds", 65, "runs with faults, for each store"),
        ("--kills", 20, "runs killed or interrupted, for each store"),
        ("--sleepers", 6, "runs put to sleep beyond their lease, for each store"),
        words=(("--stores", ",".join(STORES), f"which of {', '.join(STORES)}"),),
    )
    binary, work = given.throughline, given.work
    small, whole = (
        Local(project.name, binary, project, lake, work / f"{project.name}-warehouse")
        for project, lake in projects(given)
    )
    findings = 0
    for name in given.stores.split(","):
        store = STORES[name](work)
        try:
            print(f"\n{name}", flush=True)
            suite = Suite(binary, store, small, whole, given.seed)
            suite.plain()
            suite.other_names()
            suite.wrong_settings()
            suite.leases()
            suite.sleepers(given.sleepers)
            suite.faults(given.seeds)
            suite.kills(given.kills)
            suite.tally.print(f"Faults between the program and {name} ({suite.touched} requests touched)")
            findings += len(suite.tally.findings)
            suite.proxy.close()
        finally:
            store.stop()
    print(f"\n{findings} findings", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
