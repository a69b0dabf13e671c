"""What is released was fitted on development alone: models are fitted again, and their bytes held
against the stored ones.

Belongs here: the proofs for step 2's regime model, and for the final models of steps 5, 6 and 9.
Does not belong here: models of folds (``votes.py``, ``tactician_votes.py``), step 10's wait model
(``tactician_figures.py``), and what is chosen (``choices.py``).

A fold's models cannot show it: one that was fitted on judged rows besides would be validated,
and judged in the holdout, on bars that it knows.  One final model of each kind of training is
drawn on every run, since all of a kind pass through the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    from ares_assets.analyst.dataset import MarketExamples


def regime_model_saw_development_only(stored: Stored) -> tuple[bool, str]:
    """The regime model, fitted again on bars that end with development, is the stored one.

    Catches a model fitted on calibration or holdout bars: it decodes online, so that cutting
    the future away changes none of its regimes, but its parameters know how volatile the
    judged market is.
    """
    import numpy as np

    from ares_assets.leak_proof.differences import other_values
    from ares_assets.leak_proof.evidence import bar_roles
    from ares_assets.leak_proof.votes import seed_of
    from ares_assets.market.classification import classify

    market, own = stored["market_data"], bar_roles(stored) == "development"
    end = int(np.flatnonzero(own)[-1]) + 1
    _, again = classify(
        market.load().iloc[:end],
        fit_rows=own[:end],
        timeframe=market.metadata["timeframe"],
        settings=stored.settings.regimes,
        seed=seed_of(stored, "market_regimes"),
    )
    fault = other_values(again, stored["market_regimes"].load()["model.json"])
    words = f"bars up to row {end - 1}, where development ends,"
    if fault is not None:
        return False, f"{words} give another regime model than the stored one: {fault}"
    return True, f"{words} give the stored regime model"


def specialists_saw_development_only(stored: Stored) -> tuple[bool, str]:
    """Step 5's final experts, fitted again on development's events, are the stored ones.

    One expert is drawn of those that learn from the regime's events, and one of those that
    learn from all regimes'.
    """
    from ares_assets.analyst.experts.base import SCOPES, get_expert
    from ares_assets.leak_proof.evidence import confined

    step = "analyst_specialists"
    value, known = stored[step].load(), _examples(confined(stored, "development"))
    recipes, tried = value["recipes.json"], list[str]()
    for scope in SCOPES:
        kinds = [kind for kind in sorted(recipes) if get_expert(kind).scope == scope]
        if not kinds:
            continue
        kind = _drawn(stored, step, kinds)
        again = _expert_files(stored, step, known, kind, recipes[kind], None)
        fault = _other_files(again, value, kind)
        if fault is not None:
            return False, f"{kind} expert: {fault}"
        tried.append(f"{kind} (of {len(kinds)})")
    return True, f"fitted again on {len(known)} events of development: {', '.join(tried)}"


def enhanced_model_saw_development_only(stored: Stored) -> tuple[bool, str]:
    """Step 6's final model, fitted again on development's events, is the stored one."""
    from ares_assets.leak_proof.evidence import confined

    step = "enhanced_analysts"
    value, known = stored[step].load(), _examples(confined(stored, "development"))
    found = value["enhancement.json"]
    kind, features = found["kind"], list(found["features"])
    again = _expert_files(stored, step, known, kind, found["parameters"], features)
    fault = _other_files(again, value, "enhanced")
    if fault is not None:
        return False, f"{kind} model of step 6: {fault}"
    return True, f"fitted again on {len(known)} events of development: {kind}"


def take_models_saw_development_only(stored: Stored) -> tuple[bool, str]:
    """A drawn final model of step 9, fitted again on development's signals, is the stored one."""
    import numpy as np

    from ares_assets.leak_proof.evidence import signals_before_calibration
    from ares_assets.leak_proof.tactician_votes import fitted_tactician
    from ares_assets.leak_proof.votes import seed_of

    step = "tactician_specialists"
    value, dataset = stored[step].load(), signals_before_calibration(stored)
    labels = dataset["labels.parquet"]
    described = {one["name"]: one for one in value["specialists.json"]}
    name = _drawn(stored, step, sorted(described))
    again = fitted_tactician(
        described[name]["kind"],
        dataset[f"features-{described[name]['timeframe']}.parquet"],
        labels["take"].to_numpy(np.int64),
        weights=labels["weight"].to_numpy(np.float64),
        seed=seed_of(stored, step),
        threads=stored.settings.threads,
    )
    fault = _other_files(again.to_files(), value, name)
    if fault is not None:
        return False, f"take model {name}: {fault}"
    drawn = f"{name} (of {len(described)})"
    return True, f"fitted again on {len(labels)} signals settled before calibration: {drawn}"


def _drawn(stored: Stored, step: str, names: Sequence[str]) -> str:
    """One of these, by the step's seed and the bars."""
    import numpy as np

    from ares_assets.leak_proof.votes import seed_of

    content = int(stored["market_data"].sha256[:12], 16)
    draws = np.random.default_rng([seed_of(stored, step), content])
    return names[int(draws.integers(len(names)))]


def _examples(bundle: Mapping[str, Any]) -> MarketExamples:
    """All events of a bundle, whichever way steps read theirs."""
    from ares_assets.analyst.dataset import MarketExamples, from_events

    events = bundle["events.parquet"]
    member = events["member"].to_numpy(bool)
    return MarketExamples(from_events(events, bundle["features.parquet"]), member)


def _expert_files(
    stored: Stored,
    step: str,
    known: MarketExamples,
    kind: str,
    parameters: Mapping[str, Any],
    features: list[str] | None,
) -> dict[str, bytes]:
    """The files of an expert that is fitted on these events, all those of its scope."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.leak_proof.votes import seed_of

    expert = get_expert(kind)
    events = known.own if expert.scope == "regime" else known.everything
    model = expert.fit(
        events.features if features is None else events.features[features],
        events.labels,
        events.weights,
        parameters=parameters,
        seed=seed_of(stored, step),
        threads=stored.settings.threads,
    )
    return model.to_files()


def _other_files(again: Mapping[str, bytes], value: Mapping[str, Any], name: str) -> str | None:
    """The first file of this model in a bundle whose bytes are not those of the fit."""
    prefix = f"{name}-"
    kept = {n.removeprefix(prefix): data for n, data in value.items() if n.startswith(prefix)}
    for file in sorted({*again, *kept}):
        if again.get(file) != kept.get(file):
            return f"{file} is not what a fit on development alone gives"
    return None
