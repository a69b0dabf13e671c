"""Whether the programs of a case gave the same, round by round, and in words how.

Belongs here: comparing all rounds, naming who did not run, what rows need to compare.  Does not
belong here: what counts as the same in a row (``rows/``), taking turns (``turns.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.turns import ARES, Case, Differs, Figures

NOT_COMPARED = "not compared"


def agreement(case: Case, figures: Figures) -> str:
    """In words how the results agree, and which programs did not run and so agree with nothing.

    Every round is compared: a program that took fewer turns stands with its last one in the
    rounds after.  The words are the last round's; who told something else in another round is
    named.  Ares alone is checked against itself, which is no agreement and is not told as one.

    Raises
    ------
    Differs
        Where they do not, naming the round, or a program that ran told no result.
    """
    told = {
        name: one.get("results", [one["result"]])
        for name, one in figures.items()
        if "result" in one
    }
    rounds, words = max(len(each) for each in told.values()), ""
    for turn in range(rounds):
        results = {name: each[min(turn, len(each) - 1)] for name, each in told.items()}
        try:
            words = case.same(results)
        except Differs as error:
            raise Differs(f"round {turn + 1}: {error}") from error
    absent = [one.shown for one in case.programs if one.shown not in told]
    if not any(one.is_peer and one.shown in told for one in case.programs):
        return f"{NOT_COMPARED}: no peer ran"
    unsteady = [name for name, each in told.items() if len(set(map(_comparable, each))) > 1]
    return "; ".join(
        [
            words + (f" (each of {rounds} rounds)" if rounds > 1 else ""),
            *([f"not the same in every round: {', '.join(unsteady)}"] if unsteady else []),
            *([f"{NOT_COMPARED}, as they did not run: {', '.join(absent)}"] if absent else []),
        ]
    )


def _comparable(result: Mapping[str, Any]) -> str:
    # As text, since NaN is not equal to itself; what took how long may differ.
    return json.dumps({k: v for k, v in result.items() if not k.endswith("_seconds")})


def peers_in(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The results other than Ares'."""
    return {name: one for name, one in results.items() if name != ARES}


def off_by(name: str, figure: str, theirs: float, own: float, allowed: float) -> float:
    """How far a figure is from Ares'.

    Raises
    ------
    Differs
        Where that is more than allowed, or no number.
    """
    off = abs(theirs - own)
    if not off <= allowed:
        raise Differs(f"{name}: {figure} {theirs:.6g}, Ares {own:.6g}, allowed {allowed:.2g}")
    return off
