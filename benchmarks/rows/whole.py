"""Row "whole": 13 refits through 85 days of 5-minute bars, beside FreqAI's backtesting.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: FreqAI's way
(``peers/whole.py``), where the time of Ares' own trainings goes (``benchmarks.whole``).

The same: bars, 30 days of training before each block, a row for every candle, LightGBM with the
same number and size of trees, two threads, the last third of each window held back, features of
5, 15 and 60 minutes, a backtest with costs of the predictions at the end.

Ares also: labels by the triple barrier and their uniqueness; each training label over before
the held-back part and before the block begins (purged); a calibrator chosen and fitted on the
held-back part of each window; reliability and its noise floor; drift of losses and features;
10,000 bootstrap paths of the daily returns, the probabilistic Sharpe ratio, the always-valid
test against no trade.  Not in it: regimes, other experts, ensembles, the tactician, the search,
Dagster and artifacts: those are in `benchmarks.whole`.

FreqAI also: reading candles from feather files (Ares has arrays; the files are written before the
time), checking its settings, a file of predictions and one of metadata for each refit, and its
report of the backtest on the screen.  It makes 71 features, Ares 40.  Both run a last block alone
before the time, so that everything is imported and compiled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import off_by, peers_in
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.peers.whole import auc_ahead
from benchmarks.turns import ARES, Case, Differs, Figures, Goal, Program, Row, faster

HERE, PEERS = "benchmarks.rows.whole", "benchmarks.peers.whole"
MARKET, SEED = "CONSISTENT", 1
BEFORE_DAYS, TRAIN_DAYS, BLOCK_DAYS, DAYS = 2, 30, 7, 85
STEP_MS, BARS_A_DAY, AHEAD = 300_000, 288, 24
HELD = 0.33
TREES = {"trees": 150, "learning_rate": 0.05, "leaves": 16, "feature_share": 0.4, "row_share": 0.6}
LIGHTGBM = {
    "n_estimators": 150,
    "learning_rate": 0.05,
    "num_leaves": 16,
    "colsample_bytree": 0.4,
    "subsample": 0.6,
    "subsample_freq": 1,
    "max_bin": 63,
    "random_state": 1,
    "n_jobs": 2,
    "verbosity": -1,
}
LEAF_SHARE, LEAF_PENALTY = 0.01, 1.0
ENTER, ALWAYS = 0.55, 0.0
PEER = "FreqAI"
HALF = "at most half the memory"
FEWER, ERRORS = 0.02, 3


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Minutes of a simulated market with a true edge, joined to candles of five."""
    from ares_assets.market.resampling import resample_bars
    from ares_resources.exchanges.simulated import simulate
    from ares_resources.exchanges.simulated.symbols import LABORATORY

    minutes = int(data["days"]) * 1440
    bars = simulate(LABORATORY[MARKET], seed=int(data["seed"]), minutes=minutes).bars()
    candles = resample_bars(bars, "1m", "5m")
    for name in ("timestamp", "open", "high", "low", "close", "volume"):
        np.save(folder / f"{name}.npy", candles[name].to_numpy())


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """Features, labels, the walk forward, calibration, the backtest and its tests.

    A last block alone has been run before, so that everything is imported and compiled.
    """
    import pandas as pd

    from ares_assets.analyst.dataset import from_events
    from ares_assets.analyst.events import labelled_events
    from ares_assets.analyst.features import compute_features, usable_features
    from ares_assets.evidence.walk_forward import run_walk_forward, walk_forward_blocks
    from ares_resources.blas import one_blas_thread
    from ares_resources.settings import FeatureSettings, LabelSettings

    columns = arrays(folder)
    labels = LabelSettings(horizon_bars=AHEAD, event_every_bars=1)
    settings = FeatureSettings(timeframes=("15m", "1h"))

    def walked(days: int, refits: int, enter: float) -> Any:
        frame = pd.DataFrame(columns)
        features = compute_features(frame, timeframe="5m", settings=settings)
        rows = np.arange(len(frame))
        events = labelled_events(
            frame,
            rows[len(frame) - BARS_A_DAY * (days + TRAIN_DAYS) :],
            settings=labels,
            timeframe_ms=STEP_MS,
        )
        first = len(frame) - BARS_A_DAY * days
        known = from_events(events, features.iloc[events["row"].to_numpy()])
        names, _ = usable_features(known.features, known.rows < first, 0.2)
        blocks = walk_forward_blocks(
            known.rows,
            known.t1_rows,
            known.rows[known.rows >= first],
            refits=refits,
            scheme="rolling",
        )
        methods: list[str] = []
        found = run_walk_forward(
            blocks,
            lambda block: _fitted(known.part(block.train), names, methods),
            lambda model, test: model[1].predict(
                model[0].probability(known.features.iloc[test][names])
            ),
        )
        tested = known.part(found.position)
        path = _traded(frame, tested, found.prediction, enter)
        report = _judged(path, frame, known.part(blocks[0].train), tested, found.prediction, names)
        return tested, found, report | {"methods": methods, "features": len(names)}

    def tell(value: Any) -> Mapping[str, Any]:
        tested, found, report = value
        return {
            "refits": len(found.trained_on),
            "calibrated": sum(one != "identity" for one in report["methods"]),
            "features": report["features"],
            "predictions": len(tested),
            "auc": auc_ahead(columns, tested.timestamps, found.prediction, AHEAD),
            "trades": report["trades"],
            "drift_alarms": report["drift_alarms"],
            "sharpe_is_positive": report["sharpe_is_positive"],
        }

    def work() -> Any:
        # As the product's steps compute.
        with one_blas_thread():
            return walked(options["days"], options["refits"], ENTER)

    with one_blas_thread():
        walked(options["block_days"], 1, ALWAYS)  # few trades in a block alone, or none
    return work, tell


