"""Step 14, Monte Carlo Validation: how much of the result could be luck, or could go wrong.

Belongs here: reading, calling resampling, deflation and stress, key numbers.  Does not belong
here: the statistics (``evidence/``), the stressed backtests (``release/stress_tests.py``) and
counting trials and looks (``ledger_counts.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_assets.ledger_counts import losses_in_words, trial_count
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

_HOURS_A_YEAR = 24 * 365
_HOUR_MS = 3_600_000


def monte_carlo_report(
    work: Work,
    market_data: Artifact,
    enhanced_analysts: Artifact,
    final_parameters: Artifact,
    walk_forward_report: Artifact,
) -> Result:
    """Bootstrap, stress and uncertainty of the holdout; PSR, DSR, PBO and SPA by honest counts."""
    from ares_assets.counted_looks import record_look
    from ares_assets.evidence.jsonable import jsonable
    from ares_assets.evidence.performance import aggregate_returns
    from ares_assets.ledger_losses import enter_losses
    from ares_assets.release.claimed_equity import claimed_equity
    from ares_assets.release.partition_model import PartitionModel
    from ares_assets.release.stress_tests import stress_tests

    settings, ledger = work.settings, json.loads(work.outside)
    if not ledger["present_lost"]:
        # Before any figure is known: by these requirements it may be another look than step
        # 13's.  What was lost is not entered anew, or the loss would show only once.
        seen = walk_forward_report.metadata
        record_look(work, market_data, seen["sight"], seen["sharpe"])
    walk, searched = walk_forward_report.load(), final_parameters.load()
    model, frame = PartitionModel.from_files(searched), market_data.load()
    returns = walk["returns.parquet"]
    net, stamps = returns["net_return"].to_numpy(), returns["timestamp"].to_numpy()
    _, daily = aggregate_returns(net, stamps)
    _, hourly = aggregate_returns(net, stamps, period_ms=_HOUR_MS)
    margins = settings.search.enter_margin
    report = {
        **_resampled(work, hourly),
        **_chosen_among(work, searched, ledger),
        "deflation": _deflation(daily, ledger),
        "bets": _bets(work, walk["trades.parquet"], daily.size),
        "uncertainty": claimed_equity(
            model,
            frame["timestamp"].to_numpy(),
            walk["decisions.parquet"],
            walk["trades.parquet"],
            walk["predictions.parquet"],
            paths=settings.validation.bootstrap_paths,
            seed=work.seed,
        ),
        "stress": stress_tests(
            model,
            frame,
            walk["decisions.parquet"],
            first_row=len(frame) - len(returns),
            settings=settings.validation,
            margin_span=margins[1] - margins[0],
            seed=work.seed,
        ),
    }
    report = jsonable(report)
    counts = {
        "looks_by_training": ledger["looks_by_training"],
        "lost_looks": ledger["losses"]["looks"],
        "lost_trials": ledger["losses"]["trials"],
        "distinct_sets": final_parameters.metadata["distinct_sets"],
    }
    # By these a later ledger notices what it has lost, and how much.
    told = {
        "sight": walk_forward_report.metadata["sight"],
        "trial_variance_a_year": ledger["variance"],
    }
    # Last: a run that comes to no end has told nobody, and the next one is to notice it again.
    enter_losses(work, ledger["losses"])
    metadata = {**_key_numbers(report), **counts, **told}
    return Result({**report, **counts}, metadata, losses_in_words(ledger))


def _resampled(work: Work, hourly: np.ndarray) -> dict[str, Any]:
    """Paths as long as the holdout, for the spread of its figures, and as the horizon, for ruin."""
    from ares_assets.evidence.bootstrap import optimal_mean_block
    from ares_assets.evidence.monte_carlo import monte_carlo

    settings = work.settings.validation
    options: dict[str, Any] = {
        "paths": settings.bootstrap_paths,
        "seed": work.seed,
        "ruin_drawdown": settings.ruin_drawdown,
        "mean_block": optimal_mean_block(hourly),
        "periods_a_year": _HOURS_A_YEAR,
        "threads": work.settings.threads,
    }
    horizon = monte_carlo(hourly, periods=24 * settings.horizon_days, **options).as_dict()
    return {
        "bootstrap": monte_carlo(hourly, **options).as_dict(),
        "horizon": {**horizon, "days": settings.horizon_days},
    }


def _chosen_among(
    work: Work, searched: Mapping[str, Any], ledger: Mapping[str, Any]
) -> dict[str, Any]:
    """What development says of the choice: DSR of the chosen set, PBO, SPA over the front."""
    import numpy as np

    from ares_assets.evidence.deflation import deflation, overfitting
    from ares_assets.evidence.search_ability import judge_front, judge_search

    trials, daily = searched["trials.parquet"], searched["daily_returns.parquet"]
    numbers = trials["number"].astype(str)
    chosen, front = list(numbers[trials["chosen"]]), list(numbers[trials["pareto"]])
    returns = daily[chosen[0]].to_numpy() if chosen else np.zeros(0)
    return {
        "development": deflation(
            returns,
            trials=max(1, ledger["trials"]),
            annual_trial_variance=ledger["variance"],
        ),
        "overfitting": overfitting(daily.to_numpy()),
        "search": judge_search(daily.to_numpy(), seed=work.seed),
        "front": judge_front(
            daily[front].to_numpy(),
            front,
            seed=work.seed,
            level=round(1.0 - work.settings.validation.confidence, 9),
        ),
    }


def _deflation(daily: np.ndarray, ledger: Mapping[str, Any]) -> dict[str, Any]:
    """The holdout's figures, deflated by all trials and, apart, by the looks at it."""
    from ares_assets.evidence.deflation import deflation

    trials, variance = max(1, ledger["trials"]), ledger["variance"]
    by_trials = deflation(daily, trials=trials, annual_trial_variance=variance)
    by_looks = deflation(daily, trials=ledger["looks"])
    return {
        **by_trials,
        "looks": ledger["looks"],
        "deflated_sharpe_by_looks": by_looks["deflated_sharpe"],
    }


