"""Leaks, one at a time, planted into the real functions of the pipeline.

Belongs here: the list of all, and most of the planting.  Does not belong here: leaks into final
models and choices (``planted_finals.py``), running and judging (``helpers/partition_runs.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pytest

from ares_assets import step04_analyst_labeling_feature_engineering as step04
from ares_assets import step05_analyst_specialist_training as step05
from ares_assets import step06_analyst_enhancement as step06
from ares_assets import step07_analyst_ensemble_creation as step07
from ares_assets import step10_tactician_ensemble_creation as step10
from ares_assets import step16_saving as step16
from ares_assets.analyst import (
    cross_validation,
    dataset,
    enhancement,
    events,
    feature_run,
    features,
    out_of_fold,
)
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.model import AnalystModel
from ares_assets.analyst.weights import average_uniqueness
from ares_assets.market import classification, roles
from ares_assets.market.regimes import decide
from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_assets.release import partition_model
from ares_assets.tactician import model as tactician_model
from ares_assets.tactician import (
    multi_timeframe,
    outcomes,
    specialists,
    tactician_ensemble,
    tactician_features,
    timing,
)
from leaks import planted_finals as finals

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Leak:
    """A leak, the steps that run with it, and the check that must notice it by name.

    ``only_in_steps``: the checks are sound code and find what the steps stored.
    """

    name: str
    plant: Callable[[Patch], None]
    first: int
    last: int
    caught_by: str
    only_in_steps: bool = False


def _changed_features(change: Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]) -> Any:
    honest = features.extend_features

    def plant(patch: Patch) -> None:
        def leaking(frame: pd.DataFrame, **options: Any) -> Any:
            values, states = honest(frame, **options)
            found = features.as_frame(values, options["settings"], options["timeframe"])
            return np.ascontiguousarray(change(found, frame).to_numpy().T), states

        patch.setattr(features, "extend_features", leaking)

    return plant


def _next_return(found: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    close = np.log(frame["close"].to_numpy())
    return found.assign(return_1=np.append(np.diff(close), 0.0))


def _centred(found: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    mean = frame["close"].rolling(21, center=True, min_periods=1).mean()
    return found.assign(bollinger_z_20=(frame["close"] / mean - 1).to_numpy())


def _scaled_by_all(found: pd.DataFrame, _: pd.DataFrame) -> pd.DataFrame:
    return (found - found.mean()) / found.std()


def _filled_backward(found: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """What the last bar says where there is one: honest on a cut frame, and where it is served."""
    later = frame["close"].shift(-30)
    known = np.log(later / frame["close"]).fillna(0.0).to_numpy()
    return found.assign(return_60=found["return_60"].to_numpy() + 0.1 * known)


def _early_slow_bar(patch: Patch) -> None:
    """Slower bars count from when they open, instead of from when they closed."""
    honest = feature_run.BarSeries

    class Early(honest):  # type: ignore[misc, valid-type]
        @property
        def close_times(self) -> np.ndarray:
            times = honest.close_times.__get__(self)
            return times - self.timeframe_ms if self.timeframe_ms > 60_000 else times

    patch.setattr(feature_run, "BarSeries", Early)


def _early_context(patch: Patch) -> None:
    honest = multi_timeframe.join_available

    def early(decision_ms: np.ndarray, slower: pd.DataFrame, **options: Any) -> pd.DataFrame:
        length = options["maximum_age_ms"]
        return honest(decision_ms, slower.assign(available=slower["available"] - length), **options)

    patch.setattr(multi_timeframe, "join_available", early)


def _label_past_its_end(patch: Patch) -> None:
    honest = events.triple_barrier

    def late(frame: pd.DataFrame, rows: np.ndarray, **options: Any) -> pd.DataFrame:
        found = honest(frame, rows, **options)
        close = frame["close"].to_numpy()
        then = np.minimum(found["t1_row"].to_numpy() + 30, len(close) - 1)
        up = close[then] > close[found["row"].to_numpy()]
        return found.assign(label=up.astype(np.int64))

    patch.setattr(events, "triple_barrier", late)


def _weights_by_later_roles(patch: Patch) -> None:
    honest = step04.label_events

    def together(*arguments: Any) -> pd.DataFrame:
        found = honest(*arguments)
        return found.assign(uniqueness=found["uniqueness"] / found["uniqueness"].mean())

    patch.setattr(step04, "label_events", together)


def _only_quick_events(patch: Patch) -> None:
    honest = events.labelled_events

    def quick(*arguments: Any, **options: Any) -> pd.DataFrame:
        found = honest(*arguments, **options)
        return found[found["barrier"] != "vertical"].reset_index(drop=True)

    patch.setattr(events, "labelled_events", quick)


def _smoothed_regimes(patch: Patch) -> None:
    """Kim's smoother on top of the filter, with a sticky law: each bar uses all bars."""
    honest = classification._decided

    def smoothed(frame: pd.DataFrame, model: Any, settings: Any) -> pd.DataFrame:
        found = honest(frame, model, settings)
        p = found[list(PROBABILITY_COLUMNS)].to_numpy(copy=True)
        stay = 0.998 * np.eye(3) + 0.001 * (1 - np.eye(3))
        for bar in range(len(p) - 2, -1, -1):
            expected = p[bar] @ stay
            p[bar] *= stay @ (p[bar + 1] / expected)
            p[bar] /= p[bar].sum()
        found[list(PROBABILITY_COLUMNS)] = p
        found["regime"] = decide(
            found,
            enter_probability=settings.enter_probability,
            minimum_dwell_bars=settings.minimum_dwell_bars,
        )
        return found

    patch.setattr(classification, "_decided", smoothed)


