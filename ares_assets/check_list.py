"""The asset checks, as data: which asset, what is asked of it, and whether it stops a run.

Belongs here: the list, and the small factories of its entries.  Does not belong here: what is
judged and how (``market_checks.py``, ``leak_proof/``), Dagster (``checks.py``).

A check that guards the release is blocking, with severity ERROR: what lies downstream of a
failed one is not computed, and nothing is promoted.  So block the forms of frames, since
every later step relies on them; gaps and plausibility beyond tolerance, since a model of
frozen or invented prices must not be released, and no later step would notice; the split and
the leak proofs, since a leak makes every later figure worthless.  Four only warn:
``bars_are_fresh``, since step 1 marks stale data as degraded, which bars promotion while the
training itself is honest; ``regimes_are_balanced``, since step 3 skips (or pools) a regime
that is too thin and step 2 marks a collapse to one regime as degraded, while the partitions
of the other regimes may be sound; ``no_feature_is_too_good``, since a strong feature is a
reason to look, not a proof of a leak; and ``probabilities_are_calibrated``, since the gate
judges what such probabilities earn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_assets import market_checks, release_checks
from ares_assets.leak_proof import (
    admission,
    chance,
    choices,
    final_models,
    folds,
    future,
    outcomes,
    ranking,
    release,
    tactician_votes,
    votes,
)
from ares_assets.stored import Finding, Stored

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema


@dataclass(frozen=True)
class CheckSpec:
    """One check of one asset; ``body`` judges what a run has stored."""

    asset: str
    name: str
    description: str
    body: Callable[[Stored], Finding]
    blocking: bool = True


def _judged(
    asset: str, body: Callable[[Stored], Finding], description: str, *, blocking: bool = True
) -> CheckSpec:
    """A check named as its function is."""
    return CheckSpec(asset, body.__name__, description, body, blocking)


def _proven(asset: str, proof: Callable[[Stored], tuple[bool, str]], description: str) -> CheckSpec:
    """A blocking check from a proof, which has nothing to show but its words."""
    return CheckSpec(asset, proof.__name__, description, lambda stored: Finding(*proof(stored)))


def _fits(
    asset: str,
    name: str,
    description: str,
    schema: Callable[[Stored], DataFrameSchema],
    *,
    member: str | None = None,
) -> CheckSpec:
    """A blocking check that a stored frame fits a pandera schema.

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

    return CheckSpec(asset, name, description, body)


def _market_schema(stored: Stored) -> DataFrameSchema:
    from ares_assets.market.schemas import market_schema

    return market_schema(stored["market_data"].metadata["timeframe"])


def _regimes_schema(_: Stored) -> DataFrameSchema:
    from ares_assets.market.schemas import regimes_schema

    return regimes_schema()


def _regime_dataset_schema(_: Stored) -> DataFrameSchema:
    from ares_assets.market.schemas import regime_dataset_schema

    return regime_dataset_schema()


