"""What a feature computation must remember so that later bars can be added to it.

Belongs here: the state of recursions at the end of a frame, its JSON form.  Does not belong
here: the recursions, and where a state is kept.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares_assets.analyst.indicators import Array
from ares_resources.errors import CorruptArtifact

State = dict[str, Array]


@dataclass
class SlowState:
    """Of one slower timeframe: its complete bars so far, recursions, features of the last."""

    rows: int = 0
    recursions: State = field(default_factory=dict)
    last: Array | None = None


@dataclass
class FeatureState:
    """Rows computed so far, the base timeframe's recursions, and the slower timeframes'."""

    rows: int = 0
    recursions: State = field(default_factory=dict)
    slow: dict[str, SlowState] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; floats are spelled in hexadecimal, which is exact."""
        slow = {
            name: {
                "rows": state.rows,
                "recursions": _plain(state.recursions),
                "last": None if state.last is None else _spelled(state.last),
            }
            for name, state in self.slow.items()
        }
        return {"rows": self.rows, "recursions": _plain(self.recursions), "slow": slow}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> FeatureState:
        """The inverse of :meth:`to_json`, bit for bit.

        Raises
        ------
        CorruptArtifact
            If it is not what that writes.
        """
        try:
            slow = {
                name: SlowState(
                    int(state["rows"]),
                    _arrays(state["recursions"]),
                    None if state["last"] is None else _read(state["last"]),
                )
                for name, state in told["slow"].items()
            }
            return cls(int(told["rows"]), _arrays(told["recursions"]), slow)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = json.dumps(told, default=str)[:60]
            raise CorruptArtifact(f"no feature state: {text}: {error}") from error


def _plain(recursions: State) -> dict[str, list[str]]:
    return {name: _spelled(values) for name, values in sorted(recursions.items())}


def _spelled(values: Array) -> list[str]:
    return [float(value).hex() for value in values]


def _arrays(told: Mapping[str, list[str]]) -> State:
    return {name: _read(values) for name, values in told.items()}


def _read(values: list[str]) -> Array:
    return np.array([float.fromhex(value) for value in values], np.float64)
