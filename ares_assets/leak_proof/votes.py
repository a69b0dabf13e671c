"""What later steps learn from: the stored joint probability, member by member.

Belongs here: the proof for step 7's out-of-fold table, and with it for the columns of steps 5
and 6 that it is made of.  Does not belong here: which events a fold may train on
(``spans.py``), and the folds of steps 4 and 8 (``folds.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.dataset import Examples, MarketExamples


@dataclass(frozen=True)
class _Voter:
    """A stored out-of-fold column (own events,) and how its step says it was trained."""

    name: str
    step: str
    kind: str
    parameters: Mapping[str, Any]
    features: list[str]
    stored: np.ndarray


def votes_are_out_of_fold(stored: Stored) -> tuple[bool, str]:
    """Step 7's probability is the weighted vote of columns that purged folds give.

    The stored probability must be, bit for bit, what the stored weights make of the stored
    columns of steps 5 and 6.  Each column whose member carries a weight is then refitted on one
    drawn fold, whose training events are computed apart from the splitters, and must predict
    what is stored.  Catches predictions of models that were trained on the tested events, and
    labels that reached a member's column, or the joint one, on any other way.
    """
    import numpy as np

    from ares_assets.leak_proof.evidence import development_of_all

    known, folds = development_of_all(stored), stored.settings.analyst.folds
    fault = _voted_otherwise(stored, known.own)
    if fault is not None:
        return False, fault
    draws = np.random.default_rng(int(stored["market_data"].sha256[:12], 16))
    tried = []
    for voter in _voters(stored, known.own):
        number = int(draws.integers(folds))
        fault = _predicted_otherwise(stored, known, voter, number)
        if fault is not None:
            return False, f"{voter.name} of {voter.step}, fold {number}, {fault}"
        tried.append(f"{voter.name} (fold {number})")
    return True, f"{len(known)} votes are as stored; refitted: {', '.join(tried)}"


def _voted_otherwise(stored: Stored, own: Examples) -> str | None:
    import numpy as np

    from ares_assets.analyst.ensemble import combine
    from ares_assets.leak_proof.differences import same

    value = stored["analyst_ensemble"].load()
    table = value["out_of_fold.parquet"]
    if not np.array_equal(table["row"].to_numpy(), own.rows):
        return f"{len(table)} probabilities are stored for other rows than the {len(own)} events"
    kept = table["probability"].to_numpy()
    again = combine(_votes(stored, own), _weights(stored))
    wrong = np.flatnonzero(~same(again, kept))
    if not wrong.size:
        return None
    at = int(wrong[0])
    return (
        f"row {own.rows[at]}: the stored probability is {kept[at]:.9f}, but the members' votes "
        f"make {again[at]:.9f} ({wrong.size} of {len(own)} differ)"
    )


def _votes(stored: Stored, own: Examples) -> dict[str, np.ndarray]:
    """The members' votes as step 7 puts them together."""
    from ares_assets.analyst.ensemble import seated_votes

    analyst = stored.settings.analyst
    votes: dict[str, np.ndarray] = {
        kind: _column(stored, "analyst_specialists", kind, own) for kind in sorted(analyst.experts)
    }
    seat = _seat(stored)
    if seat is None:
        return votes
    better = _column(stored, "enhanced_analysts", "enhanced", own)
    return seated_votes(votes, better, seat, analyst.search_share)


def _weights(stored: Stored) -> dict[str, float]:
    return stored["analyst_ensemble"].load()["analyst.json"]["weights"]


def _seat(stored: Stored) -> str | None:
    """The kind whose later votes are those of step 6's model; None where it was not kept."""
    found = stored["enhanced_analysts"].load()["enhancement.json"]
    voting = found["kept"] and _weights(stored).get(found["kind"], 0.0) > 0
    return found["kind"] if voting else None


def _voters(stored: Stored, own: Examples) -> Iterator[_Voter]:
    """Every column that takes part: of the members by weight, and of step 6 where it is seated."""
    weights, step = _weights(stored), "analyst_specialists"
    recipes = stored[step].load()["recipes.json"]
    names = [str(name) for name in own.features.columns]
    for kind in sorted(recipes):
        if weights.get(kind, 0.0) > 0:
            column = _column(stored, step, kind, own)
            yield _Voter(kind, step, kind, recipes[kind], names, column)
    if _seat(stored) is not None:
        step = "enhanced_analysts"
        found = stored[step].load()["enhancement.json"]
        how = found["kind"], found["parameters"], list(found["features"])
        yield _Voter("enhanced", step, *how, _column(stored, step, "enhanced", own))


def _column(stored: Stored, step: str, name: str, own: Examples) -> np.ndarray:
    table = stored[step].load()["out_of_fold.parquet"]
    return table.set_index("row")[name].reindex(own.rows).to_numpy()


def _predicted_otherwise(
    stored: Stored, known: MarketExamples, voter: _Voter, number: int
) -> str | None:
    """One fold's predictions by a fit on its purged events, against the stored ones."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fold_seed
    from ares_assets.leak_proof.differences import other_predictions
    from ares_assets.leak_proof.spans import purged_events

    analyst, expert, own = stored.settings.analyst, get_expert(voter.kind), known.own
    everything = known.everything
    train, tested = purged_events(
        (everything.rows, everything.t1_rows),
        known.member,
        folds=analyst.folds,
        number=number,
        embargo_bars=analyst.embargo_bars,
        scope=expert.scope,
    )
    model = expert.fit(
        everything.features.loc[train, voter.features],
        everything.labels[train],
        everything.weights[train],
        parameters=voter.parameters,
        seed=fold_seed(seed_of(stored, voter.step), number),
        threads=stored.settings.threads,
    )
    again = model.probability(own.features.iloc[tested][voter.features])
    return other_predictions(again, voter.stored[tested], own.rows[tested], int(train.sum()))


def seed_of(stored: Stored, step: str) -> int:
    """The seed with which a step was run."""
    from ares_assets.engine import Work
    from ares_assets.steps import STEPS

    spec = next(spec for spec in STEPS if spec.name == step)
    return Work(spec, stored.request, stored.workspace).seed
