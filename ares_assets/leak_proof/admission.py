"""The gain for which step 6 kept what its study found, made anew on folds that go forward.

Belongs here: that proof.  Does not belong here: what the study searched on (``folds.py``), and
the out-of-fold predictions that step 7 votes with (``votes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.dataset import MarketExamples

_TOLERANCE = 1e-9  # Nats; refits of the same events give the same to the bit.


def gain_is_of_later_events(stored: Stored) -> tuple[bool, str]:
    """The gain that admitted step 6's model is that of forecasts from earlier events alone.

    Winner and defaults are refitted for each later block on events whose label, and the embargo
    after it, are over before it, computed apart from the splitters.  Catches a winner that was
    judged by folds that look ahead, or on the events it was searched on.
    """
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.leak_proof.evidence import development_of_all

    found = stored["enhanced_analysts"].load()["enhancement.json"]
    if not found["kept"]:
        return True, f"nothing was admitted: {found['reason']}"
    known, chosen = development_of_all(stored), found["candidate"]
    default = {
        "kind": chosen["kind"],
        "parameters": get_expert(chosen["kind"]).default_parameters(),
        "features": [str(name) for name in known.own.features.columns],
    }
    again = _gain(stored, known, default, chosen)
    kept = None if found["gain"] is None else float(found["gain"]["gain"])
    if kept is None or not abs(again - kept) <= _TOLERANCE:
        told = "no gain" if kept is None else f"a gain of {kept:.9f} nats"
        return False, f"{told} is stored, but forecasts from earlier events give {again:.9f}"
    return True, f"the gain of {kept:.6f} nats is that of forecasts from earlier events"


def _gain(
    stored: Stored, known: MarketExamples, default: Mapping[str, Any], chosen: Mapping[str, Any]
) -> float:
    from ares_assets.analyst.scores import paired_block_gain

    own, first = known.own, _first_later(stored, len(known))
    before, after = (_forecast(stored, known, recipe, first) for recipe in (default, chosen))
    return paired_block_gain(own.labels[first:], before, after, own.weights[first:]).gain


def _first_later(stored: Stored, events: int) -> int:
    return max(1, round(events * stored.settings.analyst.search_share))


def _forecast(
    stored: Stored, known: MarketExamples, recipe: Mapping[str, Any], first: int
) -> np.ndarray:
    """Probabilities of the own events from ``first`` on, block by block from earlier ones."""
    import numpy as np

    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fold_seed
    from ares_assets.leak_proof.votes import seed_of

    analyst, expert = stored.settings.analyst, get_expert(recipe["kind"])
    names, own = list(recipe["features"]), known.own
    events, parts = (known.everything if expert.scope == "market" else own), []
    for number, tested in enumerate(np.array_split(np.arange(first, len(own)), analyst.folds)):
        train = events.t1_rows + analyst.embargo_bars < own.rows[tested[0]]
        model = expert.fit(
            events.features.loc[train, names],
            events.labels[train],
            events.weights[train],
            parameters=recipe["parameters"],
            seed=fold_seed(seed_of(stored, "enhanced_analysts"), number),
            threads=stored.settings.threads,
        )
        parts.append(model.probability(own.features.iloc[tested][names]))
    return np.concatenate(parts)
