"""Random fault sequences against the collector: whatever happens, the catalogue stays true.

Each seed is a little history (spot or perpetual, several pages, real gaps, funding, open
interest) and some runs over one folder that go wrong: bad bodies, refusals, bans, drips,
omissions, a clock that jumps, a machine that sleeps, and kills at any operation.  After every
run the catalogue is readable and holds no row that was not sent; after a last run without
faults it equals, row for row, the catalogue that never saw one.

Here are the first seeds; ``make test-faults`` plays all thousand.
"""

from __future__ import annotations

import pytest
from faults.scripts import BAR_BODIES, CLOCK, HIDING, NETWORK, OMISSIONS, RARE, STATUSES
from faults.summary import ALL_SEEDS, Summary, play

_SAMPLE, _BLOCK = 60, 20


@pytest.mark.parametrize("first", range(0, _SAMPLE, _BLOCK))
def test_the_catalogue_stays_true(first: int) -> None:
    records = play(range(first, first + _BLOCK))
    assert {record.seed: record.problems for record in records if record.problems} == {}
    assert sum(record.kills for record in records) > 0
    assert sum(len(record.faults) for record in records) > 50


@pytest.mark.slow
def test_a_thousand_sequences_of_every_kind() -> None:
    summary = Summary()
    for record in play(range(ALL_SEEDS)):
        summary.add(record)
    assert summary.broken == {}
    kinds = {*BAR_BODIES, *CLOCK, *HIDING, *NETWORK, *OMISSIONS, *RARE, *STATUSES}
    assert kinds - set(summary.faults) == set()
    assert summary.kills > 300
    assert {"done", "stale", "killed", "ExchangeUnavailable"} <= set(summary.outcomes)
