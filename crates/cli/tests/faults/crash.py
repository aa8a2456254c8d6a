#!/usr/bin/env python3
"""Kills, interrupts and races runs, and looks at what readers see in between and what a rerun makes of it.

Most runs are of the small workspace that `init` writes, some of the repository's pipeline on a small sample, whose
incremental tables are rebuilt since the earlier cut where the later follows it. Most of the time a run replaces a
complete set of tables by that of another cut, else it is the first in its warehouse. After each fault three readers look:
`throughline query`, another program that reads the versions of the newest complete run, and one that reads each table at
its newest version. Then the run is repeated, every other time with --retry, and all tables are held against those of a
run that nobody disturbed.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa

from program import EARLIER, LATER, Hangs, Outcome, Program, end, events, options, projects
from tables import (
    LOG,
    Folder,
    complete,
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

NOTHING_YET = "nothing is published yet"


class Laboratory:
    """Undisturbed runs to compare with, and warehouses to disturb."""

    def __init__(self, binary: Path, project: Path, work: Path, lake: Path, seed: int):
        work.mkdir(parents=True)
        self.binary, self.project, self.work, self.lake = binary, project, work, lake
        self.dice = random.Random(seed)
        self.expected, self.heads, self.digests, self.seconds = {}, {}, {}, 0.0
        program, warehouse = self.at("undisturbed")
        for cut in (EARLIER, LATER):
            self.seconds = program.undisturbed(cut).seconds
            if cut == EARLIER:
                self.first_log = published(warehouse).get(LOG)
                self.sql = digest_query(published(warehouse))
            self.expected[cut] = without_log(published(warehouse))
            # What runs keep for the next one is in no run's set of tables.
            inner = without_log(heads(warehouse))
            self.heads[cut] = self.expected[cut] | {n: t for n, t in inner.items() if n not in self.expected[cut]}
            self.digests[cut] = self.digest(program)
        if same(self.expected[EARLIER], self.expected[LATER]):
            sys.exit("the two cuts have the same rows, so nothing would be seen")
        self.log = published(warehouse).get(LOG)
        # The tables of which the later cut rebuilds only a part.
        steps = complete(warehouse)["steps"]
        self.incremental = [step["step"] for step in steps if (step.get("increment") or {}).get("from")]
        shutil.copytree(work / "undisturbed", work / "standing")
        self.standing = LATER
        self.number = 0
        # Where there are incremental tables, more runs follow others.
        self.fresh = 0.15 if self.incremental else 0.4
        size = size_of_fault_free(self.expected[LATER])
        print(f"{project.name}, undisturbed: {self.seconds:.1f} s, {size}, incremental: {self.incremental}", flush=True)

    def at(self, name: str) -> tuple[Program, Folder]:
        folder = self.work / name
        return Program(self.binary, self.project, str(self.lake), str(folder)), Folder(folder)

    def digest(self, program: Program) -> str:
        answer = program.query(self.sql)
        if answer.code == 0:
            return answer.stdout
        return NOTHING_YET if NOTHING_YET in answer.stderr else f"exit {answer.code}: {answer.stderr[-400:]}"


def digest_query(tables: dict) -> str:
    """One line a table: its rows and a digest of all of them."""
    parts = []
    for name, table in sorted(without_log(tables).items()):
        text = ", ".join(f"coalesce(CAST({column} AS VARCHAR), 'null')" for column in table.column_names)
        parts.append(
            f"SELECT '{name}' AS name, count(*) AS n, md5(coalesce(string_agg(h, '' ORDER BY h), '')) AS digest "
            f"FROM (SELECT md5(concat_ws('|', {text})) AS h FROM {name})"
        )
    return f"SELECT * FROM ({' UNION ALL '.join(parts)}) ORDER BY name"


class Trial:
    """One warehouse, what it held before, and what it is to hold afterwards."""

    def __init__(self, laboratory: Laboratory, fresh: bool):
        self.laboratory, self.fresh = laboratory, fresh
        laboratory.number += 1
        name = f"fresh-{laboratory.number}" if fresh else "standing"
        self.program, self.warehouse = laboratory.at(name)
        self.cut = EARLIER if fresh or laboratory.standing == LATER else LATER
        self.before = {} if fresh else laboratory.expected[laboratory.standing]
        self.after = laboratory.expected[self.cut]
        self.increments = bool(laboratory.incremental) and not fresh and self.cut == LATER

    def label(self, fault: str) -> str:
        """The fault's name, another one where the run rebuilds only a part of incremental tables."""
        return f"{fault}, increments" if self.increments else fault

    def next_entry(self, table: str) -> Path:
        """The log entry that the next commit to a table creates."""
        log = self.warehouse.path / table / "_delta_log"
        newest = max((int(entry.stem) for entry in log.glob("*.json") if entry.stem.isdigit()), default=-1)
        return log / f"{newest + 1:020}.json"

    def readers(self, tally: Tally, fault: str) -> str:
        """What readers see; anything but the old or the new set is a finding."""
        digests = self.laboratory.digests
        old = NOTHING_YET if self.fresh else digests[self.laboratory.standing]
        digest = self.laboratory.digest(self.program)
        now = without_log(published(self.warehouse))
        word = "old" if same(now, self.before) else "new" if same(now, self.after) else "a mixture"
        asked = "old" if digest == old else "new" if digest == digests[self.cut] else "a mixture"
        if word != asked or "a mixture" in (word, asked):
            tally.find(f"{fault}: `query` shows {asked}, the record's versions {word}: {digest[:300]}")
        laboratory = self.laboratory
        before = {} if self.fresh else laboratory.heads[laboratory.standing]
        for name, table in without_log(heads(self.warehouse)).items():
            if not any(name in known and table.equals(known[name]) for known in (before, laboratory.heads[self.cut])):
                tally.find(f"{fault}: the newest version of {name} is neither the old nor the new table")
        return word if not (word == "old" and self.fresh) else "nothing yet"

    def rerun(self, tally: Tally, fault: str, retry: bool) -> tuple[str, int, int, int]:
        """Repeats the run and compares everything; the words, and the rows lost, doubled and files left over."""
        done = self.program.run(self.cut, *(["--retry"] if retry else []))
        if done.code:
            tally.find(f"{fault}: the rerun ended with {done.code}: {done.stderr[-600:]}")
        if not retry:
            # The machine may be busier or less so than at the beginning.
            self.laboratory.seconds = (self.laboratory.seconds + done.seconds) / 2
        found = published(self.warehouse)
        lost, doubled = lost_and_doubled(self.after, without_log(found))
        log = self.laboratory.first_log if self.fresh else self.laboratory.log
        more = lost_and_doubled(firings(log), firings(found.get(LOG)))
        lost, doubled = lost + more[0], doubled + more[1] + doubled_firings(self.warehouse)
        left = leftovers(self.warehouse)
        if lost or doubled or left:
            tally.find(f"{fault}: after the rerun {lost} rows lost, {doubled} doubled, left over: {left[:5]}")
        if not self.fresh:
            self.laboratory.standing = self.cut
        else:
            shutil.rmtree(self.warehouse.path, ignore_errors=True)
        reused = sum(1 for event in events(done.stderr) if event.get("record", {}).get("reused_from"))
        word = "equal" if not (lost or doubled or done.code) else "DIFFERENT"
        return (f"{word} (--retry)" if retry else word), lost, doubled, len(left), reused


