"""The honest figure of step 10: nothing that decides on a fold was chosen on it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_assets.tactician.specialists import purged_splits
from ares_assets.tactician.tactician_ensemble import combine_tacticians, cross_fitted_stakes
from ares_assets.tactician.utility import choose_threshold, policy_utility

EVENTS, MEMBERS = 600, 6


def noise(seed: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Signals whose outcomes overlap and are worth nothing, and members that know nothing."""
    generator = np.random.default_rng(seed)
    shocks = 0.002 * generator.standard_normal(EVENTS + 6)
    net = np.array([shocks[i : i + 6].sum() for i in range(EVENTS)])
    row = 100 + 10 * np.arange(EVENTS)
    labels = pd.DataFrame(
        {
            "row": row,
            "t1_row": row + 60,
            "settled_row": row + 65,
            "net_return": net,
            "take": (net > 0).astype(int),
        }
    )
    slow = np.ones(12) / np.sqrt(12)
    members = {
        f"member{k}": 0.5
        + 0.03 * np.convolve(generator.standard_normal(EVENTS + 11), slow, "valid")
        for k in range(MEMBERS)
    }
    return labels, members


def folds(labels: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    return purged_splits(labels["row"], labels["settled_row"], folds=5, embargo_bars=60)


def threshold_alone_crossed(
    labels: pd.DataFrame, p: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """The mistake: weights chosen on all signals, only the threshold on the other folds."""
    size = np.zeros(len(labels))
    for train, test in splits:
        learnt = choose_threshold(labels.iloc[train], p[train], minimum_trades=10)
        size[test] = p[test] > learnt.threshold
    return size


def test_members_picked_by_luck_earn_nothing_when_all_is_cross_fitted() -> None:
    naive, threshold_only, honest = [], [], []
    for seed in range(60):
        labels, members = noise(seed)
        splits = folds(labels)
        whole = combine_tacticians(labels, members, minimum_trades=10)
        size = threshold_alone_crossed(labels, whole.out_of_fold, splits)
        stakes = cross_fitted_stakes(labels, members, splits, minimum_trades=10)
        naive.append(whole.utility.mean)
        threshold_only.append(policy_utility(labels, size).mean)
        honest.append(policy_utility(labels, stakes).mean)

    def errors(values: list[float]) -> float:
        return float(np.mean(values) / (np.std(values) / np.sqrt(len(values))))

    assert errors(naive) > 3
    assert abs(errors(honest)) < 2.5
    # The reason for crossing everything: the threshold alone leaves luck in, pair by pair.
    assert errors(list(np.subtract(threshold_only, honest))) > 3


def test_a_folds_outcomes_do_not_reach_its_own_stakes() -> None:
    labels, members = noise(1)
    labels["net_return"] += 0.02 * (members["member0"] - 0.5) / 0.03
    labels["take"] = (labels["net_return"] > 0).astype(int)
    splits = folds(labels)
    before = cross_fitted_stakes(labels, members, splits, minimum_trades=10)
    assert before.any()
    changed = labels.copy()
    changed.loc[splits[2][1], "net_return"] = 0.5
    changed.loc[splits[2][1], "take"] = 1
    after = cross_fitted_stakes(changed, members, splits, minimum_trades=10)
    np.testing.assert_array_equal(before[splits[2][1]], after[splits[2][1]])
    assert not np.array_equal(before, after)