def _fitted(known: Any, names: list[str], methods: list[str]) -> Any:
    """An expert of the window's first two thirds, and the calibrator of its last third."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.evidence.calibration import choose_calibrator
    from ares_resources.settings import CalibrationSettings

    cut = int(len(known) * (1 - HELD))
    held = known.part(np.arange(cut, len(known)))
    train = known.part(np.flatnonzero(known.t1_rows < held.rows[0]))
    model = get_expert("gradient_boosting").fit(
        train.features[names],
        train.labels,
        train.weights,
        parameters={**TREES, "leaf_share": LEAF_SHARE, "leaf_penalty": LEAF_PENALTY},
        seed=SEED,
        threads=2,
    )
    calibrator, report = choose_calibrator(
        model.probability(held.features[names]),
        held.labels,
        held.weights,
        held.rows,
        held.t1_rows,
        CalibrationSettings().methods,
        seed=SEED,
    )
    methods.append(report["method"] if report["degraded"] is None else "identity")
    return model, calibrator


def _judged(
    path: Any, frame: Any, past: Any, tested: Any, predicted: Any, names: list[str]
) -> dict[str, Any]:
    """What is asked of the predictions and of their backtest."""
    from ares_assets.evidence import (
        bootstrap,
        drift,
        loss_drift,
        performance,
        reliability,
        sequential,
    )
    from ares_assets.evidence.sharpe_tests import probabilistic_sharpe_ratio, sharpe_moments

    first = int(tested.rows[0])
    stamps = frame["timestamp"].to_numpy()[first:]
    returns = path.net_return[first:]
    _, daily = performance.aggregate_returns(returns, stamps)
    groups = reliability.overlap_groups(tested.rows, tested.t1_rows)
    losses = loss_drift.paired_losses(predicted, tested.labels, float(past.labels.mean()))
    stream = loss_drift.loss_stream(losses, tested.rows, tested.t1_rows)
    return {
        "performance": performance.performance_report(
            returns, stamps, trade_returns=path.trade_return
        ),
        "reliability": reliability.reliability_report(
            predicted, tested.labels, tested.weights, bins=10, seed=SEED, groups=groups
        ),
        "paths": bootstrap.bootstrap_paths(daily, paths=10_000, seed=SEED),
        "always_valid": sequential.always_valid_test(daily),
        "drifted": drift.feature_drift(past.features[names], tested.features[names]),
        "drift_alarms": len(loss_drift.prequential_drift(stream.loss, seed=SEED).alarms),
        "sharpe_is_positive": probabilistic_sharpe_ratio(sharpe_moments(daily)),
        "trades": int(path.result.trades),
    }


def _traded(frame: Any, tested: Any, predicted: np.ndarray, enter: float) -> Any:
    import talib

    from ares_resources.backtesting import MarketArrays, StrategyParameters, backtest_path

    prices = {name: frame[name].to_numpy() for name in ("open", "high", "low", "close")}
    atr = talib.ATR(prices["high"], prices["low"], prices["close"], 14)
    market = MarketArrays(
        timestamp=frame["timestamp"].to_numpy(),
        **prices,
        atr=atr,
        funding_payment=np.zeros(len(frame)),
    )
    probability = np.full(len(frame), np.nan)
    probability[tested.rows] = predicted
    rules = StrategyParameters(enter, -np.inf, np.inf, np.inf, AHEAD, 0.0004, 0.0001)
    return backtest_path(market, probability, np.full(len(frame), 0.1), rules)


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """As many refits, nearly as many predictions, trades on both sides, AUCs that are near.

    The AUC is for the direction two hours ahead, which neither has as its label.  Its standard
    error is that of chance with one independent prediction in so many bars.
    """
    own = results[ARES]
    near = ERRORS * (3 * own["predictions"] / AHEAD) ** -0.5
    for name, one in {ARES: own, **peers_in(results)}.items():
        off_by(name, "refits", one["refits"], own["refits"], 0)
        few = FEWER * own["predictions"]
        off_by(name, "predictions", one["predictions"], own["predictions"], few)
        off_by(name, "AUC", one["auc"], own["auc"], near)
        if one["auc"] < 0.5 - near:
            raise Differs(f"{name}: AUC {one['auc']:.3g} is worse than chance")
        if not one["trades"]:
            raise Differs(f"{name}: no trade")
    text = "; ".join(
        f"{name} {one['features']} features, {one['predictions']:,} predictions, "
        f"AUC {one['auc']:.3f}, {one['trades']} trades"
        for name, one in results.items()
    )
    return f"{own['refits']} refits each; {text}"


def cases(quick: bool) -> Sequence[Case]:
    """85 days in blocks of a week."""
    days, refits = (14, 2) if quick else (DAYS, 13)

    def memory(figures: Figures) -> float | None:
        peaks = [figures.get(name, {}).get("peak_mib") for name in ("ares", PEER)]
        return None if None in peaks else float(peaks[0]) / float(peaks[1])

    leaf = int(LEAF_SHARE * TRAIN_DAYS * BARS_A_DAY * (1 - HELD))
    return [
        Case(
            name=f"{refits} refits over {days} days of 5-minute bars",
            make=write,
            data={"days": days + TRAIN_DAYS + BEFORE_DAYS, "seed": SEED},
            programs=[Program("ares", HERE), Program(PEER, PEERS, "-freqtrade")],
            same=same,
            goals=[
                faster([PEER], 5),
                Goal(HALF, memory, 0.5, "times", at_least=False),
            ],
            options={
                "days": days,
                "refits": refits,
                "train_days": TRAIN_DAYS,
                "block_days": BLOCK_DAYS,
                "ahead": AHEAD,
                "held": HELD,
                "timeframes": ["5m", "15m", "1h"],
                "lightgbm": {**LIGHTGBM, "min_child_samples": leaf, "reg_lambda": LEAF_PENALTY},
                "repeats": 1,
                "warmups": 0,
            },
            rounds=1 if quick else 3,
            reasons={
                f"5 x {PEER}": "seven tenths of Ares' time are LightGBM's own fits and answers,"
                " a fifth is the calibrator of each window, which FreqAI does not have",
                HALF: "most of either is libraries and bars: five sixths of Ares' are there after"
                " the block before the time",
            },
        )
    ]


ROW = Row("whole", "a walk forward from bars to verdict", cases, {"-freqtrade": ["freqtrade"]})

if __name__ == "__main__":
    main({"ares": ares})
