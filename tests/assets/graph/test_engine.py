"""Steps by content: what is computed, what is found, what is skipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ares_assets.engine import Request, Result, StepSpec, Work, execute, step_key
from ares_resources.errors import AresError, PartitionSkipped
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace


class Counting:
    """A step function that counts its calls."""

    def __init__(self, value: Any = None, reason: str | None = None) -> None:
        self.calls, self.value, self.reason = 0, value or {"a": 1}, reason

    def __call__(self, work: Work, **inputs: Artifact) -> Result:
        self.calls += 1
        if self.reason:
            raise PartitionSkipped(self.reason)
        horizon = work.settings.labels.horizon_bars
        return Result({**self.value, "horizon": horizon}, {"rows": 3}, ("a fallback",))


def spec(function: Counting, **changes: Any) -> StepSpec:
    base = StepSpec(1, "one", "One", "", "g", "report", (), ("labels",), function)  # type: ignore[arg-type]
    return replace(base, **changes)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    home = Home(tmp_path)
    home.create()
    request = Request(SymbolKey("ETHUSDT", "SIM"), "bull", load_settings(), None, False, "run-1")
    return Work(spec(Counting()), request, Workspace(home))


def with_settings(work: Work, tree: Mapping[str, Any]) -> Work:
    return replace(work, request=replace(work.request, settings=load_settings(tree)))


def test_a_result_is_computed_once(work: Work) -> None:
    first, found_first = execute(work, {})
    second, found_second = execute(work, {})
    assert (found_first, found_second) == (False, True)
    assert work.spec.function.calls == 1  # type: ignore[attr-defined]
    assert first.sha256 == second.sha256
    assert second.degraded == ["a fallback"]


def test_a_cost_is_recorded_and_changes_no_later_key(work: Work, tmp_path: Path) -> None:
    def with_cost(folder: str, seconds: float, extra: Mapping[str, Any]) -> tuple[Artifact, str]:
        def function(work: Work) -> Result:
            return Result({"a": 1}, {"rows": 3, **extra}, cost={"seconds_saved": seconds})

        home = Home(tmp_path / folder)
        home.create()
        one = replace(work, spec=replace(work.spec, function=function), workspace=Workspace(home))
        artifact, _ = execute(one, {})
        later = replace(one, spec=spec(Counting(), name="two", inputs=("one",)))
        return artifact, step_key(later, {"one": artifact})

    fast, key = with_cost("fast", 0.5, {})
    slow, same = with_cost("slow", 7.5, {})
    assert (fast.cost["seconds_saved"], slow.cost["seconds_saved"]) == (0.5, 7.5)
    assert fast.metadata == slow.metadata == {"rows": 3}
    assert key == same
    # The same figure among the metadata would change it.
    assert with_cost("told", 0.5, {"seconds_saved": 0.5})[1] != key


def test_a_declared_setting_changes_the_key_and_an_undeclared_one_does_not(work: Work) -> None:
    declared = with_settings(work, {"labels": {"horizon_bars": 30}})
    undeclared = with_settings(work, {"gate": {"minimum_trades": 99}})
    assert step_key(declared, {}) != step_key(work, {})
    assert step_key(undeclared, {}) == step_key(work, {})


def test_reading_an_undeclared_setting_is_an_error(work: Work) -> None:
    with pytest.raises(AresError, match="gate"):
        _ = work.settings.gate


def test_seed_regime_and_outside_state_are_in_the_key(work: Work) -> None:
    other = [
        with_settings(work, {"seed": 8}),
        replace(work, request=replace(work.request, regime="bear")),
        replace(work, outside="new bars"),
    ]
    keys = {step_key(one, {}) for one in [work, *other]}
    assert len(keys) == 4


def test_shared_steps_ignore_the_regime(work: Work) -> None:
    shared = replace(work, spec=replace(work.spec, shared=True))
    bear = replace(shared, request=replace(work.request, regime="bear"))
    assert step_key(shared, {}) == step_key(bear, {})
    execute(shared, {})
    assert execute(bear, {})[1]


def test_equal_content_of_an_input_stops_recomputation(work: Work) -> None:
    upstream, _ = execute(work, {})
    elsewhere = replace(work.spec, fingerprint=lambda work, inputs: "something else happened")
    again = replace(work, spec=elsewhere)
    same_content, _ = execute(again, {})
    assert upstream.key != same_content.key
    below = replace(work, spec=spec(Counting(), name="two", inputs=("one",)))
    execute(below, {"one": upstream})
    assert execute(below, {"one": same_content})[1]


def test_other_figures_of_an_equal_input_make_another_key(work: Work) -> None:
    upstream, _ = execute(work, {})
    manifest = {**upstream.manifest, "metadata": {"window_start_ms": 5}}
    below = replace(work, spec=spec(Counting(), name="two", inputs=("one",)))
    other = replace(upstream, manifest=manifest)
    assert other.sha256 == upstream.sha256
    assert step_key(below, {"one": other}) != step_key(below, {"one": upstream})


def test_degradation_is_inherited(work: Work) -> None:
    upstream, _ = execute(work, {})
    below = replace(work, spec=spec(Counting(), name="two", inputs=("one",)))
    assert execute(below, {"one": upstream})[0].degraded == ["a fallback"]


def test_a_skip_is_a_result_with_a_reason(work: Work) -> None:
    skipping = replace(work, spec=spec(Counting(reason="12 rows, 20 are needed")))
    artifact, _ = execute(skipping, {})
    assert artifact.skipped == "12 rows, 20 are needed"
    assert execute(skipping, {})[1]
    assert skipping.spec.function.calls == 1  # type: ignore[attr-defined]


def test_a_failure_leaves_nothing_and_is_tried_again(work: Work) -> None:
    class Failing(Counting):
        def __call__(self, work: Work, **inputs: Artifact) -> Result:
            self.calls += 1
            raise ZeroDivisionError

    failing = replace(work, spec=spec(Failing()))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            execute(failing, {})
    assert failing.spec.function.calls == 2  # type: ignore[attr-defined]


def test_seeds_differ_by_step_and_regime_and_not_by_run(work: Work) -> None:
    other_run = replace(work, request=replace(work.request, run_id="run-2"))
    other_step = replace(work, spec=replace(work.spec, name="two"))
    other_regime = replace(work, request=replace(work.request, regime="bear"))
    assert work.seed == other_run.seed
    assert len({work.seed, other_step.seed, other_regime.seed}) == 3