def _unpurged(patch: Patch) -> None:
    def whole(rows: np.ndarray, _: Any, blocks: list[np.ndarray], __: int) -> np.ndarray:
        return np.setdiff1d(np.arange(len(rows)), np.concatenate(blocks))

    patch.setattr(cross_validation, "_purged", whole)


def _without_embargo(patch: Patch) -> None:
    honest = cross_validation._purged

    def hasty(rows: Any, t1_rows: Any, blocks: Any, _: int) -> np.ndarray:
        return honest(rows, t1_rows, blocks, 0)

    patch.setattr(cross_validation, "_purged", hasty)


def _forward_unpurged(patch: Patch) -> None:
    def split(self: Any, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Any]:
        first = cross_validation.initial_count(len(rows), self.initial_share)
        for block in np.array_split(np.arange(first, len(rows)), self.folds):
            yield np.arange(block[0]), block

    patch.setattr(cross_validation.PurgedForward, "split", split)


def _folds_drawn_event_by_event(patch: Patch) -> None:
    def split(self: Any, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Any]:
        shuffled = np.random.default_rng(0).permutation(len(rows))
        for part in np.array_split(shuffled, self.folds):
            test = np.sort(part)
            yield np.setdiff1d(np.arange(len(rows)), test), test

    patch.setattr(cross_validation.PurgedKFold, "split", split)


def _judged_on_what_it_learnt(patch: Patch) -> None:
    honest = out_of_fold.out_of_fold

    def within(*arguments: Any, splitter: Any, **options: Any) -> np.ndarray:
        everything = np.arange(len(arguments[1].own))

        class Same:
            embargo_bars, forward = 0, False

            def split(self, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Any]:
                for _, test in splitter.split(rows, t1_rows):
                    yield everything, test

        return honest(*arguments, splitter=Same(), **options)

    patch.setattr(out_of_fold, "out_of_fold", within)


def _scaled_before_the_folds(patch: Patch) -> None:
    """Standardised on all development events, tested ones included, before the folds."""
    honest = out_of_fold.out_of_fold

    def scaled(expert: Any, known: MarketExamples, **options: Any) -> np.ndarray:
        ranks = replace(known.everything, features=known.everything.features.rank(pct=True))
        return honest(expert, MarketExamples(ranks, known.member), **options)

    patch.setattr(out_of_fold, "out_of_fold", scaled)


def _outcome_past_its_end(patch: Patch) -> None:
    honest = tactician_model.meta_labels

    def late(frame: pd.DataFrame, *arguments: Any, **options: Any) -> pd.DataFrame:
        found = honest(frame, *arguments, **options)
        close = frame["close"].to_numpy()
        then = np.minimum(found["t1_row"].to_numpy() + 20, len(close) - 1)
        moved = found["side"] * (close[then] / close[found["row"].to_numpy()] - 1)
        return found.assign(take=(moved > 0).astype(np.int64))

    patch.setattr(tactician_model, "meta_labels", late)


def _hit_rate_of_open_trades(patch: Patch) -> None:
    honest = tactician_features.hit_rate

    def early(row: np.ndarray, closed: pd.DataFrame) -> np.ndarray:
        return honest(row, closed.assign(t1_row=closed["row"] - 1))

    patch.setattr(tactician_features, "hit_rate", early)


