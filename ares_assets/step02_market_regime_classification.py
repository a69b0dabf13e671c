"""Step 2, Market Regime Classification: bull, bear or sideways for every bar.

Belongs here: fitting on development, decoding online, key numbers.  Does not belong here:
the algorithms (``market/regimes/``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import BadInput, PartitionSkipped
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import pandas as pd

FIT_NUMBERS = ("converged", "iterations", "evidence_power")


def market_regimes(work: Work, market_data: Artifact) -> Result:
    """Probabilities and the decided regime per bar, with the fitted model as JSON."""
    import numpy as np

    from ares_assets.market.classification import classify
    from ares_assets.market.quality import never_moves
    from ares_assets.market.roles import cuts_of, roles_of
    from ares_assets.pictures import regime_picture
    from ares_resources.timeframes import DAY_MS, timeframe_ms

    frame = market_data.load()
    settings = work.settings
    if never_moves(frame):
        raise PartitionSkipped(_still(frame))
    try:
        roles = roles_of(frame, market_data.metadata, settings.window, settings.labels.horizon_bars)
        decided, model = classify(
            frame,
            fit_rows=roles == "development",
            timeframe=market_data.metadata["timeframe"],
            settings=settings.regimes,
            seed=work.seed,
        )
    except BadInput as reason:
        # The request was checked before the run: what is left is that these bars are too few,
        # or do not move.
        raise PartitionSkipped(f"no regimes can be told apart: {reason}") from reason
    shares = decided["regime"].value_counts(normalize=True)
    inside, stamps = decided["regime"].to_numpy(), frame["timestamp"].to_numpy()
    switches = int((inside[1:] != inside[:-1]).sum())
    days = len(frame) * timeframe_ms(market_data.metadata["timeframe"]) / DAY_MS
    start = int(np.searchsorted(stamps, market_data.metadata["window_start_ms"]))
    metadata = {
        "algorithm": settings.regimes.algorithm,
        **{
            f"share_{name}": round(float(shares.get(name, 0.0)), 4) for name in sorted(shares.index)
        },
        "switches": switches,
        "switches_per_30_days": round(switches / days * 30, 2),
        "mean_dwell_bars": round(len(frame) / (switches + 1), 1),
        **{name: model[name] for name in FIT_NUMBERS if name in model},
        "picture": regime_picture(
            stamps[start:],
            frame["close"].to_numpy()[start:],
            inside[start:],
            cuts_of(market_data.metadata, settings.window),
        ),
    }
    found = set(inside[roles == "development"].tolist())
    value = {"regimes.parquet": decided, "model.json": model}
    return Result(value, metadata, (*_collapsed(found), *_unconverged(model)))


def _still(frame: pd.DataFrame) -> str:
    return (
        f"the price never moves: all {len(frame)} bars stand at {frame['close'].iloc[0]:g}, "
        "so there is nothing to learn"
    )


def _collapsed(found: set[str]) -> tuple[str, ...]:
    """A model of one regime is a model of all bars under that regime's name."""
    if len(found) > 1:
        return ()
    if not found:
        return ("no development bar has a regime: the regimes tell nothing apart",)
    return (f"every development bar is {', '.join(found)}: the regimes tell nothing apart",)


def _unconverged(model: Mapping[str, Any]) -> tuple[str, ...]:
    """A search that was stopped gave what it had; algorithms without one have no such field."""
    if model.get("converged", True):
        return ()
    name, spent = model["algorithm"], model["iterations"]
    return (f"the fit of {name} stopped after {spent} iterations without converging",)


SPEC = StepSpec(
    number=2,
    name="market_regimes",
    title="Market Regime Classification",
    description="Names each bar bull, bear or sideways; fitted on development, decoded online.",
    group="market",
    kind="bundle",
    inputs=("market_data",),
    uses=("regimes", "window", "labels"),
    function=market_regimes,
    shared=True,
)
