"""One regime's tactician as it is released: members, rule, payoffs, timing.

Belongs here: what steps 9-10 produce and steps 12-16 use, with its files.
Does not belong here: training (``specialists.py``, ``timing.py``) and weights
(``tactician_ensemble.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_assets.tactician.constant_expert import load_tactician_expert
from ares_assets.tactician.coordination import against_trade
from ares_assets.tactician.decisions import decide
from ares_assets.tactician.meta_labels import meta_labels, side_of
from ares_assets.tactician.multi_timeframe import ascending_timeframes, timeframe_context
from ares_assets.tactician.sizing import braked_sizes
from ares_assets.tactician.tactician_features import tactician_features
from ares_resources.settings import CostSettings, TacticianSettings
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import FittedExpert


_NEVER = 2**62


@dataclass(frozen=True)
class Signals:
    """The analyst's signals at some rows, and what the tactician may know beside them.

    ``row`` ascending (n,), ``probability`` of a rise (n,), widths of the barriers as
    fractions (n,); ``spread`` the volatility of one bar's return for every row of the frame.
    """

    row: np.ndarray
    probability: np.ndarray
    upper_width: np.ndarray
    lower_width: np.ndarray
    spread: np.ndarray


@dataclass(frozen=True)
class Votes:
    """What members and rules say about (n,) signals.

    ``take`` maps members to take probabilities; ``wait`` (probability) and ``against`` (bool,
    the slowest timeframe's trend is against the trade) are None where no rule asks for them.
    """

    take: Mapping[str, np.ndarray]
    wait: np.ndarray | None
    against: np.ndarray | None


@dataclass(frozen=True)
class TacticianContext:
    """What labels and features of signals are made with, the same in training and serving."""

    timeframe: str
    horizon_bars: int
    costs: CostSettings
    settings: TacticianSettings

    @property
    def reach(self) -> int:
        """Rows after a decision at which its outcome is settled, however it ends.

        Missing bars can only make the rows of a holding fewer than this.
        """
        return self.costs.latency_bars + self.settings.delay_bars + self.horizon_bars - 1

    def settled(self, labels: pd.DataFrame) -> pd.DataFrame:
        """Outcomes as later decisions may know them: each only once its whole window passed.

        A trade that ends early is known early, but then the bars that follow a decision would
        say which earlier trades it may count; so all of them wait alike.
        """
        known = labels["row"] + self.reach
        return labels.assign(t1_row=known, exit_row=known)

    def label(self, frame: pd.DataFrame, signals: Signals) -> pd.DataFrame:
        """Outcomes of the signals whose outcome is known by the frame's end."""
        return meta_labels(
            frame,
            pd.DataFrame({"row": signals.row, "t1_row": signals.row}),
            signals.probability,
            upper_width=signals.upper_width,
            lower_width=signals.lower_width,
            horizon_bars=self.horizon_bars,
            timeframe_ms=timeframe_ms(self.timeframe),
            costs=self.costs,
            delay_bars=self.settings.delay_bars,
        )

    def features(
        self, frame: pd.DataFrame, regimes: pd.DataFrame, signals: Signals, closed: pd.DataFrame
    ) -> dict[str, pd.DataFrame]:
        """Features of every signal by timeframe; the base one has no context beside it.

        ``closed`` are outcomes as :meth:`settled` gives them.
        """
        base = tactician_features(
            frame,
            signals.row,
            signals.probability,
            regime_probability=regimes,
            volatility=signals.spread * np.sqrt(self.horizon_bars),
            closed=closed,
            costs=self.costs,
            base_timeframe=self.timeframe,
        )
        side = side_of(signals.probability)
        found = {self.timeframe: base}
        for slower in ascending_timeframes(self.timeframe, self.settings.timeframes):
            context = timeframe_context(
                frame, signals.row, side, base_timeframe=self.timeframe, timeframe=slower
            )
            found[slower] = pd.concat([base, context], axis=1)
        return found


@dataclass(frozen=True)
class TacticianModel:
    """Members by name with the timeframe each reads, and the rule's parameters as JSON."""

    members: Mapping[str, FittedExpert]
    timeframes: Mapping[str, str]
    parameters: Mapping[str, Any]
    wait: FittedExpert | None

    def votes(self, features: Mapping[str, pd.DataFrame], timeframe: str) -> Votes:
        """What the members say, and what the rules that were kept ask for beside it."""
        rule = self.parameters["coordination"]
        return Votes(
            take={
                name: member.probability(features[self.timeframes[name]])
                for name, member in sorted(self.members.items())
            },
            wait=None if self.wait is None else self.wait.probability(features[timeframe]),
            against=against_trade(features, rule["timeframe"]) if rule["kept"] else None,
        )

    def decide(
        self,
        probability: np.ndarray,
        votes: Votes,
        *,
        move: np.ndarray,
        yearly_volatility: np.ndarray,
        settings: TacticianSettings,
        row: np.ndarray,
        settled: pd.DataFrame,
    ) -> pd.DataFrame:
        """What is decided for (n,) signals in time order; see ``decisions.decide``.

        The drawdown brake follows the account that these decisions would have made, one position
        at a time, by the outcomes in ``settled`` (``row, net_return, exit_row``): entered at
        once and held to a barrier, whether or not the signal waits or is managed.
        """
        decided = decide(
            probability,
            votes.take,
            self.parameters,
            wait_probability=votes.wait,
            against=votes.against,
            move=move,
            annual_volatility=yearly_volatility,
            drawdown=0.0,
            settings=settings,
        )
        known = settled.set_index("row").reindex(row)
        decided["size"] = braked_sizes(
            decided["size"].to_numpy(),
            known["net_return"].fillna(0.0).to_numpy(),
            row,
            known["exit_row"].fillna(_NEVER).to_numpy(np.int64),
            brake=settings.drawdown_brake,
        )
        return decided

    def to_files(self) -> dict[str, Any]:
        """Native files of every member, prefixed by its name, and ``tactician.json``."""
        files: dict[str, Any] = {}
        for name, member in sorted(self.members.items()):
            files |= {f"take-{name}-{file}": data for file, data in member.to_files().items()}
        if self.wait is not None:
            files |= {f"wait-{file}": data for file, data in self.wait.to_files().items()}
        files["tactician.json"] = {
            "members": {
                name: {"kind": member.kind, "timeframe": self.timeframes[name]}
                for name, member in sorted(self.members.items())
            },
            "wait": None if self.wait is None else self.wait.kind,
            "parameters": dict(self.parameters),
        }
        return files

    @classmethod
    def from_files(cls, files: Mapping[str, Any]) -> TacticianModel:
        """The inverse of :meth:`to_files`."""
        described = files["tactician.json"]
        members = {
            name: load_tactician_expert(member["kind"], _below(files, f"take-{name}-"))
            for name, member in described["members"].items()
        }
        timeframes = {name: m["timeframe"] for name, m in described["members"].items()}
        wait = described["wait"]
        waiting = None if wait is None else load_tactician_expert(wait, _below(files, "wait-"))
        return cls(members, timeframes, described["parameters"], waiting)


def _below(files: Mapping[str, Any], prefix: str) -> dict[str, bytes]:
    return {name[len(prefix) :]: data for name, data in files.items() if name.startswith(prefix)}