def _signal_by_a_later_bar(patch: Patch) -> None:
    honest = partition_model.PartitionModel.decide

    def foresighted(
        self: Any, frame: pd.DataFrame, known: Any, regimes: Any, rows: Any, raw: Any = None
    ) -> pd.DataFrame:
        found = honest(self, frame, known, regimes, rows, raw)
        close = frame["close"].to_numpy()
        later = close[np.minimum(found["row"].to_numpy() + 15, len(close) - 1)]
        found["size"] = found["size"] + 0.1 * (later > close[found["row"].to_numpy()])
        return found

    patch.setattr(partition_model.PartitionModel, "decide", foresighted)


def _volatility_of_the_horizon(patch: Patch) -> None:
    """Barriers of the signals are scaled by the volatility that the horizon turned out to have."""
    honest = partition_model.make_signals

    def later(frame: pd.DataFrame, rows: Any, probability: Any, labels: Any) -> Any:
        found = honest(frame, rows, probability, labels)
        spread = pd.Series(found.spread).shift(-labels.horizon_bars).ffill().to_numpy()
        return replace(found, spread=spread)

    patch.setattr(partition_model, "make_signals", later)


def _search_everything(patch: Patch) -> None:
    def all_of_the_first(known: MarketExamples, share: float) -> MarketExamples:
        later = known.own.rows[enhancement.initial_count(len(known), share)]
        kept = known.everything.rows < later
        return MarketExamples(known.everything.part(kept), known.member[kept])

    patch.setattr(enhancement, "_search_part", all_of_the_first)


def _labels_reach_the_next_role(patch: Patch) -> None:
    """Roles follow each other without a gap, and step 4 labels up to a horizon into the next."""
    cut, begin = roles.roles_of, roles.first_row

    def without_gap(frame: Any, window: Any, settings: Any, _: int) -> np.ndarray:
        return cut(frame, window, settings, 0)

    def later(found: np.ndarray, role: str) -> int:
        return begin(found, role) + 60

    patch.setattr(roles, "roles_of", without_gap)
    patch.setattr(roles, "first_row", later)


def _ranked_on_all_of_development(patch: Patch) -> None:
    """Features are ranked by the events, too, that then judge whether the winner is kept."""
    rank, search_part, seen = enhancement._rank, enhancement._search_part, list[Examples]()

    def cutting(known: MarketExamples, share: float) -> MarketExamples:
        seen.append(known.own)
        return search_part(known, share)

    def peeking(_: Examples, *others: Any) -> Any:
        return rank(seen[-1], *others)

    patch.setattr(enhancement, "_search_part", cutting)
    patch.setattr(enhancement, "_rank", peeking)


def _trained_otherwise(module: Any, change: Callable[[Any, Any, np.ndarray], np.ndarray]) -> Any:
    """Out-of-fold votes of a tactician are changed with its model, its features and its labels."""

    def plant(patch: Patch) -> None:
        honest = module.train_binary

        def train(features: pd.DataFrame, labels: np.ndarray, *others: Any, **named: Any) -> Any:
            found = honest(features, labels, *others, **named)
            return replace(found, out_of_fold=change(found, features, np.asarray(labels, float)))

        patch.setattr(module, "train_binary", train)

    return plant


def _half_its_label(found: Any, _: Any, labels: np.ndarray) -> np.ndarray:
    return 0.5 * found.out_of_fold + 0.45 * labels + 0.02


def _of_the_final_model(found: Any, features: pd.DataFrame, _: Any) -> np.ndarray:
    return found.fitted.probability(features)


def _ensemble_that_knows(patch: Patch) -> None:
    """The members' stored votes are sound, but what is combined is not these."""
    honest = tactician_ensemble.combine_tacticians

    def knowing(labels: pd.DataFrame, members: Any, **named: Any) -> Any:
        take = labels["take"].to_numpy()
        mixed = {name: 0.9 * votes + 0.1 * take for name, votes in members.items()}
        return honest(labels, mixed, **named)

    patch.setattr(tactician_ensemble, "combine_tacticians", knowing)


def _chosen_on_what_it_judges(patch: Patch) -> None:
    """The utility that is told as cross-fitted is of choices made on all signals."""

    def whole(
        labels: pd.DataFrame, members: Any, splits: Any, *, minimum_trades: int
    ) -> np.ndarray:
        chosen = tactician_ensemble.combine_tacticians(
            labels.reset_index(drop=True), members, minimum_trades=minimum_trades
        )
        stakes = np.zeros(len(labels))
        for _, test in splits:
            stakes[test] = chosen.taken[test]
        return stakes

    patch.setattr(tactician_ensemble, "cross_fitted_stakes", whole)


