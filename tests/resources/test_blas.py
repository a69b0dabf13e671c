"""BLAS is held to one thread where steps and checks work, and is free again after."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.linalg  # noqa: F401
from threadpoolctl import threadpool_info, threadpool_limits

from ares_assets import engine
from ares_assets.engine import Result
from ares_resources.blas import one_blas_thread


def _threads() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


def test_blas_is_limited_and_let_go() -> None:
    assert np.dot([1.0], [1.0]) == 1.0
    with threadpool_limits(2, user_api="blas"):
        with one_blas_thread():
            assert _threads() == {1}
            with threadpool_limits(2, user_api="blas"):
                assert _threads() == {2}
        assert _threads() == {2}


def test_a_step_computes_with_one(monkeypatch: Any) -> None:
    seen: list[set[int]] = []

    def function(work: Any) -> Result:
        seen.append(_threads())
        return Result({"a": 1}, {})

    from contextlib import nullcontext

    memory = SimpleNamespace(watching=lambda _: nullcontext(), figures=dict)
    store = SimpleNamespace(publish=lambda *_, **__: "stored", prune=lambda *_, **__: None)
    work = SimpleNamespace(
        spec=SimpleNamespace(name="one", function=function, kind="report"),
        memory=memory,
        workspace=SimpleNamespace(store=store),
        place=None,
    )
    with threadpool_limits(2, user_api="blas"):
        assert engine._compute(work, "key", {}) == "stored"  # type: ignore[arg-type, comparison-overlap]
    assert seen == [{1}]
