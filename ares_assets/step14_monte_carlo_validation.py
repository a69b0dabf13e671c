"""Step 14, Monte Carlo Validation: how much of the result could be luck, or could go wrong.

Belongs here: reading, calling resampling and stress, key numbers.  Does not belong here: the
statistics (``evidence/``) and the backtest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.release.partition_model import PartitionModel

_JITTERED = ("enter_margin", "stop_width", "target_width")
_JITTER_DRAWS = 20
_PBO_BLOCKS = 10


def trial_count(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """What the ledger knows of this partition: every trial ever made in this home counts.

    A ledger that knows fewer than the present results were made with has lost some; then
    those count, and the loss forbids promotion.
    """
    study = study_prefix(work)
    ledger = work.workspace.ledger
    counted = ledger.count(study)
    made = sum(
        inputs[name].metadata["trials"] for name in ("enhanced_analysts", "final_parameters")
    )
    return json.dumps(
        {
            "trials": max(counted, made),
            "lost": max(0, made - counted),
            "variance": ledger.sharpe_variance(study),
        }
    )


def study_prefix(work: Work) -> str:
    """Studies of this partition in the ledger start with this."""
    return f"{work.request.symbol}/{work.request.regime}/"


def monte_carlo_report(
    work: Work,
    market_data: Artifact,
    enhanced_analysts: Artifact,
    final_parameters: Artifact,
    walk_forward_report: Artifact,
) -> Result:
    """Bootstrap, jitter and stress of the holdout; PSR, DSR and PBO with the honest count."""
    from ares_assets.evidence.jsonable import jsonable
    from ares_assets.evidence.monte_carlo import monte_carlo
    from ares_assets.evidence.performance import aggregate_returns
    from ares_assets.release.partition_model import PartitionModel

    walk, searched = walk_forward_report.load(), final_parameters.load()
    model = PartitionModel.from_files(searched)
    settings, ledger = work.settings, json.loads(work.outside)
    returns = walk["returns.parquet"]
    net, stamps = returns["net_return"].to_numpy(), returns["timestamp"].to_numpy()
    _, daily = aggregate_returns(net, stamps)
    _, hourly = aggregate_returns(net, stamps, period_ms=3_600_000)
    resampled = monte_carlo(
        hourly,
        paths=settings.validation.bootstrap_paths,
        seed=work.seed,
        ruin_drawdown=settings.validation.ruin_drawdown,
        periods_a_year=24 * 365,
        threads=settings.threads,
    )
    report = {
        "bootstrap": resampled.as_dict(),
        "overfitting": _overfitting(searched["daily_returns.parquet"].to_numpy()),
        "deflation": _deflation(daily, ledger),
        "stress": _stress(work, model, market_data, walk),
    }
    lost = ledger["lost"]
    degraded = (f"the trial ledger has lost {lost} trials of this partition",) if lost else ()
    return Result(jsonable(report), _key_numbers(jsonable(report)), degraded)


def _deflation(daily: np.ndarray, ledger: Mapping[str, Any]) -> dict[str, Any]:
    """PSR, DSR and the minimum track record of the holdout's daily returns."""
    import numpy as np

    from ares_assets.evidence.performance import sharpe_ratio
    from ares_assets.evidence.sharpe_tests import (
        deflated_sharpe_ratio,
        minimum_track_record_length,
        null_trial_variance,
        probabilistic_sharpe_ratio,
        sharpe_moments,
    )

    known = {"trials": ledger["trials"], "days": int(daily.size)}
    if daily.size < 2 or np.ptp(daily) == 0.0:
        nothing = dict.fromkeys(("sharpe", "probabilistic_sharpe", "deflated_sharpe"))
        return {**known, **nothing, "track_record_days": None}
    moments = sharpe_moments(daily)
    variance = max(ledger["variance"] / 365.0, null_trial_variance(daily.size))
    return {
        **known,
        "sharpe": sharpe_ratio(daily),
        "trial_variance": variance,
        "probabilistic_sharpe": probabilistic_sharpe_ratio(moments),
        "deflated_sharpe": deflated_sharpe_ratio(
            moments, trials=max(1, ledger["trials"]), trial_variance=variance
        ),
        "track_record_days": minimum_track_record_length(moments),
    }


def _overfitting(daily: np.ndarray) -> dict[str, Any]:
    """PBO over the search's trials on development; None where fewer than two differ."""
    import numpy as np

    from ares_assets.evidence.overfitting import probability_of_overfitting

    # Parameter sets that did the same, or nothing, are one strategy: ties say nothing of luck.
    daily = np.unique(daily[:, np.ptp(daily, axis=0) > 0.0], axis=1)
    days, strategies = daily.shape
    blocks = min(_PBO_BLOCKS, days // 2 // 2 * 2)
    if strategies < 2 or blocks < 2:
        return {"probability": None, "strategies": strategies, "days": days}
    found = probability_of_overfitting(daily, blocks=blocks).as_dict()
    return {**found, "days": days}


def _stress(
    work: Work, model: PartitionModel, market_data: Artifact, walk: Mapping[str, Any]
) -> dict[str, Any]:
    """Jittered parameters, dearer costs and later fills on the same decisions."""
    from dataclasses import replace

    from ares_assets.evidence.monte_carlo import parameter_jitter, stress_summary

    frame, decisions = market_data.load(), walk["decisions.parquet"]
    first = len(frame) - len(walk["returns.parquet"])
    settings = work.settings.validation

    def trade(changed: PartitionModel, **stress: Any) -> dict[str, Any]:
        found = changed.trade(frame, decisions, first_row=first, **stress).result
        return {"sharpe": found.sharpe, "total_return": found.total_return, "trades": found.trades}

    jitter = parameter_jitter(
        lambda parameters: trade(replace(model, parameters=parameters)),
        dict(model.parameters),
        names=_JITTERED,
        share=settings.jitter_share,
        draws=_JITTER_DRAWS,
        seed=work.seed,
    )
    return {
        "jitter": stress_summary(jitter, "total_return"),
        "jitter_draws": jitter,
        "unstressed": trade(model),
        "costs": trade(model, cost_multiple=settings.cost_stress),
        "latency": trade(model, extra_latency_bars=settings.latency_stress_bars),
    }


def _key_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    bootstrap, deflation = report["bootstrap"], report["deflation"]
    return {
        "trials": deflation["trials"],
        "days": deflation["days"],
        "sharpe": deflation["sharpe"],
        "probabilistic_sharpe": deflation["probabilistic_sharpe"],
        "deflated_sharpe": deflation["deflated_sharpe"],
        "track_record_days": deflation["track_record_days"],
        "overfitting": report["overfitting"]["probability"],
        "ruin_share": bootstrap["ruin_share"],
        "loss_share": bootstrap["loss_share"],
        "sharpe_5": bootstrap["sharpe"]["5%"],
        "sharpe_95": bootstrap["sharpe"]["95%"],
        "max_drawdown_95": bootstrap["max_drawdown"]["95%"],
        "return_costs_stressed": report["stress"]["costs"]["total_return"],
        "return_latency_stressed": report["stress"]["latency"]["total_return"],
    }


SPEC = StepSpec(
    number=14,
    name="monte_carlo_report",
    title="Monte Carlo Validation",
    description="Stationary bootstrap, jitter and stress; PSR, DSR, PBO with every trial counted.",
    group="evidence",
    kind="report",
    inputs=("market_data", "enhanced_analysts", "final_parameters", "walk_forward_report"),
    uses=("validation",),
    function=monte_carlo_report,
    fingerprint=trial_count,
)
