"""Hyperparameters of an expert: one table gives defaults, search space and allowed range.

Belongs here: the table's row and what is read off it.  Does not belong here: the tables
themselves, which stand beside their learners.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True, kw_only=True)
class ParameterRange:
    """A hyperparameter: its default, and the closed range that is searched and allowed."""

    default: float | int
    low: float | int
    high: float | int
    log: bool = False

    @property
    def integer(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.default, int)


ParameterTable: TypeAlias = Mapping[str, ParameterRange]


class WithTable:
    """The part of an `Expert` that follows from its table of hyperparameters."""

    kind: ClassVar[str]
    table: ClassVar[ParameterTable]

    def default_parameters(self) -> dict[str, float | int]:
        """See `Expert.default_parameters`."""
        return {name: entry.default for name, entry in self.table.items()}

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, float | int]:
        """See `Expert.suggest`."""
        return suggest_parameters(trial, self.kind, self.table)

    def completed(self, given: Mapping[str, float | int]) -> dict[str, float | int]:
        """The defaults overlaid with what is given; BadInput for what the table does not allow."""
        return complete_parameters(self.kind, self.table, given)


def suggest_parameters(
    trial: optuna.trial.BaseTrial, kind: str, table: ParameterTable
) -> dict[str, float | int]:
    """Ask the trial for every parameter under the name `<kind>.<parameter>`."""
    suggested: dict[str, float | int] = {}
    for name, entry in table.items():
        ask = trial.suggest_int if entry.integer else trial.suggest_float
        low, high = entry.low, entry.high
        suggested[name] = ask(f"{kind}.{name}", low, high, log=entry.log)  # type: ignore[arg-type, operator]
    return suggested


def complete_parameters(
    kind: str, table: ParameterTable, given: Mapping[str, float | int]
) -> dict[str, float | int]:
    """The defaults overlaid with what is given, in the table's order.

    Raises
    ------
    BadInput
        A name is not in the table, or a value is not a number inside its range.
    """
    for name in given:
        if name not in table:
            near = difflib.get_close_matches(str(name), list(table), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(table)}"
            raise BadInput(f"{kind} expert: unknown parameter {name!r}; {hint}")
    return {
        name: _checked(kind, name, entry, given.get(name, entry.default))
        for name, entry in table.items()
    }


def _checked(kind: str, name: str, entry: ParameterRange, value: float | int) -> float | int:
    allowed = f"allowed: {entry.low}..{entry.high}" + (", whole" if entry.integer else "")
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not entry.low <= value <= entry.high:
        raise BadInput(f"{kind} expert: parameter {name} = {value!r}; {allowed}")
    if entry.integer and value != int(value):
        raise BadInput(f"{kind} expert: parameter {name} = {value!r}; {allowed}")
    return int(value) if entry.integer else float(value)
