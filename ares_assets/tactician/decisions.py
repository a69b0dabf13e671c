"""From released parameters to decisions: the tactician at inference, and the regime router.

Belongs here: the pure arithmetic that serving shares with training.  Does not belong here:
reading bundles, running models, and filtering regimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.tactician.meta_labels import side_of
from ares_assets.tactician.positions import HOLD, management_signals, signal_names
from ares_assets.tactician.size_rules import stakes
from ares_assets.tactician.sizing import position_size
from ares_assets.tactician.tactician_ensemble import combine, take_with_band
from ares_resources.errors import BadInput
from ares_resources.settings import TacticianSettings

REGIMES = ("bull", "bear", "sideways")
DECISION_DTYPES: dict[str, str] = {
    "probability": "float64",
    "side": "int64",
    "take_probability": "float64",
    "take": "bool",
    "wait": "bool",
    "size": "float64",
    "management": "object",
}


def decide(
    probability: np.ndarray,
    members: Mapping[str, np.ndarray],
    parameters: Mapping[str, Any],
    *,
    wait_probability: np.ndarray | None,
    against: np.ndarray | None,
    move: np.ndarray,
    annual_volatility: np.ndarray,
    drawdown: np.ndarray | float,
    settings: TacticianSettings,
) -> pd.DataFrame:
    """Decisions of one regime's tactician at (n,) moments in time order.

    Parameters
    ----------
    probability
        The analyst's probability of a rise, (n,); NaN decides nothing and is not taken.
    members
        Name -> take probability of each tactician, (n,).
    parameters
        The release's JSON: ``ensemble`` (``weights, threshold, band``), ``sizing`` (see
        ``size_rules``), ``timing`` (``kept, wait_above``), ``coordination`` (``kept,
        raised_by``) and ``management`` (``kept, band``).
    wait_probability
        The wait classifier's probability, (n,); None where it was not kept.
    against
        Whether the slowest timeframe is against the trade, bool (n,); None where that rule
        was not kept.
    move
        Volatility of the return over the horizon, a fraction, (n,).

    Returns
    -------
    pandas.DataFrame
        (n, 7), the columns of :data:`DECISION_DTYPES`; ``size`` is a share of equity, 0
        where the signal is not taken; waiting applies to taken signals only; ``management``
        tells open positions of a side to reduce or exit, and is "hold" everywhere where
        managing did not prove itself.

    Raises
    ------
    BadInput
        A rule was kept, but what it asks for did not come.
    """
    ensemble = parameters["ensemble"]
    known = ~np.isnan(np.asarray(probability, dtype=np.float64))
    p = combine(members, ensemble["weights"])
    open_to_take = np.where(known, p, 0.0)
    taken = known & take_with_band(
        open_to_take,
        threshold=ensemble["threshold"],
        band=ensemble["band"],
        raised_by=_raised(parameters["coordination"], against),
    )
    size = position_size(
        stakes(p, move, parameters["sizing"], fraction=settings.kelly_fraction),
        annual_volatility=annual_volatility,
        drawdown=drawdown,
        settings=settings,
    )
    wait = np.zeros(len(p), dtype=bool)
    if parameters["timing"]["kept"]:
        if wait_probability is None:
            raise BadInput("the release keeps a wait classifier, but no wait probability came")
        wait = np.asarray(wait_probability) > parameters["timing"]["wait_above"]
    columns = {
        "probability": probability,
        "side": np.where(known, side_of(probability), 0),
        "take_probability": p,
        "take": taken,
        "wait": wait & taken,
        "size": np.where(taken, size, 0.0),
        "management": _management(parameters["management"], probability, move),
    }
    return pd.DataFrame(columns).astype(DECISION_DTYPES)


def _raised(coordination: Mapping[str, Any], against: np.ndarray | None) -> np.ndarray | float:
    if not coordination["kept"]:
        return 0.0
    if against is None:
        raise BadInput("the release heeds a slower timeframe, but none came")
    return np.where(against, float(coordination["raised_by"]), 0.0)


def _management(rule: Mapping[str, Any], probability: np.ndarray, move: np.ndarray) -> np.ndarray:
    if not rule["kept"]:
        return np.full(len(probability), HOLD, dtype=object)
    return signal_names(management_signals(probability, move, band=rule["band"]))


def route(regime: np.ndarray, decisions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each moment's decision by the model of its filtered regime.

    Parameters
    ----------
    regime
        Filtered regime names, (n,); anything that is not a name ("" in warm-up) is unknown.
    decisions
        Regime -> decisions at ALL n moments (so that each tactician's hysteresis saw the
        whole past); a regime without a release is absent.

    Returns
    -------
    pandas.DataFrame
        (n, 9): ``regime``, ``released`` and the columns of :data:`DECISION_DTYPES`.  Where the
        regime has no release: no side, no probability, nothing taken.

    Raises
    ------
    BadInput
        A key is not a regime, or lengths disagree.
    """
    names = np.asarray(regime, dtype=object)
    routed = _nothing(names.size)
    released = np.zeros(names.size, dtype=bool)
    for name in sorted(decisions):
        if name not in REGIMES:
            raise BadInput(f"regime {name!r}; allowed: {', '.join(REGIMES)}")
        if len(decisions[name]) != names.size:
            raise BadInput(f"{name}: {len(decisions[name])} decisions for {names.size} moments")
        here = names == name
        released |= here
        for column in DECISION_DTYPES:
            routed[column][here] = decisions[name][column].to_numpy()[here]
    frame = pd.DataFrame(routed).astype(DECISION_DTYPES)
    frame.insert(0, "regime", names)
    frame.insert(1, "released", released)
    return frame


def _nothing(n: int) -> dict[str, np.ndarray]:
    return {
        "probability": np.full(n, np.nan),
        "side": np.zeros(n, dtype=np.int64),
        "take_probability": np.full(n, np.nan),
        "take": np.zeros(n, dtype=bool),
        "wait": np.zeros(n, dtype=bool),
        "size": np.zeros(n),
        "management": np.full(n, HOLD, dtype=object),
    }
