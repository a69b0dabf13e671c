"""Asset checks: what is re-established on every run instead of assumed.

Belongs here: Dagster's skin around checks of stored results, which check belongs to which
asset, and which of them stop a run.  Does not belong here: what is judged and how
(``market_checks.py``, ``leak_proof.py``), and checks of values before they are stored (the
steps and the core make those).

A check that guards the release is blocking, with severity ERROR: what lies downstream of a
failed one is not computed, and nothing is promoted.  So block the forms of frames, since
every later step relies on them; gaps and plausibility beyond tolerance, since a model of
frozen or invented prices must not be released, and no later step would notice; the split and
the leak proofs, since a leak makes every later figure worthless.  Two only warn:
``bars_are_fresh``, since step 1 marks stale data as degraded, which bars promotion while the
training itself is honest; and ``regimes_are_balanced``, since step 3 skips (or pools) a regime
that is too thin and step 2 marks a collapse to one regime as degraded, while the partitions
of the other regimes may be sound.

Each has the partitioning of its asset, else Dagster would load every partition.
"""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg

from ares_assets import leak_proof, market_checks
from ares_assets.partitions import partitions
from ares_assets.readable import shown
from ares_assets.stored import Finding, Stored, stored_artifacts

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


def as_check(
    asset: str, body: Callable[[Stored], Finding], description: str, *, blocking: bool = True
) -> dg.AssetChecksDefinition:
    """A partition-aware check from a plain function of artifacts, named as the function is."""
    severity = dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN

    def checked(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        finding = body(stored_artifacts(context.resources.workspace, str(context.partition_key)))
        return dg.AssetCheckResult(
            passed=finding.passed,
            severity=severity,
            description=finding.words,
            metadata=shown(finding.figures),
        )

    with warnings.catch_warnings():
        # Partitioned checks are a preview in the pinned Dagster; its upgrade is ours to test.
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.asset_check(
            asset=dg.AssetKey(asset),
            name=body.__name__,
            description=description,
            blocking=blocking,
            partitions_def=partitions,
            required_resource_keys={"workspace"},
        )(checked)


def schema_check(
    asset: str,
    name: str,
    description: str,
    schema: "Callable[[Stored], DataFrameSchema]",
    *,
    member: str | None = None,
) -> dg.AssetChecksDefinition:
    """A blocking, partition-aware check that a stored frame fits a pandera schema.

    Parameters
    ----------
    schema
        The schema for a run's artifacts; a function, since pandera is slow to import and the
        schema of bars depends on their timeframe.
    member
        The frame's name where the asset is a bundle.
    """

    def body(stored: Stored) -> Finding:
        value = stored[asset].load()
        return market_checks.conforms(value if member is None else value[member], schema(stored))

    body.__name__ = name
    return as_check(asset, body, description)


def proof_check(
    asset: str, body: Callable[[Stored], tuple[bool, str]], description: str
) -> dg.AssetChecksDefinition:
    """A blocking check from a proof, which has nothing to show but its words."""

    def proven(stored: Stored) -> Finding:
        return Finding(*body(stored))

    proven.__name__ = body.__name__
    return as_check(asset, proven, description)


def _market_schema(stored: Stored) -> Any:
    from ares_assets.market.schemas import market_schema

    return market_schema(stored["market_data"].metadata["timeframe"])


def _regimes_schema(_: Stored) -> Any:
    from ares_assets.market.schemas import regimes_schema

    return regimes_schema()


def _regime_dataset_schema(_: Stored) -> Any:
    from ares_assets.market.schemas import regime_dataset_schema

    return regime_dataset_schema()


CHECKS = [
    schema_check(
        "market_data",
        "bars_have_schema",
        "Columns, types, ranges, order and grid of the bars.",
        _market_schema,
    ),
    as_check(
        "market_data",
        market_checks.bars_have_few_gaps,
        "Share of missing bars and the longest gap stay within `checks`; the ledger of gaps.",
    ),
    as_check(
        "market_data",
        market_checks.bars_are_plausible,
        "Jumps, spikes, stand-stills and bars without a trade stay within `checks`.",
    ),
    as_check(
        "market_data",
        market_checks.bars_are_fresh,
        "The last bar is as young as was asked for (else the result is degraded, not stopped).",
        blocking=False,
    ),
    schema_check(
        "market_regimes",
        "regimes_have_schema",
        "Probabilities that sum to one, and one of three names, for each bar in order.",
        _regimes_schema,
        member="regimes.parquet",
    ),
    as_check(
        "market_regimes",
        market_checks.regimes_are_balanced,
        "Every regime has enough bars and stays in development; switches come at a sane pace.",
        blocking=False,
    ),
    proof_check(
        "market_regimes",
        leak_proof.regimes_see_no_future,
        "The regimes of truncated bars equal the truncated regimes.",
    ),
    schema_check(
        "regime_dataset",
        "rows_have_schema",
        "Rows of the market frame in order, each with its time and one of three roles.",
        _regime_dataset_schema,
    ),
    as_check(
        "regime_dataset",
        market_checks.roles_are_disjoint,
        "Rows keep their true time and regime; roles follow each other without overlap.",
    ),
    as_check(
        "regime_dataset",
        market_checks.split_is_purged,
        "No label of a role can end after the next role begins.",
    ),
    proof_check(
        "analyst_dataset",
        leak_proof.features_see_no_future,
        "The features of truncated bars equal the stored ones, at random cuts.",
    ),
    proof_check(
        "analyst_dataset",
        leak_proof.holdout_is_unseen,
        "No event, and no span of a label, reaches the holdout.",
    ),
    proof_check(
        "model_release",
        leak_proof.bundle_reloads_identically,
        "The stored bundle, loaded anew, gives the signals that were validated.",
    ),
    proof_check(
        "model_release",
        leak_proof.signals_see_no_future,
        "The released model's signals on truncated bars equal those that were validated.",
    ),
]
