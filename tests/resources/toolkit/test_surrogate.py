"""The process and the expected gain of hypervolume, against definitions."""

from __future__ import annotations

import numpy as np
import optuna
import pytest

from ares_resources.backtesting import surrogate
from ares_resources.backtesting.improvement import Beliefs, Measured, learned_shapes
from ares_resources.backtesting.pareto import hypervolume
from ares_resources.backtesting.sampler import PARTIAL, AdaptiveSampler
from ares_resources.backtesting.unit_cube import UnitCube

FLOAT = optuna.distributions.FloatDistribution(0, 1)
CUBE = UnitCube({"a": FLOAT, "b": FLOAT})


def wave(points: np.ndarray) -> np.ndarray:
    return np.sin(5 * points[:, 0]) + points[:, 1] ** 2


def test_the_gradient_of_the_posterior_is_its_derivative():
    random = np.random.default_rng(1)
    points = random.random((40, 3))
    values = wave(points) + 0.1 * random.normal(size=40)
    loss = surrogate._loss_of(points, values, np.zeros(4), np.ones(4))
    place = random.normal(size=4) * 0.5
    numeric = [(loss(place + h)[0] - loss(place - h)[0]) / 2e-6 for h in np.eye(4) * 1e-6]
    assert loss(place)[1] == pytest.approx(numeric, rel=1e-5, abs=1e-5)


def test_the_process_predicts_interpolates_and_knows_its_slope():
    random = np.random.default_rng(2)
    points, new = random.random((60, 2)), random.random((50, 2))
    model = surrogate.fit(points, wave(points), surrogate.fit_shape(points, wave(points)))
    found = model.predict(new)
    assert np.abs(found.mean - wave(new)).max() < 0.05
    assert (np.abs(found.mean - wave(new)) < 4 * found.deviation + 1e-3).mean() > 0.9
    assert model.predict(points[:1]).deviation[0] < found.deviation.max()
    step = np.array([[1e-5, 0.0]])
    numeric = (model.slope(new + step)[0] - model.slope(new - step)[0]) / 2e-5
    assert model.slope(new)[1][:, 0] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_predictions_equal_the_textbook_formula():
    random = np.random.default_rng(3)
    points, new = random.random((12, 2)), random.random((4, 2))
    values, shape = wave(points), surrogate.Shape(np.array([0.4, 0.9]), 1e-3)

    def kernel(a, b):
        r = np.sqrt((((a[:, None] - b[None]) / shape.lengths) ** 2).sum(axis=2))
        return (1 + np.sqrt(5) * r + 5 / 3 * r**2) * np.exp(-np.sqrt(5) * r)

    inverse = np.linalg.inv(kernel(points, points) + 1e-3 * np.eye(12))
    centred = values - values.mean()
    signal = centred @ inverse @ centred / 12
    found = surrogate.fit(points, values, shape).predict(new)
    near = kernel(new, points)
    assert found.mean == pytest.approx(values.mean() + near @ inverse @ centred)
    variance = signal * (kernel(new, new) - near @ inverse @ near.T)
    assert found.deviation**2 == pytest.approx(np.diag(variance))
    model = surrogate.fit(points, values, shape)
    alike = model.correlation(found, model.predict(new[:1]))
    expected = variance[:, 0] / np.sqrt(np.diag(variance) * variance[0, 0])
    assert alike == pytest.approx(expected)


def measured(count: int, seed: int = 0) -> Measured:
    random = np.random.default_rng(seed)
    places = random.random((count, 2))
    losses = np.column_stack([places[:, 0], (1 - places[:, 0]) ** 2 + places[:, 1]])
    return Measured(places, losses, np.full((count, 1), -1.0), np.ones(count, bool))


def beliefs(known: Measured) -> Beliefs:
    return Beliefs(known, CUBE, learned_shapes(known, CUBE), np.random.default_rng(5))


def test_a_batch_gains_far_more_than_chance_and_does_not_repeat_itself():
    known = measured(30)
    asked = beliefs(known)
    batch = [asked.propose() for _ in range(10)]
    places = np.array([[one["a"], one["b"]] for one in batch])
    gaps = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(10)
    assert gaps.min() > 0.01

    def gain(points):
        losses = np.column_stack([points[:, 0], (1 - points[:, 0]) ** 2 + points[:, 1]])
        return hypervolume(np.maximum(2.5 - np.vstack([known.losses, losses]), 0))

    chance = [gain(np.random.default_rng(s).random((10, 2))) for s in range(20)]
    assert gain(places) > max(chance)


def test_estimates_teach_but_are_no_front():
    known = measured(30)
    best = np.vstack([known.places, [[0.5, 0.0]]])
    losses = np.vstack([known.losses, [[0.5, 0.25]]])
    for whole in (True, False):
        flags = np.append(known.whole, whole)
        asked = beliefs(Measured(best, losses, np.full((31, 1), -1.0), flags))
        near = [one for one in (asked.propose() for _ in range(6)) if abs(one["a"] - 0.5) < 0.04]
        assert bool(near) or whole


def test_running_trials_are_expected_whoever_asked_for_them():
    def study() -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        made = optuna.create_study(directions=["minimize"] * 2, sampler=AdaptiveSampler(4))
        for _ in range(20):
            one = made.ask({"a": FLOAT, "b": FLOAT})
            one.set_user_attr(PARTIAL, one.number % 4 == 0)
            made.tell(one, [one.params["a"], (1 - one.params["a"]) ** 2 + one.params["b"]])
        return made

    straight, broken = study(), study()
    wanted = [straight.ask({"a": FLOAT, "b": FLOAT}).params for _ in range(6)]
    first = [broken.ask({"a": FLOAT, "b": FLOAT}).params for _ in range(3)]
    broken.sampler = AdaptiveSampler(4)  # another process that takes the study over
    rest = [broken.ask({"a": FLOAT, "b": FLOAT}).params for _ in range(3)]
    assert first + rest == wanted


def test_failures_do_not_bring_the_same_proposals_again():
    made = optuna.create_study(directions=["minimize"], sampler=AdaptiveSampler(4))
    seen = []
    for number in range(30):
        one = made.ask({"a": FLOAT, "b": FLOAT})
        seen.append(tuple(one.params.values()))
        if number < 12:
            made.tell(one, one.params["a"])
        else:
            made.tell(one, state=optuna.trial.TrialState.FAIL)
    assert len(set(seen)) == 30


def test_where_nothing_is_feasible_no_point_is_asked_for_twice():
    made = optuna.create_study(directions=["maximize", "minimize"], sampler=AdaptiveSampler(4))
    seen = []
    for _ in range(4):
        batch = [made.ask({"a": FLOAT, "b": FLOAT}) for _ in range(10)]
        for one in batch:
            seen.append(tuple(one.params.values()))
            one.set_constraint("trades", 10.0)
            made.tell(one, [0.0, 0.0])
    assert len(set(seen)) == 40