CHECKS: tuple[CheckSpec, ...] = (
    _fits(
        "market_data",
        "bars_have_schema",
        "Columns, types, ranges, order and grid of the bars.",
        _market_schema,
    ),
    _judged(
        "market_data",
        market_checks.bars_have_few_gaps,
        "Share of missing bars and the longest gap stay within `checks`; the ledger of gaps.",
    ),
    _judged(
        "market_data",
        market_checks.bars_are_plausible,
        "Jumps, spikes, stand-stills and bars without a trade stay within `checks`.",
    ),
    _judged(
        "market_data",
        market_checks.bars_are_fresh,
        "The last bar is as young as was asked for (else the result is degraded, not stopped).",
        blocking=False,
    ),
    _fits(
        "market_regimes",
        "regimes_have_schema",
        "Probabilities that sum to one, and one of three names, for each bar in order.",
        _regimes_schema,
        member="regimes.parquet",
    ),
    _judged(
        "market_regimes",
        market_checks.regimes_are_balanced,
        "Every regime has enough bars and stays in development; switches come at a sane pace.",
        blocking=False,
    ),
    _proven(
        "market_regimes",
        future.regimes_see_no_future,
        "Regimes before random rows stay the same when later bars are cut away or replaced.",
    ),
    _proven(
        "market_regimes",
        final_models.regime_model_saw_development_only,
        "The regime model, fitted again on bars that end with development, is the stored one.",
    ),
    _fits(
        "regime_dataset",
        "rows_have_schema",
        "Rows of the market frame in order, each with its time and one of three roles.",
        _regime_dataset_schema,
    ),
    _judged(
        "regime_dataset",
        market_checks.roles_are_disjoint,
        "Rows keep their true time and regime; roles follow each other without overlap.",
    ),
    _judged(
        "regime_dataset",
        market_checks.split_is_purged,
        "No label of a role can end after the next role begins.",
    ),
    _proven(
        "analyst_dataset",
        future.features_see_no_future,
        "Features before random rows stay the same when later bars are cut away or replaced.",
    ),
    _proven(
        "analyst_dataset",
        future.labels_see_no_future,
        "Labels and weights known by random rows do not depend on the bars after them.",
    ),
    _proven(
        "analyst_dataset",
        folds.holdout_is_unseen,
        "No event, and no span of a label, reaches the holdout.",
    ),
    _proven(
        "analyst_dataset",
        folds.folds_are_purged,
        "No training label's span meets a tested span or its embargo, in any fold.",
    ),
    _judged(
        "analyst_dataset",
        chance.coin_labels_give_chance,
        "Labels that are coins, with the overlap of the true ones, are predicted by chance only.",
    ),
    _judged(
        "analyst_dataset",
        chance.no_feature_is_too_good,
        "No feature predicts its label better than `checks.suspicious_auc`.",
        blocking=False,
    ),
    _proven(
        "analyst_specialists",
        folds.predictions_are_out_of_fold,
        "The linear expert, refitted on independently purged folds, predicts what is stored.",
    ),
    _proven(
        "analyst_specialists",
        final_models.specialists_saw_development_only,
        "Drawn final experts, fitted again on events of development, are the stored ones.",
    ),
    _proven(
        "enhanced_analysts",
        folds.search_saw_no_later_event,
        "The search looked at no event whose label ends in the part that judged its winner.",
    ),
    _proven(
        "enhanced_analysts",
        ranking.ranking_saw_no_later_event,
        "Features were ranked, and the winner's chosen, by events known before the later part.",
    ),
    _proven(
        "enhanced_analysts",
        admission.gain_is_of_later_events,
        "The gain that admitted an enhanced model is that of forecasts from earlier events.",
    ),
    _proven(
        "enhanced_analysts",
        final_models.enhanced_model_saw_development_only,
        "The final model, fitted again on events of development, is the stored one.",
    ),
    _proven(
        "analyst_ensemble",
        votes.votes_are_out_of_fold,
        "The joint probability is the vote of columns that refits on purged folds give.",
    ),
    _proven(
        "analyst_ensemble",
        choices.ensemble_saw_development_only,
        "Weights and members are those that events of development alone give.",
    ),
    _proven(
        "tactician_dataset",
        outcomes.tactician_sees_no_future,
        "Features and outcomes of signals stay the same when later bars are cut or replaced.",
    ),
    _proven(
        "tactician_dataset",
        folds.tactician_folds_are_purged,
        "No training outcome's span meets a tested span or its embargo, in any fold.",
    ),
    _proven(
        "tactician_specialists",
        final_models.take_models_saw_development_only,
        "A drawn final model, fitted again on signals of development, is the stored one.",
    ),
    _proven(
        "tactician_ensemble",
        tactician_votes.tactician_votes_are_out_of_fold,
        "Take and wait votes are those of purged folds; ensemble and rules are what they make.",
    ),
    _proven(
        "calibrated_confidence",
        choices.calibrator_saw_its_slice_only,
        "Calibrator and prediction sets are those that events of calibration alone give.",
    ),
    _judged(
        "walk_forward_report",
        release_checks.probabilities_are_calibrated,
        "On the holdout, probabilities err within noise and sets cover what they promise.",
        blocking=False,
    ),
    _proven(
        "model_release",
        release.bundle_reloads_identically,
        "The stored bundle, loaded anew, gives the signals that were validated.",
    ),
    _proven(
        "model_release",
        release.signals_see_no_future,
        "The released model's signals stay the same when later bars are cut away or replaced.",
    ),
    _judged(
        "model_release",
        release_checks.release_gate_holds,
        "The gate, asked again of the stored evidence, gives the verdict that was acted on.",
    ),
)
