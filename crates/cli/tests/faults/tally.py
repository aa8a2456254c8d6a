"""What was tried and what came of it, as a table."""

from collections import defaultdict


class Tally:
    """Counts by fault; a finding keeps its first example."""

    COLUMNS = ("times", "ended so", "readers saw", "rerun", "lost", "doubled", "left over")

    def __init__(self) -> None:
        self.rows: dict[str, dict] = {}
        self.findings: list[str] = []

    def add(self, fault: str, ended: str, seen: str, rerun: str, lost: int, doubled: int, left: int) -> None:
        row = self.rows.setdefault(
            fault,
            {"times": 0, "ended": defaultdict(int), "seen": defaultdict(int), "rerun": defaultdict(int), "sums": [0] * 3},
        )
        row["times"] += 1
        row["ended"][ended] += 1
        row["seen"][seen] += 1
        row["rerun"][rerun] += 1
        row["sums"] = [a + b for a, b in zip(row["sums"], (lost, doubled, left))]

    def find(self, finding: str) -> None:
        """Something that must not be."""
        self.findings.append(finding)
        print(f"FINDING: {finding}", flush=True)

    def print(self, title: str) -> None:
        words = lambda counts: ", ".join(f"{n} × {word}" for word, n in sorted(counts.items(), key=lambda x: -x[1]))
        header = ("fault", *self.COLUMNS)
        table = [
            (f, str(r["times"]), words(r["ended"]), words(r["seen"]), words(r["rerun"]), *map(str, r["sums"]))
            for f, r in self.rows.items()
        ]
        widths = [max(len(line[i]) for line in [header, *table]) for i in range(len(header))]
        print(f"\n{title}")
        for line in (header, tuple("─" * width for width in widths), *table):
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        total = sum(row["times"] for row in self.rows.values())
        sums = [sum(row["sums"][i] for row in self.rows.values()) for i in range(3)]
        print(f"{total} in all · rows lost {sums[0]}, doubled {sums[1]} · files left over {sums[2]}", flush=True)