def firings(log: pa.Table | None) -> dict[str, pa.Table]:
    """The log of triggers, without the versions of tables: a killed run may have published one more."""
    return {} if log is None else {LOG: log.drop_columns(["table_version"])}


def kill_at_an_instant(trial: Trial, dice: random.Random) -> Outcome:
    run = trial.program.start_run(trial.cut)
    time.sleep(trial.laboratory.seconds * dice.random())
    return end(run, signal.SIGKILL)


def kill_after_a_step(trial: Trial, dice: random.Random) -> Outcome:
    """Right after a step is reported, and so just after a commit and just before the next."""
    run = trial.program.start_run(trial.cut)
    at, seen = dice.randrange(1, 2 + int(1.4 * len(trial.after))), 0
    for line in run.stderr:
        seen += '"step_finished"' in line
        if seen == at:
            break
    time.sleep(dice.choice([0, 0, 0.003, 0.01, 0.03]))
    return end(run, signal.SIGKILL)


def interrupt(trial: Trial, dice: random.Random) -> Outcome:
    run = trial.program.start_run(trial.cut)
    time.sleep(0.15 + trial.laboratory.seconds * dice.random())
    return end(run, dice.choice([signal.SIGINT, signal.SIGTERM]))


def kill_in_a_call(trial: Trial, dice: random.Random, call: str) -> Outcome:
    """The kernel kills the run as it enters a system call, the n-th of a thread."""
    inject = f"inject={call}:signal=KILL:when={dice.randrange(1, 4)}"
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)
    return trial.program.run(trial.cut, before=strace)


