"""The experts: learning, native files, determinism, and bad or poor data."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time

import numpy as np
import optuna
import pandas as pd
import pytest

from ares_assets.analyst.experts import (
    EXPERT_KINDS,
    ContinuableExpert,
    FittedExpert,
    get_expert,
    load_expert,
)
from ares_assets.analyst.experts.base import REGIME_COLUMNS, Expert
from ares_assets.analyst.scores import auc
from ares_resources.errors import BadInput, CorruptArtifact, PartitionSkipped

CONTINUABLE = ("catboost", "gradient_boosting")
each_kind = pytest.mark.parametrize("kind", EXPERT_KINDS)
each_continuable = pytest.mark.parametrize("kind", CONTINUABLE)


def fit(kind, made, **changed):
    given = {"features": made.features, "labels": made.labels, "weights": made.weights, **changed}
    parameters, seed = given.pop("parameters", {}), given.pop("seed", 3)
    return get_expert(kind).fit(
        given["features"],
        given["labels"],
        given["weights"],
        parameters=parameters,
        seed=seed,
        threads=2,
    )


def continued(kind, previous, made, *, trees=20, **changed):
    given = {"features": made.features, "labels": made.labels, "weights": made.weights, **changed}
    options = {"parameters": given.pop("parameters", {}), "seed": given.pop("seed", 3)}
    arrays = given["features"], given["labels"], given["weights"]
    return get_expert(kind).continue_fit(previous, *arrays, trees=trees, threads=2, **options)


@each_kind
def test_learns_what_is_there(kind, make_events):
    model = fit(kind, make_events(seed=1))
    fresh = make_events(seed=2)
    found = model.probability(fresh.features)
    assert isinstance(get_expert(kind), Expert)
    assert isinstance(model, FittedExpert)
    assert found.dtype == np.float64
    assert ((found > 0) & (found < 1)).all()
    best = auc(fresh.labels, fresh.probability, fresh.weights)
    assert auc(fresh.labels, found, fresh.weights) > best - 0.04


@each_kind
def test_files_round_trip_and_repeat(kind, make_events):
    made = make_events(300)
    made.features.loc[::5, "feature_1"] = np.nan
    model, again = fit(kind, made), fit(kind, made)
    files = model.to_files()
    assert files == again.to_files()
    loaded = load_expert(kind, files)
    assert loaded.to_files() == files
    assert loaded.features == model.features
    assert np.array_equal(loaded.probability(made.features), model.probability(made.features))
    assert not any(name.endswith((".pkl", ".pickle", ".joblib")) for name in files)


HASHING = """
import hashlib, json, numpy as np, pandas as pd
from ares_assets.analyst.experts import EXPERT_KINDS, ContinuableExpert, get_expert
draw = np.random.default_rng(5)
features = pd.DataFrame(draw.normal(size=(300, 5)), columns=list("abcde"))
features[["p_bull", "p_bear", "p_sideways"]] = draw.dirichlet((2, 1, 2), 300)
labels = (draw.random(300) < 1 / (1 + np.exp(-features["a"]))).to_numpy().astype(float)
found = {}
for kind in EXPERT_KINDS:
    model = get_expert(kind).fit(
        features, labels, np.ones(300), parameters={}, seed=3, threads=2)
    for name, data in sorted(model.to_files().items()):
        found[name] = hashlib.sha256(data).hexdigest()
    expert = get_expert(kind)
    if isinstance(expert, ContinuableExpert):
        for turn in range(3):
            model = expert.continue_fit(
                model, features, labels, np.ones(300), parameters={}, trees=7, seed=3, threads=2)
            for name, data in sorted(model.to_files().items()):
                found[f"{turn} {name}"] = hashlib.sha256(data).hexdigest()
