"""Row "barriers": triple-barrier labels, beside mlfinpy and numpy windows.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/barriers.py``).  mlfinpy reads closes only and enters at the event's close; each bar
here opens at the close before and has no wicks, so that all must give the same labels.

Seconds are those of one event.  Ares and numpy label every event, and what a call costs once is
in that.  mlfinpy labels the first ten and the first 4,000 of the same closes, and its seconds are
the slope between the two, so that what a call over so many closes costs once is left out in its
favour: about ten milliseconds over a million closes, where an event takes half of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import peers_in
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.turns import ARES, Case, Differs, Figures, Goal, Program, Row, faster

HERE, PEERS = "benchmarks.rows.barriers", "benchmarks.peers.barriers"
SEED, HORIZON = 15, 240
FEW, SHOWN = 10, 4000
WIDTH = 0.8
DEVIATION = 6e-4


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Closes of a random walk, and how far the barriers stand, as a share of the price."""
    generator, bars = np.random.default_rng(SEED), int(data["events"]) + HORIZON + 1
    np.save(folder / "close.npy", 1500 * np.exp(np.cumsum(generator.normal(0, DEVIATION, bars))))
    np.save(folder / "scale.npy", DEVIATION * np.exp(generator.normal(0, 0.3, bars)))


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``triple_barrier`` of an event at every bar."""
    import pandas as pd

    from ares_assets.analyst.labels import triple_barrier

    columns = arrays(folder)
    close, events = columns["close"], options["events"]
    opens = np.concatenate([close[:1], close[:-1]])
    frame = pd.DataFrame(
        {
            "timestamp": 60_000 * np.arange(len(close), dtype=np.int64),
            "open": opens,
            "high": np.maximum(opens, close),
            "low": np.minimum(opens, close),
            "close": close,
        }
    )
    rows = np.arange(events)

    def work() -> Any:
        return triple_barrier(
            frame,
            rows,
            horizon_bars=HORIZON,
            upper_width=WIDTH,
            lower_width=WIDTH,
            volatility=columns["scale"],
            timeframe_ms=60_000,
        )

    def tell(found: Any) -> Mapping[str, Any]:
        touched = found["barrier"].map({"upper": 1, "lower": -1, "vertical": 0}).to_numpy()
        spans = (found["t1_row"] - found["row"]).to_numpy()
        return {"per": events, "touched": touched[:SHOWN].tolist(), "bars": spans[:SHOWN].tolist()}

    return work, tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The first labels and where they end are the same."""
    own = results[ARES]
    for name, result in peers_in(results).items():
        for what in ("touched", "bars"):
            if len(result[what]) != len(own[what]):
                raise Differs(f"{name}: {len(result[what])} {what}, Ares {len(own[what])}")
            if result[what] != own[what]:
                raise Differs(f"{name}: {what} differ from Ares'")
    return f"barrier and end of the first {len(own['bars'])} events equal"


def cases(quick: bool) -> Sequence[Case]:
    """An event at every bar."""
    events = 50_000 if quick else 1_000_000

    def milliseconds(figures: Figures) -> float:
        return float(figures["ares"]["seconds"]) * events * 1000

    slope = {"repeats": 1, "warmups": 0, "events": SHOWN, "few": FEW}
    return [
        Case(
            name=f"{events:,} events, horizon {HORIZON}, per event",
            make=write,
            data={"events": events, "seed": SEED},
            programs=[
                Program("ares", HERE, options={"repeats": 5}),
                Program("mlfinpy", PEERS, "-mlfinpy", 3, slope),
                Program("numpy windows", PEERS, "", 3, {"repeats": 1}),
            ],
            same=same,
            goals=[
                Goal("at most 60 ms in all", milliseconds, 60, "ms", at_least=False),
                faster(["mlfinpy"], 7000, what=f"mlfinpy, slope from {FEW:,} to {SHOWN:,} events"),
                faster(["numpy windows"], 25),
            ],
            options={"events": events, "horizon": HORIZON, "width": WIDTH, "shown": SHOWN},
            threads=1,
            rounds=1 if quick else 5,
        )
    ]


ROW = Row(
    "barriers", "triple-barrier labels", cases, {"-mlfinpy": ["mlfinpy", "pandas"], "": ["numpy"]}
)

if __name__ == "__main__":
    main({"ares": ares})