def kill_before_an_incremental_commit(trial: Trial, dice: random.Random) -> Outcome:
    """The kernel kills the run as it enters the call that makes the log entry of an incremental table: its rows are
    staged and tested, and no reader knows them."""
    entry = trial.next_entry(dice.choice(trial.laboratory.incremental))
    strace = ("strace", "-f", "-qq", "-o", "/dev/null", "-P", str(entry), "-e", "trace=linkat")
    return trial.program.run(trial.cut, before=(*strace, "-e", "inject=linkat:signal=KILL"))


def kill_after_an_incremental_commit(trial: Trial, dice: random.Random) -> Outcome:
    """As soon as the log entry of an incremental table is seen: before anything is reported of it."""
    entry = trial.next_entry(dice.choice(trial.laboratory.incremental))
    run = trial.program.start_run(trial.cut)
    while not entry.exists() and run.poll() is None:
        time.sleep(0.0002)
    return end(run, signal.SIGKILL)


def kill_while_an_increment_is_staged(trial: Trial, dice: random.Random) -> Outcome:
    """As soon as an incremental table gets its first new file."""
    folder = trial.warehouse.path / dice.choice(trial.laboratory.incremental)
    files = lambda: set(os.listdir(folder)) if folder.exists() else set()
    there, run = files(), trial.program.start_run(trial.cut)
    while files() == there and run.poll() is None:
        time.sleep(0.0002)
    time.sleep(dice.choice([0, 0, 0.003, 0.01]))
    return end(run, signal.SIGKILL)


def ended(outcome: Outcome) -> str:
    names = {0: "done", 130: "130", 4: "exit 4", 1: "exit 1", -9: "killed", 137: "killed", -15: "killed by 15"}
    return names.get(outcome.code, f"exit {outcome.code}")


def faults(laboratory: Laboratory, kills: int, tally: Tally) -> None:
    """Kills and interruptions."""
    dice = laboratory.dice
    traced = shutil.which("strace") is not None and subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "true"], capture_output=True
    ).returncode == 0
    if not traced:
        print("strace is not here or may not trace: kills in system calls are left out", flush=True)
    kinds = [
        ("SIGKILL at a random instant", kill_at_an_instant, 8),
        ("SIGKILL right after a step", kill_after_a_step, 6),
        ("SIGINT or SIGTERM", interrupt, 3),
    ]
    if traced:
        for call in ("linkat", "fsync", "rename"):
            kinds.append((f"SIGKILL in {call}", lambda trial, dice, call=call: kill_in_a_call(trial, dice, call), 1))
    if laboratory.incremental:
        kinds.append(("SIGKILL while an incremental table is staged", kill_while_an_increment_is_staged, 4))
        kinds.append(("SIGKILL after an incremental table's commit", kill_after_an_incremental_commit, 4))
        if traced:
            kinds.append(("SIGKILL in an incremental table's commit", kill_before_an_incremental_commit, 6))
    names = [kind for kind in kinds for _ in range(kind[2])]
    dice.shuffle(names)
    for number in range(kills):
        fault, apply, _ = names[number % len(names)]
        trial = Trial(laboratory, fresh=dice.random() < laboratory.fresh)
        fault = trial.label(fault)
        try:
            outcome = apply(trial, dice)
            if apply is interrupt and outcome.code not in (0, 130):
                tally.find(f"{fault}: ended with {outcome.code}: {outcome.stderr[-600:]}")
            if "panicked" in outcome.stderr:
                tally.find(f"{fault}: a panic: {outcome.stderr[-600:]}")
            if apply is interrupt and outcome.code == 130 and trial.warehouse.path.exists():
                if left := leftovers(trial.warehouse):
                    tally.find(f"{fault}: the interrupted run left {left[:5]}")
            seen = trial.readers(tally, fault) if trial.warehouse.path.exists() else "nothing yet"
            word, lost, doubled, left, _ = trial.rerun(tally, fault, retry=number % 2 == 1)
            tally.add(fault, ended(outcome), seen, word, lost, doubled, left)
        except Hangs as hang:
            tally.find(f"{fault}: {hang}")
        if number % 20 == 19:
            print(f"  {number + 1} of {kills} disturbed", flush=True)