print(json.dumps(found))
"""


def test_bytes_are_equal_between_processes():
    def run(hash_seed: str) -> dict[str, str]:
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", HASHING],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    first = run("1")
    time.sleep(1.1)  # CatBoost's own metadata counts seconds.
    assert len(set(first.values())) == len(EXPERT_KINDS) + 3 * len(CONTINUABLE)
    assert first == run("2")


@each_kind
def test_columns_are_taken_by_name(kind, make_events):
    made = make_events(300)
    model = fit(kind, made)
    expected = model.probability(made.features)
    shuffled = made.features[made.features.columns[::-1]].assign(unrelated="text")
    assert np.array_equal(model.probability(shuffled), expected)
    with pytest.raises(BadInput, match="'feature_2' is missing"):
        model.probability(made.features.drop(columns="feature_2"))
    with pytest.raises(BadInput, match="more than once"):
        model.probability(pd.concat([made.features, made.features[["feature_2"]]], axis=1))


@each_kind
def test_a_row_is_predicted_alike_alone_and_in_company(kind, make_events):
    made = make_events(200)
    model = fit(kind, made)
    together = model.probability(made.features)
    alone = [model.probability(made.features.iloc[[i]])[0] for i in range(0, 200, 17)]
    assert together[::17].tolist() == alone
    assert len(model.probability(made.features.iloc[:0])) == 0


@each_kind
def test_odd_names_survive(kind, make_events):
    made = make_events(200, width=4)
    names = ["rsi 14", "macd:1h", 'quote"{x}', "größe,%20"]
    made.features.columns = [*names, *REGIME_COLUMNS]
    model = fit(kind, made)
    loaded = load_expert(kind, model.to_files())
    assert loaded.features == tuple(made.features.columns)
    assert np.array_equal(loaded.probability(made.features), model.probability(made.features))


@each_kind
def test_missing_and_constant_features_are_borne(kind, make_events):
    made = make_events(400)
    made.features["empty"] = np.nan
    made.features["constant"] = 7.0
    made.features.loc[::3, "feature_0"] = np.nan
    model = fit(kind, made)
    found = model.probability(made.features)
    assert np.isfinite(found).all()
    assert "empty" in model.features
    strange = made.features.assign(empty=1e9, constant=-1e9)
    assert np.array_equal(model.probability(strange), found)
    assert np.isfinite(model.probability(made.features * np.nan)).all()


@each_kind
def test_infinite_values_are_rejected_by_place(kind, make_events):
    made = make_events(100)
    model = fit(kind, made)
    made.features.loc[41, "feature_3"] = -np.inf
    with pytest.raises(BadInput, match="'feature_3', row 41: -inf"):
        fit(kind, made)
    with pytest.raises(BadInput, match="'feature_3', row 41: -inf"):
        model.probability(made.features)


@each_kind
def test_untrainable_data_skips_the_partition(kind, make_events):
    made = make_events(100)
    with pytest.raises(PartitionSkipped, match="0 of 100 training labels are 1"):
        fit(kind, made, labels=np.zeros(100))
    small = make_events(12)
    with pytest.raises(PartitionSkipped, match="12 training rows"):
        fit(kind, small)
    with pytest.raises(PartitionSkipped, match="no usable feature"):
        fit(kind, made, features=made.features * 0.0)
    with pytest.raises(PartitionSkipped, match="0 training rows"):
        fit(kind, made, weights=np.zeros(100))


@each_kind
def test_bad_vectors_are_named(kind, make_events):
    made = make_events(100)
    with pytest.raises(BadInput, match=r"label at row 4: 0\.5"):
        fit(kind, made, labels=np.where(np.arange(100) == 4, 0.5, made.labels))
    with pytest.raises(BadInput, match="weight at row 6"):
        fit(kind, made, weights=np.where(np.arange(100) == 6, -1.0, 1.0))
    with pytest.raises(BadInput, match="weights of shape"):
        fit(kind, made, weights=np.ones(99))
    with pytest.raises(BadInput, match="numeric"):
        fit(kind, made, features=made.features.assign(word="x"))


@each_kind
def test_parameters_are_checked(kind, make_events):
    made = make_events(100)
    name = next(iter(get_expert(kind).default_parameters()))
    with pytest.raises(BadInput, match=f"did you mean '{name}'"):
        fit(kind, made, parameters={name + "x": 1})
    for value in (-1.0, float("nan"), "1", True):
        with pytest.raises(BadInput, match=f"parameter {name} ="):
            fit(kind, made, parameters={name: value})


@each_kind
def test_every_suggested_point_can_be_trained(kind, make_events):
    made = make_events(80)
    expert = get_expert(kind)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(6):
        trial = study.ask()
        parameters = expert.suggest(trial)
        assert set(parameters) == set(expert.default_parameters())
        assert all(name.startswith(f"{kind}.") for name in trial.params)
        found = fit(kind, made, parameters=parameters).probability(made.features)
        assert np.isfinite(found).all()


@each_kind
def test_weights_matter_and_their_unit_does_not(kind, make_events):
    made = make_events(300)
    base = fit(kind, made).probability(made.features)
    # A power of two, so that rounding is no excuse for a difference.
    same = fit(kind, made, weights=made.weights * 1024).probability(made.features)
    other = fit(kind, made, weights=np.where(made.labels == 1, 3.0, 1.0))
    # The linear ones hold their priors against the sum of weights, the independent events.
    assert np.array_equal(base, same) == (kind not in ("linear", "multilevel"))
    assert other.probability(made.features).mean() > base.mean() + 0.1


@each_kind
def test_an_event_of_weight_zero_does_not_exist(kind, make_events):
    made = make_events(300)
    weights = np.where(np.arange(300) % 4 == 0, 0.0, made.weights)
    kept = weights > 0
    whole = fit(kind, made, weights=weights)
    part = fit(
        kind,
        made,
        features=made.features[kept],
        labels=made.labels[kept],
        weights=weights[kept],
    )
    assert whole.to_files() == part.to_files()


@each_kind
def test_damaged_files_are_recognised(kind, make_events):
    files = fit(kind, make_events(100)).to_files()
    (name, data), *_ = files.items()
    with pytest.raises(CorruptArtifact, match=name):
        load_expert(kind, {name: data[: len(data) // 2]})
    with pytest.raises(CorruptArtifact):
        load_expert(kind, {})


def test_unknown_kind_is_named():
    for call in (lambda: get_expert("svm"), lambda: load_expert("svm", {})):
        with pytest.raises(BadInput, match=r"'svm'; allowed: catboost"):
            call()


def test_linear_agrees_with_scikit_learn(make_events):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    made = make_events(500)
    model = fit("linear", made, parameters={"prior_variance": 0.01, "clip": 8.0})
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, tol=1e-10))
    reference.fit(made.features, made.labels, logisticregression__sample_weight=made.weights)
    expected = reference.predict_proba(made.features)[:, 1]
    np.testing.assert_allclose(model.probability(made.features), expected, atol=1e-6)


def test_linear_does_not_look_at_what_it_predicts(make_events):
    made, other = make_events(300), make_events(300, seed=9)
    model = fit("linear", made)
    alone = model.probability(other.features.iloc[:50])
    changed = other.features.copy()
    changed.iloc[50:] = 1e6
    assert np.array_equal(model.probability(changed)[:50], alone)


def test_catboost_file_holds_no_clock_and_no_identity(make_events):
    from catboost import CatBoostClassifier

    made = make_events(100)
    first = fit("catboost", made)
    for fitted in (first, continued("catboost", first, made)):
        content = fitted.to_files()["catboost.cbm"]
        model = CatBoostClassifier().load_model(blob=content, format="cbm")
        assert set(model.get_metadata().keys()) <= {"class_params", "catboost_version_info"}
        for trace in (b"train_finish_time", b"model_guid", b"learn_metrics_history"):
            assert trace not in content


def test_seeds_change_the_random_experts_only(make_events):
    made = make_events(300)
    for kind in EXPERT_KINDS:
        digests = {
            hashlib.sha256(b"".join(fit(kind, made, seed=s).to_files().values())).hexdigest()
            for s in (1, 2)
        }
        assert len(digests) == (1 if kind in ("linear", "multilevel") else 2)


def test_only_boosting_continues():
    found = [kind for kind in EXPERT_KINDS if isinstance(get_expert(kind), ContinuableExpert)]
    assert sorted(found) == sorted(CONTINUABLE)


@each_continuable
def test_a_continuation_adds_trees_and_leaves_the_model_before_alone(kind, make_events):
    made = make_events(300)
    first = fit(kind, made, parameters={"trees": 40})
    before = first.to_files()
    longer = continued(kind, first, make_events(400), trees=7)
    assert first.to_files() == before
    assert get_expert(kind).tree_count(first) == 40
    assert get_expert(kind).tree_count(longer) == 47
    assert longer.kind == kind
    assert longer.features == first.features


@each_continuable
def test_a_continuation_starts_where_the_model_before_ended(kind, make_events):
    made, other = make_events(600), make_events(600, seed=8)
    first = fit(kind, made)
    # One tree at the smallest learning rate changes next to nothing, whatever it is trained on.
    barely = continued(kind, first, other, trees=1, parameters={"learning_rate": 0.005})
    apart = np.abs(barely.probability(made.features) - first.probability(made.features))
    assert 0 < apart.max() < 0.002


@each_continuable
def test_a_continuation_learns_what_is_new(kind, make_events):
    made = make_events(1500)
    first = fit(kind, made)
    turned = continued(kind, first, made, labels=1 - made.labels, trees=150)
    upward = auc(made.labels, first.probability(made.features), made.weights)
    assert upward > 0.6
    assert auc(made.labels, turned.probability(made.features), made.weights) < upward - 0.05


@each_continuable
def test_continuations_round_trip_and_repeat(kind, make_events):
    made = make_events(300)
    names = ["rsi 14", "macd:1h", 'quote"{x}', "größe,%20", "a", "b"]
    made.features.columns = [*names, *REGIME_COLUMNS]
    made.features.loc[::5, "a"] = np.nan
    first = fit(kind, made)
    one, two = continued(kind, first, made), continued(kind, fit(kind, made), made)
    assert one.to_files() == two.to_files()
    # What was saved and loaded continues as what was kept in memory.
    stored = load_expert(kind, first.to_files())
    assert continued(kind, stored, made).to_files() == one.to_files()
    loaded = load_expert(kind, one.to_files())
    assert np.array_equal(loaded.probability(made.features), one.probability(made.features))
    assert loaded.features == tuple(made.features.columns)


@each_continuable
def test_a_continuation_takes_any_seed(kind, make_events):
    made = make_events(400)
    first = fit(kind, made, seed=2**31 - 1)
    seeds = [continued(kind, first, made, seed=seed) for seed in (1, 2, 2**31 - 1)]
    files = {b"".join(model.to_files().values()) for model in seeds}
    assert len(files) == 3


@each_continuable
def test_what_cannot_be_continued_is_named(kind, make_events):
    made = make_events(300)
    first = fit(kind, made)
    with pytest.raises(BadInput, match="a linear model cannot be continued"):
        continued(kind, fit("linear", made), made)
    with pytest.raises(BadInput, match="a forest model cannot be continued"):
        continued(kind, fit("forest", made), made)
    with pytest.raises(BadInput, match="another order"):
        continued(kind, first, made, features=made.features[made.features.columns[::-1]])
    with pytest.raises(BadInput, match=r"differ .* in 1, first 'feature_2'"):
        continued(kind, first, made, features=made.features.drop(columns="feature_2"))
    for trees in (0, -1, 2.0, True):
        with pytest.raises(BadInput, match="continuation of"):
            continued(kind, first, made, trees=trees)
    with pytest.raises(BadInput, match=r"label at row 4: 0\.5"):
        continued(kind, first, made, labels=np.where(np.arange(300) == 4, 0.5, made.labels))
    with pytest.raises(PartitionSkipped, match="0 of 300"):
        continued(kind, first, made, labels=np.zeros(300))
