"""Why step 6 kept what its study found, made anew: the score it was found by, and its gain.

Belongs here: that proof.  Does not belong here: what the study searched on (``folds.py``), and
the out-of-fold predictions that step 7 votes with (``votes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.dataset import Examples, MarketExamples

_TOLERANCE = 1e-9  # Nats; refits of the same events give the same to the bit.


def gain_is_of_later_events(stored: Stored) -> tuple[bool, str]:
    """The gain that admitted step 6's model is that of forecasts from earlier events alone.

    First the winner is refitted on purged folds of the events known before the later part: that
    must give the score by which the study chose it.  Then winner and step 5's recipe are
    refitted for each later block on events whose label, and the embargo after it, are over
    before it.  All computed apart from the splitters, and only where something was kept.
    Catches a study that looked at later events, and a winner that was judged by folds that look
    ahead.
    """
    from ares_assets.leak_proof.evidence import development_of_all

    found = stored["enhanced_analysts"].load()["enhancement.json"]
    if not found["kept"]:
        return True, f"nothing was admitted: {found['reason']}"
    known, chosen = development_of_all(stored), found["candidate"]
    score, best = _search_score(stored, known, chosen), float(found["search_log_loss"])
    if not abs(score - best) <= _TOLERANCE:
        words = f"the study's winner scored {best:.9f} nats, but on events before the later part"
        return False, f"{words} it scores {score:.9f}"
    default = {
        "kind": chosen["kind"],
        "parameters": stored["analyst_specialists"].load()["recipes.json"][chosen["kind"]],
        "features": [str(name) for name in known.own.features.columns],
    }
    again = _gain(stored, known, default, chosen)
    kept = None if found["gain"] is None else float(found["gain"]["gain"])
    if kept is None or not abs(again - kept) <= _TOLERANCE:
        told = "no gain" if kept is None else f"a gain of {kept:.9f} nats"
        return False, f"{told} is stored, but forecasts from earlier events give {again:.9f}"
    return True, f"the gain of {kept:.6f} nats is that of forecasts from earlier events"


def _search_score(stored: Stored, known: MarketExamples, recipe: Mapping[str, Any]) -> float:
    """Log-loss of the recipe on purged folds of the own events known before the later part."""
    import numpy as np

    from ares_assets.analyst.dataset import MarketExamples
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.scores import log_loss
    from ares_assets.leak_proof.spans import purged_events

    later = known.own.rows[_first_later(stored, len(known))]
    before = known.everything.t1_rows < later
    search = MarketExamples(known.everything.part(before), known.member[before])
    analyst, events, own = stored.settings.analyst, search.everything, search.own
    predicted = np.full(len(own), np.nan)
    for number in range(analyst.folds):
        train, tested = purged_events(
            (events.rows, events.t1_rows),
            search.member,
            folds=analyst.folds,
            number=number,
            embargo_bars=analyst.embargo_bars,
            scope=get_expert(recipe["kind"]).scope,
        )
        predicted[tested] = _fitted(stored, events.part(train), recipe, own.part(tested), number)
    return log_loss(own.labels, predicted, own.weights)


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

    analyst, own = stored.settings.analyst, known.own
    events = known.everything if get_expert(recipe["kind"]).scope == "market" else own
    parts = []
    for number, tested in enumerate(np.array_split(np.arange(first, len(own)), analyst.folds)):
        train = events.t1_rows + analyst.embargo_bars < own.rows[tested[0]]
        parts.append(_fitted(stored, events.part(train), recipe, own.part(tested), number))
    return np.concatenate(parts)


def _fitted(
    stored: Stored, train: Examples, recipe: Mapping[str, Any], test: Examples, number: int
) -> np.ndarray:
    """Probabilities of tested events by the recipe, trained on these, as fold ``number``."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fold_seed
    from ares_assets.leak_proof.votes import seed_of

    names = list(recipe["features"])
    model = get_expert(recipe["kind"]).fit(
        train.features[names],
        train.labels,
        train.weights,
        parameters=recipe["parameters"],
        seed=fold_seed(seed_of(stored, "enhanced_analysts"), number),
        threads=stored.settings.threads,
    )
    return model.probability(test.features[names])