def _bets(work: Work, trades: Any, days: int) -> dict[str, Any]:
    """The trades as binary bets, and their drawdown in other orders."""
    from ares_assets.evidence.monte_carlo import quantile_table, shuffled_drawdowns
    from ares_assets.evidence.performance import DAYS_A_YEAR
    from ares_assets.evidence.strategy_risk import bet_report

    returns = trades["net_return"].to_numpy()
    report = bet_report(returns, returns.size / max(days, 1) * DAYS_A_YEAR)
    if returns.size == 0:
        return {**report, "shuffled_drawdown": None}
    paths = work.settings.validation.bootstrap_paths
    falls = shuffled_drawdowns(returns, paths=paths, seed=work.seed)
    return {**report, "shuffled_drawdown": quantile_table(falls)}


def _key_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    bootstrap, horizon, stress = report["bootstrap"], report["horizon"], report["stress"]
    return {
        **_deflation_numbers(report),
        **_doubt_numbers(report),
        "ruin_share": horizon["ruin_share"],
        "ruin_days": horizon["days"],
        "loss_share": bootstrap["loss_share"],
        "sharpe_5": bootstrap["sharpe"]["5%"],
        "sharpe_95": bootstrap["sharpe"]["95%"],
        "max_drawdown_95": horizon["max_drawdown"]["95%"],
        "return_costs_stressed": stress["costs"]["total_return"],
        "return_latency_stressed": stress["latency"]["total_return"],
        "break_even_cost_multiple": stress["break_even_cost_multiple"],
        "cost_curve": stress["cost_curve"],
        "latency_curve": stress["latency_curve"],
    }


def _deflation_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    holdout, development = report["deflation"], report["development"]
    return {
        "trials": holdout["trials"],
        "holdout_looks": holdout["looks"],
        "days": holdout["days"],
        "sharpe": holdout["sharpe"],
        "sharpe_development": development["sharpe"],
        "probabilistic_sharpe": holdout["probabilistic_sharpe"],
        "deflated_sharpe": holdout["deflated_sharpe"],
        "deflated_sharpe_development": development["deflated_sharpe"],
        "deflated_sharpe_holdout": holdout["deflated_sharpe_by_looks"],
        "track_record_days": holdout["track_record_days"],
        "backtest_days": development["days"],
        "backtest_days_needed": development["backtest_days_needed"],
    }


def _doubt_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the choice, the bets and the claimed probabilities leave open."""
    overfitting, front, bets = report["overfitting"], report["front"], report["bets"]
    band = report["uncertainty"]["interval"] or {}
    return {
        "overfitting": overfitting["probability"],
        "loss_probability": overfitting["loss_probability"],
        "search_p_value": (report["search"]["spa"] or {}).get("consistent"),
        "front_p_value": (front["spa"] or {}).get("consistent"),
        "front_beats_no_trade": None
        if front["beats_no_trade"] is None
        else len(front["beats_no_trade"]),
        "no_trade_possible": front["no_trade_possible"],
        "chance_of_no_profit": ((bets["targets"] or {}).get("0") or {}).get("chance_of_missing"),
        "shuffled_drawdown_95": (bets["shuffled_drawdown"] or {}).get("95%"),
        "equity_low": band.get("low"),
        "equity_high": band.get("high"),
        "equity_inside": band.get("inside"),
    }


SPEC = StepSpec(
    number=14,
    name="monte_carlo_report",
    title="Monte Carlo Validation",
    description="Stationary bootstrap, jitter and stress; PSR, DSR, PBO with every trial counted.",
    group="evidence",
    kind="report",
    inputs=("market_data", "enhanced_analysts", "final_parameters", "walk_forward_report"),
    # By other requirements it is another look, although no figure depends on the gate.
    uses=("gate", "search", "validation"),
    function=monte_carlo_report,
    fingerprint=trial_count,
)