def races(laboratory: Laboratory, pairs: int, tally: Tally) -> None:
    """Two runs of one pipeline in one warehouse."""
    dice = laboratory.dice
    kinds = ["both at once", "both at once", "the second later", "one is killed", "the lock file is removed between"]
    for number in range(pairs):
        kind = kinds[number % len(kinds)]
        trial = Trial(laboratory, fresh=dice.random() < laboratory.fresh)
        fault = trial.label(f"race: {kind}")
        try:
            first = trial.program.start_run(trial.cut)
            lock = trial.warehouse.path / "_locks" / "key_journeys.json"
            if kind in ("the second later", "the lock file is removed between"):
                time.sleep(laboratory.seconds * dice.random())
            if kind == "the lock file is removed between":
                lock.unlink(missing_ok=True)
            second = trial.program.start_run(trial.cut)
            if kind == "one is killed":
                time.sleep(laboratory.seconds * dice.random())
                (first if dice.random() < 0.5 else second).send_signal(signal.SIGKILL)
            outcomes = [end(first), end(second)]
            codes = sorted(outcome.code for outcome in outcomes)
            allowed = {0, 4, -9} if kind == "one is killed" else {0, 4}
            if not set(codes) <= allowed or (0 not in codes and kind in ("both at once", "the second later")):
                tally.find(f"{fault}: ended with {codes}: {outcomes[0].stderr[-400:]} {outcomes[1].stderr[-400:]}")
            for outcome in outcomes:
                named = " on host " in outcome.stderr and "(pid " in outcome.stderr
                if outcome.code == 4 and kind != "the lock file is removed between" and not named:
                    tally.find(f"{fault}: exit 4 does not name the holder: {outcome.stderr[-400:]}")
            seen = trial.readers(tally, fault)
            if 0 in codes and seen != "new":
                tally.find(f"{fault}: a run was done, and readers see {seen}")
            word, lost, doubled, left, _ = trial.rerun(tally, fault, retry=False)
            tally.add(fault, " + ".join(sorted(map(ended, outcomes))), seen, word, lost, doubled, left)
        except Hangs as hang:
            tally.find(f"{fault}: {hang}")
        if number % 20 == 19:
            print(f"  {number + 1} of {pairs} pairs", flush=True)


def full_disks(laboratory: Laboratory, times: int, tally: Tally) -> None:
    """A disk that is full somewhere on the way, and larger afterwards."""
    fault = "the disk is full"
    whole = sum(file.stat().st_size for file in (laboratory.work / "undisturbed").rglob("*") if file.is_file())
    for number in range(times):
        trial = Trial(laboratory, fresh=True)
        folder = trial.warehouse.path
        folder.mkdir()
        size = int(whole * laboratory.dice.uniform(0.05, 0.5)) // 4096 * 4096
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, text=True
        )
        if mounted.returncode:
            print(f"no tmpfs may be mounted here, full disks are left out: {mounted.stderr.strip()}", flush=True)
            return
        try:
            outcome = trial.program.run(trial.cut)
            if outcome.code not in (0, 1):
                tally.find(f"{fault}: ended with {outcome.code}: {outcome.stderr[-600:]}")
            subprocess.run(["mount", "-o", "remount,size=1g", str(folder)], check=True)
            seen = trial.readers(tally, fault)
            trial.warehouse.path = folder
            word, lost, doubled, left, _ = trial.rerun(tally, fault, retry=number % 2 == 1)
            tally.add(fault, ended(outcome), seen, word, lost, doubled, left)
        except Hangs as hang:
            tally.find(f"{fault}: {hang}")
        finally:
            subprocess.run(["umount", str(folder)], capture_output=True)


def main() -> int:
    given = options(
        __doc__,
        ("--kills", 220, "runs killed or interrupted"),
        ("--pairs", 100, "pairs of racing runs"),
        ("--disks", 8, "runs on a disk that is full"),
        ("--whole", 5, "one in so many of each is of the whole pipeline"),
    )
    small, whole = projects(given)
    tally, began = Tally(), time.monotonic()
    share = lambda number: -(-number // given.whole)
    for project, lake, of in (
        (*small, lambda number: number - share(number)),
        (*whole, share),
    ):
        laboratory = Laboratory(given.throughline, project, given.work / f"{project.name}, warehouses", lake, given.seed)
        faults(laboratory, of(given.kills), tally)
        races(laboratory, of(given.pairs), tally)
        full_disks(laboratory, of(given.disks), tally)
        tally.print(f"Faults on the local disk so far (seed {given.seed}, {time.monotonic() - began:.0f} s)")
    print(f"{len(tally.findings)} findings", flush=True)
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
