"""The bars and decisions of a trained partition, for backtests after the training.

Belongs here: rebuilding from stored results what step 12 searched on.  Does not belong here:
backtesting it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_jobs.runner import TrainingRequest, engine_request
from ares_resources.errors import BadInput
from ares_resources.home import Home

if TYPE_CHECKING:
    from ares_resources.backtesting.engine import Signals


@dataclass(frozen=True)
class TrainedMarket:
    """Development bars with the out-of-fold decisions on them.

    ``study`` is the name under which the trial ledger counts looks at them: they count
    against the next release of the partition.
    """

    signals: Signals
    study: str


def trained_market(
    request: TrainingRequest, regime: str, home: Home, *, run_id: str | None
) -> TrainedMarket:
    """What step 12 of a partition's latest training searched on.

    Raises
    ------
    BadInput
        If the partition did not come as far as step 12.
    """
    from ares_assets import step12_final_parameters_optimization as step12
    from ares_assets.counted_trials import study_prefix
    from ares_assets.engine import Work
    from ares_assets.plan import latest_results
    from ares_resources.workspace import Workspace

    engine = engine_request(request, regime, run_id or "none")
    workspace = Workspace(home)
    results = latest_results(engine, workspace)
    if step12.SPEC.name not in results:
        raise BadInput(
            f"{regime}|{request.symbol} has no decisions to backtest: it was not trained"
        )
    work = Work(step12.SPEC, engine, workspace)
    inputs = {name: results[name] for name in step12.SPEC.inputs}
    searched = inputs.pop("analyst_dataset")
    draft = step12.draft_model(work, **inputs)
    bars = step12.development_signals(
        work, inputs["market_data"], searched, draft, inputs["tactician_ensemble"]
    )
    return TrainedMarket(bars.signals, f"{study_prefix(work)}parameters")