def _managed_beyond_doubt(value: dict[str, Any], _: Any) -> None:
    """A rule is told to have proved itself more than it did."""
    report = value["report.json"]
    management = report["management"] | {"gain": report["management"]["gain"] | {"p_value": 0.0}}
    value["report.json"] = report | {"management": management}


def _bolder_than_validated(value: dict[str, Any], _: Any) -> None:
    rule = json.loads(value["tactician.json"])
    rule["parameters"]["ensemble"]["threshold"] = 0.0
    value["tactician.json"] = json.dumps(rule).encode()


def _stored_otherwise(step: Any, change: Callable[[dict[str, Any], Any], None]) -> Any:
    """What a step stores is changed, with what it knows of the events, right before it is."""
    honest, read, seen = step.Result, dataset.everything_of, []

    def plant(patch: Patch) -> None:
        def reading(bundle: Any, role: str | None) -> MarketExamples:
            seen.append(read(bundle, role))
            return seen[-1]

        def result(value: dict[str, Any], *others: Any, **named: Any) -> Any:
            change(value, seen[-1] if seen else None)
            return honest(value, *others, **named)

        patch.setattr(dataset, "everything_of", reading)
        patch.setattr(step, "Result", result)

    return plant


def _released_model_instead(value: dict[str, Any], known: Any) -> None:
    """The model that was trained on all events predicts them."""
    told = AnalystModel.from_files(value).probability(known.own.features)
    value["out_of_fold.parquet"] = value["out_of_fold.parquet"].assign(probability=told)


def _labels_among_the_votes(value: dict[str, Any], known: Any) -> None:
    """A tenth of the label in every column but that of the linear expert."""
    table = value["out_of_fold.parquet"]
    mixed = {kind: 0.9 * table[kind] + 0.1 * known.own.labels for kind in value["recipes.json"]}
    mixed.pop("linear")
    value["out_of_fold.parquet"] = table.assign(**mixed)


def _labels_in_the_enhanced_vote(value: dict[str, Any], known: Any) -> None:
    table = value["out_of_fold.parquet"]
    mixed = 0.9 * table["enhanced"] + 0.1 * known.own.labels
    value["out_of_fold.parquet"] = table.assign(enhanced=mixed)
    value["enhancement.json"] = value["enhancement.json"] | {"kept": True}


def _changed_events(change: Callable[[pd.DataFrame], dict[str, Any]]) -> Any:
    honest = events.labelled_events

    def plant(patch: Patch) -> None:
        def leaking(*arguments: Any, **options: Any) -> pd.DataFrame:
            found = honest(*arguments, **options)
            return found.assign(**change(found))

        patch.setattr(events, "labelled_events", leaking)

    return plant


def _unique_until_known(found: pd.DataFrame) -> dict[str, Any]:
    row, t1_row = found["row"].to_numpy(), found["t1_row"].to_numpy()
    return {"uniqueness": average_uniqueness(row + 1, t1_row)}


def _purged_by_outcome(found: pd.DataFrame) -> dict[str, Any]:
    return {"last_row": found["t1_row"]}


def _without_vertical(found: pd.DataFrame) -> dict[str, Any]:
    return {"uniqueness": found["uniqueness"] * (found["barrier"] != "vertical")}


def _by_size_of_move(found: pd.DataFrame) -> dict[str, Any]:
    return {"uniqueness": found["uniqueness"] * (1 + 100 * found["gross_return"].abs())}


def _changed_outcomes(change: Callable[[pd.DataFrame], dict[str, Any]]) -> Any:
    honest = outcomes.signal_outcomes

    def plant(patch: Patch) -> None:
        def leaking(*arguments: Any) -> Any:
            labels, signals = honest(*arguments)
            return labels.assign(**change(labels)), signals

        patch.setattr(outcomes, "signal_outcomes", leaking)

    return plant


def _never_managed_into_loss(labels: pd.DataFrame) -> dict[str, Any]:
    return {"managed_return": labels["net_return"].clip(lower=0.0)}


def _size_by_the_next_signal(labels: pd.DataFrame) -> dict[str, Any]:
    following = labels["net_return"].shift(-1, fill_value=0.0)
    return {"size_target": following / labels["move"]}


