"""Checks of steps 1 to 3 on what they stored: bars, regimes, split.

Belongs here: which figures are judged against which tolerance, in words.  Does not belong
here: the figures themselves (``market/``), proofs of no leak (``leak_proof/``), Dagster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.stored import Finding, Stored
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from pandera.pandas import DataFrameSchema

_SHOWN_FAILURES = 20


def conforms(frame: pd.DataFrame, schema: DataFrameSchema) -> Finding:
    """Whether a frame is what its schema says; the first cells that are not, as a table."""
    from pandera.errors import SchemaErrors

    size = {"rows": len(frame), "columns": len(frame.columns)}
    if not len(frame):
        return Finding(False, "the frame has no row", size)
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as errors:
        failures = _failures(errors.failure_cases)
        more = f" (and {len(failures) - 1} further faults)" if len(failures) > 1 else ""
        shown = [{"fault": fault} for fault in failures[:_SHOWN_FAILURES]]
        counted = {**size, "faults": len(failures), "first_faults": shown}
        return Finding(False, failures[0] + more, counted)
    return Finding(True, f"{len(frame)} rows of {len(frame.columns)} columns fit", size)


_STRUCTURE = {
    "column_in_dataframe": "is missing",
    "column_in_schema": "is unknown",
    "column_ordered": "is out of order",
}


def _failures(cases: pd.DataFrame) -> list[str]:
    """Pandera's cases in words: columns that are not there, then cells, then whole rows."""
    names = ("schema_context", "column", "check", "failure_case", "index")
    structure, cells, rows = [], [], []
    for context, column, check, value, at in zip(*(cases[n] for n in names), strict=True):
        placed = at is not None and at == at
        if check in _STRUCTURE:
            structure.append(f"column {value!r} {_STRUCTURE[check]}")
        elif context == "Column":
            where = f", row {at}" if placed else ""
            cells.append(f"column {column!r}{where}: {value} must be {check}")
        elif placed:
            rows.append(f"row {at}: needed is {check}")
    # A check of whole rows is told once for each of its columns.
    return [*structure, *cells, *dict.fromkeys(rows)]


def bars_have_few_gaps(stored: Stored) -> Finding:
    """Missing bars and the longest gap, against what is tolerated."""
    from ares_assets.market.quality import gap_faults, gap_figures

    market = stored["market_data"]
    step = timeframe_ms(market.metadata["timeframe"])
    figures = gap_figures(market.load()["timestamp"].to_numpy(), step)
    faults = gap_faults(figures, stored.settings.checks)
    words = (
        f"{figures['missing_bars']} of {figures['bars'] + figures['missing_bars']} bars missing, "
        f"the longest gap {figures['longest_gap_hours']:.1f} hours"
    )
    return Finding(not faults, "; ".join(faults) or words, figures)


def bars_are_plausible(stored: Stored) -> Finding:
    """Jumps, spikes, stand-stills and bars without a trade, against what is tolerated."""
    from ares_assets.market.quality import plausibility_faults, plausibility_figures

    market = stored["market_data"]
    step = timeframe_ms(market.metadata["timeframe"])
    figures = plausibility_figures(market.load(), step, market.metadata["window_end_ms"])
    faults = plausibility_faults(figures, stored.settings.checks)
    words = (
        f"the largest move of a bar is {figures['largest_move']:.1%}, "
        f"{figures['zero_volume_share']:.2%} of the bars are without a trade"
    )
    if figures["never_moves"]:
        words = "the price never moves: nothing can be learned, and step 2 skips the partition"
    return Finding(not faults, "; ".join(faults) or words, figures)


