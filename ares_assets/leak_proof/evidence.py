"""What the proofs read of steps 4 and 8, whole or one role of it, and how bars make it again.

Belongs here: the one place that knows which rows, columns and groups those bundles hold.
Does not belong here: judging.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    from ares_assets.analyst.dataset import Examples, MarketExamples
    from ares_assets.stored import Stored
    from ares_assets.tactician.model import Signals, TacticianContext

REGIME_COLUMNS = ("p_bull", "p_bear", "p_sideways")
FOLLOWING = {"development": "calibration", "calibration": "holdout"}


def events_of(stored: Stored) -> pd.DataFrame:
    """Every labelled event before the holdout, of all regimes."""
    return stored["analyst_dataset"].load()["events.parquet"]


def members(events: pd.DataFrame) -> np.ndarray:
    """Which events are the partition's own, bool (m,)."""
    return events["member"].to_numpy(bool)


def development(stored: Stored) -> Examples:
    """The partition's own events of development: what most of steps 5 to 7 train on."""
    return development_of_all(stored).own


def development_of_all(stored: Stored) -> MarketExamples:
    """The events of all regimes of development, with the partition's own marked."""
    from ares_assets.analyst.dataset import everything_of

    return everything_of(stored["analyst_dataset"].load(), "development")


def development_events(stored: Stored) -> pd.DataFrame:
    """Events of development as step 4 stored them, of all regimes."""
    events = events_of(stored)
    return events[events["role"] == "development"].reset_index(drop=True)


def confined(stored: Stored, role: str) -> dict[str, pd.DataFrame]:
    """Step 4's bundle with a role's events alone, by their name and by their rows.

    No row of it, no bar within its horizon, belongs to another role, whatever step 4 wrote
    beside it: who reads only this cannot have seen more.
    """
    bundle, starts = stored["analyst_dataset"].load(), role_starts(stored)
    events = bundle["events.parquet"]
    kept = (
        (events["role"] == role)
        & (events["row"] >= starts[role])
        & (events["last_row"] < starts[FOLLOWING[role]])
    ).to_numpy(bool)
    names = ("events.parquet", "features.parquet")
    return {**bundle, **{name: bundle[name][kept].reset_index(drop=True) for name in names}}


def signals_before_calibration(stored: Stored) -> dict[str, pd.DataFrame]:
    """Step 8's bundle with the signals alone that are settled before calibration begins."""
    bundle = stored["tactician_dataset"].load()
    kept = (bundle["labels.parquet"]["settled_row"] < role_ends(stored)["development"]).to_numpy()
    return {name: frame[kept].reset_index(drop=True) for name, frame in bundle.items()}


def role_starts(stored: Stored) -> dict[str, int]:
    """The first row of each role; the number of rows for one that has none."""
    from ares_assets.market.roles import first_row

    roles = bar_roles(stored)
    return {role: first_row(roles, role) for role in ("development", *FOLLOWING.values())}


def bar_roles(stored: Stored) -> np.ndarray:
    """The role of every bar, (n,)."""
    from ares_assets.market.roles import roles_of

    market, settings = stored["market_data"], stored.settings
    return roles_of(market.load(), market.metadata, settings.window, settings.labels.horizon_bars)


def role_ends(stored: Stored) -> dict[str, int]:
    """Development and calibration, each with the first row of what follows it."""
    starts = role_starts(stored)
    return {role: starts[after] for role, after in FOLLOWING.items()}


def relabelled(stored: Stored, role: str, frame: pd.DataFrame) -> pd.DataFrame:
    """The role's events made from these bars alone, as step 4 makes them from the role's."""
    from ares_assets.analyst import events

    return events.labelled_events(
        frame,
        _decided(stored, role, frame),
        settings=stored.settings.labels,
        timeframe_ms=timeframe_ms(stored["market_data"].metadata["timeframe"]),
    )


def labelled_count(stored: Stored, role: str, frame: pd.DataFrame) -> int:
    """How many of the role's decisions can have a label by the end of these bars.

    Left out are those whose horizon passes the end, without volatility, or without a bar in
    the horizon: nothing of which depends on how the event ends.
    """
    from ares_assets.analyst.labels import sample_events, unlabelled, volatility

    labels = stored.settings.labels
    step = timeframe_ms(stored["market_data"].metadata["timeframe"])
    chosen = sample_events(
        frame["timestamp"].to_numpy(),
        _decided(stored, role, frame),
        every_bars=labels.event_every_bars,
        timeframe_ms=step,
    )
    lost = unlabelled(
        frame,
        chosen,
        horizon_bars=labels.horizon_bars,
        volatility=volatility(frame["close"].to_numpy(), labels.volatility_halflife_bars),
        timeframe_ms=step,
    )
    return len(chosen) - sum(lost.values())


def _decided(stored: Stored, role: str, frame: pd.DataFrame) -> np.ndarray:
    """The partition's rows of a role, and those of stored events, within these bars."""
    split, events = stored["regime_dataset"].load(), events_of(stored)
    own = split["row"].to_numpy()[split["role"].to_numpy() == role]
    held = events["row"].to_numpy()[events["role"].to_numpy() == role]
    wanted = np.union1d(own, held)
    return wanted[wanted < len(frame)]


def features_again(stored: Stored, frame: pd.DataFrame) -> pd.DataFrame:
    """Every column that step 4 gives its events, made from these bars for each of them."""
    from ares_assets.analyst import features

    made = features.compute_features(
        frame,
        timeframe=stored["market_data"].metadata["timeframe"],
        settings=stored.settings.features,
    )
    decoded = regimes_again(stored, frame)
    return made.assign(**{name: decoded[name].to_numpy() for name in REGIME_COLUMNS})


def regimes_again(stored: Stored, frame: pd.DataFrame) -> pd.DataFrame:
    """The regimes of these bars by the model that step 2 fitted."""
    from ares_assets.market.classification import decode

    model = stored["market_regimes"].load()["model.json"]
    return decode(frame, model, stored.settings.regimes)


def outcomes_again(stored: Stored, frame: pd.DataFrame) -> pd.DataFrame:
    """All that step 8 says of outcomes, made from these bars: of those known by their end."""
    from ares_assets.tactician.outcomes import signal_outcomes

    context, signals = _signals(stored, frame)
    return signal_outcomes(frame, signals, context)[0]


def signal_features_again(
    stored: Stored, frame: pd.DataFrame
) -> tuple[np.ndarray, dict[str, pd.DataFrame]]:
    """Rows of every signal within these bars, and its features by timeframe, as in step 8."""
    context, signals = _signals(stored, frame)
    settled = context.settled(context.label(frame, signals))
    return signals.row, context.features(frame, regimes_again(stored, frame), signals, settled)


def _signals(stored: Stored, frame: pd.DataFrame) -> tuple[TacticianContext, Signals]:
    from ares_assets.release.partition_model import make_signals
    from ares_assets.tactician.model import TacticianContext

    settings = stored.settings
    known = stored["analyst_ensemble"].load()["out_of_fold.parquet"]
    known = known.dropna(subset=["probability"])
    known = known[known["row"] < len(frame)]
    context = TacticianContext(
        stored["market_data"].metadata["timeframe"],
        settings.labels.horizon_bars,
        settings.costs,
        settings.tactician,
    )
    rows, probability = known["row"].to_numpy(), known["probability"].to_numpy()
    return context, make_signals(frame, rows, probability, settings.labels)