def _heavy_winners(labels: pd.DataFrame) -> dict[str, Any]:
    return {"weight": labels["weight"] * np.where(labels["net_return"] > 0, 6.0, 1.0)}


def _market_without_rows_before(patch: Patch) -> None:
    """Forward folds purge other regimes' events around the test, and train on all behind it."""

    def around(
        known: MarketExamples, train: Any, test: Any, *, scope: str, embargo_bars: int, **_: Any
    ) -> Examples:
        if scope == "regime":
            return known.own.part(train)
        own, everything = known.own, known.everything
        last = own.t1_rows[test].max() + embargo_bars
        apart = (everything.t1_rows < own.rows[test[0]]) | (everything.rows > last)
        return everything.part(np.flatnonzero(apart))

    patch.setattr(out_of_fold, "training_part", around)


def _market_trained_on_everything(patch: Patch) -> None:
    """Experts of market scope learn the tested events, too."""
    honest = out_of_fold.training_part

    def whole(known: MarketExamples, *arguments: Any, scope: str, **options: Any) -> Examples:
        if scope == "market":
            return known.everything
        return honest(known, *arguments, scope="regime", **options)

    patch.setattr(out_of_fold, "training_part", whole)


def _forward_by_k_fold(patch: Patch) -> None:
    def split(self: Any, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Any]:
        yield from cross_validation.PurgedKFold(self.folds, self.embargo_bars).split(rows, t1_rows)

    patch.setattr(cross_validation.PurgedForward, "split", split)


def _search_later_of_other_regimes(patch: Patch) -> None:
    honest = enhancement._search_part

    def more(known: MarketExamples, share: float) -> MarketExamples:
        own = honest(known, share).own
        kept = ~known.member | np.isin(known.everything.rows, own.rows)
        return MarketExamples(known.everything.part(kept), known.member[kept])

    patch.setattr(enhancement, "_search_part", more)


Row: TypeAlias = tuple[str, Callable[[Patch], None]]


def _leaks(caught_by: str, first: int, last: int, *planted: Row, **how: bool) -> tuple[Leak, ...]:
    """Leaks that run in the same steps and are noticed by the same check."""
    return tuple(Leak(name, plant, first, last, caught_by, **how) for name, plant in planted)


