"""Step 6: the study never sees what judges it, and only what holds up is kept."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.enhancement import enhance
from ares_assets.analyst.experts import EXPERT_KINDS, get_expert
from ares_assets.analyst.feature_ranking import cluster_features, rank_features
from ares_resources.errors import BadInput, PartitionSkipped


def run(made, **changed):
    options = {
        "kinds": ("linear", "gradient_boosting"),
        "n_trials": 5,
        "folds": 3,
        "embargo_bars": 10,
        "search_share": 0.6,
        "gain_confidence": 0.9,
        "seed": 2,
        "threads": 2,
        **changed,
    }
    return enhance(made.known(), **options)


@pytest.mark.parametrize("n_trials", [1, 5])
def test_makes_exactly_as_many_trials(n_trials, make_events):
    calls = []
    found = run(
        make_events(300),
        kinds=EXPERT_KINDS,
        n_trials=n_trials,
        on_trial=lambda *call: calls.append(call),
    )
    assert len(found.trials) == n_trials
    begun, ended = calls[::2], calls[1::2]
    assert [call[0] for call in begun] == [call[0] for call in ended] == list(range(n_trials))
    assert {call[1] for call in begun} == {"RUNNING"}
    assert {call[1] for call in ended} == {"COMPLETE"}
    assert [call[2] for call in begun] == [call[2] for call in ended]
    assert [call[3] for call in ended] == found.trials["value"].tolist()
    assert all(call[2]["kind"] in EXPERT_KINDS for call in calls)


def test_the_study_never_sees_the_later_part(make_events):
    made, other = make_events(400, span=9), make_events(400, span=9)
    cut = 240
    generator = np.random.default_rng(8)
    other.features.iloc[cut:] = generator.normal(0, 50, other.features.iloc[cut:].shape)
    # An early label that is known only in the later part counts as later.
    late = (np.arange(400) >= cut) | (other.t1_rows >= other.rows[cut])
    other.labels[late] = 1 - other.labels[late]
    first, second = run(made), run(other)
    pd.testing.assert_frame_equal(first.trials, second.trials, check_exact=True)
    pd.testing.assert_frame_equal(first.ranking, second.ranking, check_exact=True)
    assert first.candidate == second.candidate
    assert first.gain != second.gain
    assert late[:cut].any()
    assert first.search_events == 400 - late.sum()


def test_a_real_gain_is_kept(make_events):
    """Much noise and one strong feature: defaults shrink too far, and the study finds it."""
    made = make_events(1500, width=25, strength=1.5)
    found = run(made, kinds=("linear",), n_trials=12)
    assert found.kept
    assert found.gain is not None
    assert found.gain.confidence >= 0.9
    assert found.gain.gain > 0
    assert (found.kind, found.parameters, found.features) == (
        found.candidate.kind,
        found.candidate.parameters,
        found.candidate.features,
    )
    assert "feature_0" in found.features


def test_nothing_to_find_keeps_the_defaults(make_events):
    kept = [
        run(make_events(300, strength=0.0, seed=seed), kinds=("linear",), n_trials=3).kept
        for seed in range(8)
    ]
    # At 90 % confidence one in ten may slip through; four of eight has probability 0.5 %.
    assert sum(kept) <= 3


def test_what_is_not_kept_leaves_the_defaults(make_events):
    made = make_events(300, strength=0.0, seed=3)
    found = run(made, gain_confidence=0.9999)
    assert not found.kept
    assert found.parameters == get_expert(found.kind).default_parameters()
    assert found.features == tuple(made.features.columns)
    assert found.kind == found.candidate.kind


def test_the_winner_has_to_beat_what_step_5_trained(make_events):
    made = make_events(300, strength=0.0, seed=3)
    kind = run(made, gain_confidence=0.9999).kind
    recipe = get_expert(kind).default_parameters()
    name = "clip" if kind == "linear" else "trees"
    recipe = {**recipe, name: recipe[name] * 2}
    found = run(made, gain_confidence=0.9999, recipes={kind: recipe})
    assert not found.kept
    assert found.parameters == recipe


def test_the_default_itself_may_win(make_events):
    found = run(make_events(300), kinds=("linear",), n_trials=2, seed=0)
    assert found.trials["parameters"][0] == json.dumps(
        get_expert("linear").default_parameters(), sort_keys=True
    )
    if found.gain is None:
        assert found.reason == "the study found nothing better than the defaults"
        assert not found.kept


def test_equal_input_gives_equal_output(make_events):
    made = make_events(300)
    first, second = run(made), run(made)
    assert first.as_dict() == second.as_dict()
    pd.testing.assert_frame_equal(first.trials, second.trials, check_exact=True)
    other = run(made, seed=99)
    assert not first.trials.equals(other.trials)
    assert json.loads(json.dumps(first.as_dict())) == first.as_dict()


def test_faults_are_named(make_events):
    made = make_events(300)
    for changed in ({"kinds": ()}, {"n_trials": 0}, {"gain_confidence": 1.0}):
        with pytest.raises(BadInput, match="allowed"):
            run(made, **changed)
    with pytest.raises(BadInput, match="'svm'"):
        run(made, kinds=("svm",))
    with pytest.raises(PartitionSkipped):
        run(make_events(40))


def test_features_that_say_the_same_share_a_cluster():
    draw = np.random.default_rng(3)
    first, second = draw.normal(size=(2, 400))
    alike = np.exp(first) + 0.01 * draw.normal(size=400)
    columns = [first, second, -alike, second * 2, np.ones(400), np.full(400, np.nan)]
    assert cluster_features(np.stack(columns, axis=1)).tolist() == [0, 1, 0, 1, 2, 3]


def test_ranking_puts_the_useful_first(make_events):
    made = make_events(900, width=5, strength=1.2)
    made.features["copy"] = made.features["feature_0"] * 3 + 1e-3
    ranking = rank_features(
        [get_expert("linear"), get_expert("gradient_boosting")],
        made.features,
        made.labels,
        made.weights,
        made.rows,
        made.t1_rows,
        splitter=PurgedKFold(3, 10),
        seed=1,
        threads=2,
    )
    assert set(ranking.features[:2]) == {"feature_0", "copy"}
    table = ranking.table.set_index("feature")
    assert table.loc["copy", "cluster"] == table.loc["feature_0", "cluster"]
    assert table.loc["copy", "importance"] > 10 * table["importance"].iloc[2:].abs().max()
    assert ranking.top(0.0) == (ranking.features[0],)
    assert ranking.top(1.0) == tuple(made.features.columns)
    assert ranking.top(2 / 9) == ("feature_0", "copy")
