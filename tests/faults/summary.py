"""Many sequences, counted; run as a program: all thousand, with the table of what happened.

Belongs here: playing a range of seeds and adding up.  Does not belong here: judging one.

    python tests/faults/summary.py [SEEDS] [PROCESSES]
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults.sequences import Record, Sequence

ALL_SEEDS = 1000
_BLOCK = 10


@dataclass
class Summary:
    """Counts over sequences: how runs ended, what was injected, and which seeds broke a promise."""

    sequences: int = 0
    requests: int = 0
    kills: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: dict[int, list[str]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count one more sequence."""
        self.sequences += 1
        self.requests += record.requests
        self.kills += record.kills
        self.outcomes.update(record.outcomes)
        self.faults.update(record.faults)
        if record.problems:
            self.broken[record.seed] = record.problems

    def lines(self) -> list[str]:
        """The table."""
        told = [
            f"{self.sequences} sequences, {sum(self.outcomes.values())} runs that could go wrong, "
            f"{self.requests} requests, {sum(self.faults.values())} wrong answers of "
            f"{len(self.faults)} kinds",
            f"equal to the catalogue without faults after the last run: "
            f"{self.sequences - len(self.broken)}",
        ]
        told += [f"  {name:<22}{count}" for name, count in self.outcomes.most_common()]
        told.append(
            "wrong answers: " + ", ".join(f"{n} {c}" for n, c in sorted(self.faults.items()))
        )
        for seed, problems in sorted(self.broken.items()):
            told.append(f"BROKEN seed {seed}: {'; '.join(problems)}")
        return told


def play(seeds: Iterable[int]) -> list[Record]:
    """Each seed's sequence, in a folder of its own that goes afterwards."""
    records = []
    for seed in seeds:
        with tempfile.TemporaryDirectory(prefix="ares-faults-") as folder:
            records.append(Sequence(seed, Path(folder)).play())
    return records


def main(arguments: list[str]) -> int:
    """Play the seeds; 1 if a promise was broken."""
    count, processes = ([int(a) for a in arguments] + [ALL_SEEDS, 2][len(arguments) :])[:2]
    started, summary = time.perf_counter(), Summary()
    blocks = [range(first, min(first + _BLOCK, count)) for first in range(0, count, _BLOCK)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for records in pool.imap_unordered(play, blocks):
            for record in records:
                summary.add(record)
    sys.stdout.write("\n".join(summary.lines()) + "\n")
    sys.stdout.write(f"{time.perf_counter() - started:.0f} s by {processes} processes\n")
    return 1 if summary.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