LEAKS = (
    *_leaks("regimes_see_no_future", 2, 2, ("smoothed regimes", _smoothed_regimes)),
    *_leaks(
        "regime_model_saw_development_only",
        2,
        2,
        ("regimes fitted on all bars", finals.regimes_fitted_until(None)),
        ("regimes fitted a day into calibration", finals.regimes_fitted_until(60 + 1440)),
    ),
    *_leaks(
        "features_see_no_future",
        4,
        4,
        ("next bar's return", _changed_features(_next_return)),
        ("centred rolling mean", _changed_features(_centred)),
        ("scaled by all bars", _changed_features(_scaled_by_all)),
        ("a later bar where there is one", _changed_features(_filled_backward)),
        ("slow bar before it closed", _early_slow_bar),
    ),
    *_leaks(
        "labels_see_no_future",
        4,
        4,
        ("label past its end", _label_past_its_end),
        ("weights by later roles", _weights_by_later_roles),
        ("only events that end quickly", _only_quick_events),
        ("unique until the label is known", _changed_events(_unique_until_known)),
        ("purged by when labels ended", _changed_events(_purged_by_outcome)),
        ("no weight without a barrier", _changed_events(_without_vertical)),
        ("weight by the size of the move", _changed_events(_by_size_of_move)),
    ),
    *_leaks(
        "holdout_is_unseen",
        4,
        4,
        ("labels that reach the next role", _labels_reach_the_next_role),
        only_in_steps=True,
    ),
    *_leaks(
        "folds_are_purged",
        4,
        4,
        ("unpurged folds", _unpurged),
        ("folds without embargo", _without_embargo),
        ("forward folds unpurged", _forward_unpurged),
        ("folds drawn by event", _folds_drawn_event_by_event),
        ("market forward without rows before", _market_without_rows_before),
        ("forward folds that are k-fold", _forward_by_k_fold),
    ),
    *_leaks(
        "coin_labels_give_chance",
        4,
        4,
        ("judged on what it learnt", _judged_on_what_it_learnt),
        ("coins by folds drawn by event", _folds_drawn_event_by_event),
        ("market judged on what it learnt", _market_trained_on_everything),
    ),
    *_leaks(
        "predictions_are_out_of_fold",
        5,
        5,
        ("unpurged in step 5 alone", _unpurged),
        ("scaled before the folds", _scaled_before_the_folds),
        only_in_steps=True,
    ),
    *_leaks(
        "specialists_saw_development_only",
        5,
        5,
        ("final experts of all roles", finals.final_fit_on_all_roles("regime", "market")),
        ("final experts of a regime, of all roles", finals.final_fit_on_all_roles("regime")),
        ("final experts of the market, of all roles", finals.final_fit_on_all_roles("market")),
    ),
    *_leaks(
        "search_saw_no_later_event",
        6,
        6,
        ("search of later events of other regimes", _search_later_of_other_regimes),
    ),
    *_leaks(
        "enhanced_model_saw_development_only",
        6,
        6,
        ("enhanced model of all roles", finals.final_fit_on_all_roles("regime", "market")),
    ),
    *_leaks(
        "search_saw_no_later_event",
        6,
        6,
        ("search unpurged", _search_everything),
        only_in_steps=True,
    ),
    *_leaks(
        "ranking_saw_no_later_event",
        6,
        6,
        ("ranked on all of development", _ranked_on_all_of_development),
    ),
    *_leaks(
        "votes_are_out_of_fold",
        7,
        7,
        ("released model's probabilities", _stored_otherwise(step07, _released_model_instead)),
        only_in_steps=True,
    ),
    *_leaks(
        "votes_are_out_of_fold",
        5,
        7,
        ("labels among the votes", _stored_otherwise(step05, _labels_among_the_votes)),
        ("labels in the enhanced vote", _stored_otherwise(step06, _labels_in_the_enhanced_vote)),
        only_in_steps=True,
    ),
    *_leaks(
        "ensemble_saw_development_only",
        7,
        7,
        ("members fitted again on all roles", finals.members_fitted_on_all_roles),
    ),
    *_leaks(
        "ensemble_saw_development_only",
        7,
        7,
        ("weights by calibration", finals.weights_by_calibration),
        only_in_steps=True,
    ),
    *_leaks("tactician_folds_are_purged", 8, 8, ("tactician's folds unpurged", _unpurged)),
    *_leaks(
        "tactician_sees_no_future",
        8,
        8,
        ("outcome past its end", _outcome_past_its_end),
        ("slow context before it closed", _early_context),
        ("hit rate of open trades", _hit_rate_of_open_trades),
        ("volatility of the horizon", _volatility_of_the_horizon),
        ("size by the next signal", _changed_outcomes(_size_by_the_next_signal)),
        ("heavy winners", _changed_outcomes(_heavy_winners)),
    ),
    *_leaks(
        "tactician_sees_no_future",
        8,
        8,
        ("never managed into a loss", _changed_outcomes(_never_managed_into_loss)),
        only_in_steps=True,
    ),
    *_leaks(
        "take_models_saw_development_only",
        8,
        9,
        (
            "take models of later signals",
            finals.final_models_of_later_signals(specialists, "take"),
        ),
    ),
    *_leaks(
        "tactician_votes_are_out_of_fold",
        9,
        10,
        ("labels in the take votes", _trained_otherwise(specialists, _half_its_label)),
        ("take votes of the final models", _trained_otherwise(specialists, _of_the_final_model)),
        ("labels in the wait votes", _trained_otherwise(timing, _half_its_label)),
        ("wait votes of the final model", _trained_otherwise(timing, _of_the_final_model)),
        ("an ensemble that knows the outcome", _ensemble_that_knows),
        ("utility of choices made on all signals", _chosen_on_what_it_judges),
    ),
    *_leaks(
        "tactician_votes_are_out_of_fold",
        9,
        10,
        ("take votes of unpurged folds", _unpurged),
        ("a rule managed beyond doubt", _stored_otherwise(step10, _managed_beyond_doubt)),
        only_in_steps=True,
    ),
    *_leaks(
        "tactician_votes_are_out_of_fold",
        10,
        10,
        ("a threshold by later bars", finals.threshold_by_later_bars),
    ),
    *_leaks(
        "calibrator_saw_its_slice_only",
        11,
        11,
        ("calibrated on all roles", finals.calibrated_on_all_roles),
    ),
    *_leaks(
        "bundle_reloads_identically",
        16,
        16,
        ("bolder than validated", _stored_otherwise(step16, _bolder_than_validated)),
        only_in_steps=True,
    ),
    *_leaks("signals_see_no_future", 13, 16, ("signal by a later bar", _signal_by_a_later_bar)),
)