def bars_are_fresh(stored: Stored) -> Finding:
    """The age of the last bar at the asked time, and why collection was marked stale."""
    from ares_assets.step01_data_collection import STALE, asked_end
    from ares_resources.exchanges.registry import open_exchange

    request, market = stored.request, stored["market_data"]
    timeframe = market.metadata["timeframe"]
    # Opened offline: a check asks no exchange for the time; the clock of this machine will do.
    exchange = open_exchange(
        request.symbol.exchange,
        settings=request.settings.data,
        as_of_ms=request.as_of_ms,
        offline=True,
    )
    asked = asked_end(request, stored.workspace.catalogue, exchange, timeframe)
    age = max(0, asked - market.metadata["window_end_ms"]) // timeframe_ms(timeframe)
    reasons = [reason for reason in market.degraded if reason.startswith(STALE)]
    allowed = stored.settings.checks.maximum_age_bars
    if age > allowed:
        reasons.append(f"the last bar is {age} bars old (checks.maximum_age_bars: {allowed})")
    figures = {
        "last_close_ms": market.metadata["window_end_ms"],
        "asked_end_ms": asked,
        "age_bars": age,
        "age_hours": age * timeframe_ms(timeframe) / 3_600_000,
        "marked_stale": bool(market.degraded),
    }
    return Finding(not reasons, "; ".join(reasons) or f"the last bar is {age} bars old", figures)


def regimes_are_balanced(stored: Stored) -> Finding:
    """Every regime has bars and stays in development, and switches come at a sane pace."""
    from ares_assets.market.balance import balance, balance_faults, drift, evenness, rows
    from ares_assets.market.roles import roles_of

    market, settings = stored["market_data"], stored.settings
    frame, horizon = market.load(), settings.labels.horizon_bars
    decided = stored["market_regimes"].load()["regimes.parquet"]["regime"].to_numpy()
    roles = roles_of(frame, market.metadata, settings.window, horizon)
    stamps, step = frame["timestamp"].to_numpy(), timeframe_ms(market.metadata["timeframe"])
    cells = balance(stamps, roles, decided, horizon_bars=horizon, step_ms=step)
    pace = stored["market_regimes"].metadata["switches_per_30_days"]
    faults = balance_faults(cells, pace, settings.checks)
    figures = {
        "switches_per_30_days": pace,
        "development_evenness": evenness(cells, "development"),
        "calibration_drift": drift(cells, "calibration"),
        "holdout_drift": drift(cells, "holdout"),
        "balance": rows(cells),
    }
    words = f"three regimes, {pace:g} switches in 30 days"
    return Finding(not faults, "; ".join(faults) or words, figures)


def roles_are_disjoint(stored: Stored) -> Finding:
    """Rows keep their true time and regime, and roles follow each other without overlap."""
    from ares_assets.market.roles import cuts_of
    from ares_assets.market.spans import misplaced

    market, split = stored["market_data"], stored["regime_dataset"]
    rows, stamps = split.load(), market.load()["timestamp"].to_numpy()
    decided = stored["market_regimes"].load()["regimes.parquet"]["regime"].to_numpy()
    first, second = cuts_of(market.metadata, stored.settings.window)
    edges = (market.metadata["window_start_ms"], first, second, market.metadata["window_end_ms"])
    fault = misplaced(rows, stamps, edges) or _foreign(stored, rows, decided)
    counts = {role: int(n) for role, n in rows["role"].value_counts().items()}
    words = ", ".join(f"{n} {role}" for role, n in counts.items())
    return Finding(fault is None, fault or f"{words} bars, no two roles overlap", counts)


def _foreign(stored: Stored, rows: pd.DataFrame, decided: np.ndarray) -> str | None:
    """The first row of another regime; development may hold such where it is pooled."""
    regime = stored.request.regime
    own = decided[rows["row"].to_numpy()] == regime
    if stored["regime_dataset"].metadata["pooled"]:
        own |= (rows["role"] == "development").to_numpy()
    return None if own.all() else f"row {int(rows['row'][~own].iloc[0])} is not {regime}"


def split_is_purged(stored: Stored) -> Finding:
    """No label of a role can end after the next role's first bar opens."""
    from ares_assets.market.roles import cuts_of
    from ares_assets.market.spans import crossing

    market, rows = stored["market_data"], stored["regime_dataset"].load()
    step = timeframe_ms(market.metadata["timeframe"])
    cuts, horizon = cuts_of(market.metadata, stored.settings.window), stored.settings.labels
    fault = crossing(
        rows["timestamp"].to_numpy(),
        rows["role"].to_numpy(),
        cuts,
        horizon_bars=horizon.horizon_bars,
        step_ms=step,
    )
    gaps = stored["regime_dataset"].metadata["purge_gaps"]
    words = f"{len(gaps)} gaps of {horizon.horizon_bars} bars; no label reaches the next role"
    return Finding(fault is None, fault or words, {"purge_gaps": gaps})
