"""Asset checks: what is re-established on every run instead of assumed.

Belongs here: Dagster's skin around checks of stored results.  Does not belong here: checks
of values before they are stored (the steps and the core make those).

A check that guards the release is blocking: what lies downstream of a failed one is not
computed.  Each has the partitioning of its asset, else Dagster would load every partition.
"""

import warnings
from collections.abc import Callable

import dagster as dg

from ares_assets import leak_proof
from ares_assets.partitions import partitions
from ares_resources.errors import BadInput


def _check(
    asset: str, name: str, description: str, body: Callable[[leak_proof.Stored], tuple[bool, str]]
) -> dg.AssetChecksDefinition:
    """A blocking, partition-aware check from a plain function of artifacts."""

    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        resource = context.resources.workspace
        passed, words = body(leak_proof.stored_artifacts(resource, str(context.partition_key)))
        return dg.AssetCheckResult(passed=passed, metadata={"found": words})

    with warnings.catch_warnings():
        # Partitioned checks are a preview in the pinned Dagster; its upgrade is ours to test.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.asset_check(
            asset=dg.AssetKey(asset),
            name=name,
            description=description,
            blocking=True,
            partitions_def=partitions,
            required_resource_keys={"workspace"},
        )(checked)


def _bars_are_sound(stored: leak_proof.Stored) -> tuple[bool, str]:
    from ares_assets.market.bars import check_bars

    market = stored["market_data"]
    try:
        check_bars(market.load(), market.metadata["timeframe"])
    except BadInput as error:
        return False, str(error)
    return True, f"{market.metadata['rows']} bars, {market.metadata['gaps']} gaps in the ledger"


CHECKS = [
    _check(
        "market_data",
        "bars_are_sound",
        "Schema, order, grid, and prices that can be true.",
        _bars_are_sound,
    ),
    _check(
        "market_regimes",
        "regimes_see_no_future",
        "The regimes of truncated bars equal the truncated regimes.",
        leak_proof.regimes_see_no_future,
    ),
    _check(
        "analyst_dataset",
        "features_see_no_future",
        "The features of truncated bars equal the stored ones, at random cuts.",
        leak_proof.features_see_no_future,
    ),
    _check(
        "analyst_dataset",
        "holdout_is_unseen",
        "No event, and no span of a label, reaches the holdout.",
        leak_proof.holdout_is_unseen,
    ),
    _check(
        "model_release",
        "bundle_reloads_identically",
        "The stored bundle, loaded anew, gives the signals that were validated.",
        leak_proof.bundle_reloads_identically,
    ),
    _check(
        "model_release",
        "signals_see_no_future",
        "The released model's signals on truncated bars equal those that were validated.",
        leak_proof.signals_see_no_future,
    ),
]
