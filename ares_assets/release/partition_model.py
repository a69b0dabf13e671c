"""One partition's whole model: from bars to decisions, as validated and as served.

Belongs here: the chain features -> analyst -> calibration -> tactician -> trades, with its
files.  Does not belong here: fitting any link of it, and where the files are stored.

Steps 12 to 15 judge this object and step 16 writes it; serving loads the same files, so the
model that was validated is the one that answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import analyst_inputs
from ares_assets.analyst.model import AnalystModel
from ares_assets.evidence.calibrators import Calibrator, calibrator_from_dict
from ares_assets.evidence.conformal import conformal_from_dict
from ares_assets.tactician.model import Signals, TacticianContext, TacticianModel, Votes
from ares_assets.tactician.outcomes import annual_volatility
from ares_assets.tactician.trading import (
    decision_arrays,
    market_arrays,
    sizes_within,
    strategy_parameters,
)
from ares_resources.errors import ObsoleteFormat
from ares_resources.settings import (
    CostSettings,
    FeatureSettings,
    LabelSettings,
    RegimeSettings,
    TacticianSettings,
)
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    from ares_resources.backtesting.results import BacktestPath

_FORMAT = 2
_SETS = ("none", "down", "up", "both")


@dataclass(frozen=True)
class ModelSettings:
    """The settings that serving needs, frozen into the release."""

    timeframe: str
    labels: LabelSettings
    features: FeatureSettings
    regimes: RegimeSettings
    costs: CostSettings
    tactician: TacticianSettings

    @property
    def context(self) -> TacticianContext:
        return TacticianContext(
            self.timeframe, self.labels.horizon_bars, self.costs, self.tactician
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        groups = ("labels", "features", "regimes", "costs", "tactician")
        dumped = {name: getattr(self, name).model_dump(mode="json") for name in groups}
        return {"timeframe": self.timeframe, **dumped}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ModelSettings:
        """The inverse of :meth:`to_json`."""
        return cls(
            timeframe=values["timeframe"],
            labels=LabelSettings.model_validate(values["labels"]),
            features=FeatureSettings.model_validate(values["features"]),
            regimes=RegimeSettings.model_validate(values["regimes"]),
            costs=CostSettings.model_validate(values["costs"]),
            tactician=TacticianSettings.model_validate(values["tactician"]),
        )


@dataclass(frozen=True)
class PartitionModel:
    """Analyst, calibration, tactician and parameters of one regime."""

    regime: str
    settings: ModelSettings
    analyst: AnalystModel
    calibrator: Calibrator
    conformal: Mapping[str, Any]
    tactician: TacticianModel
    parameters: Mapping[str, float]

    def decide(
        self,
        frame: pd.DataFrame,
        features: pd.DataFrame,
        regimes: pd.DataFrame,
        rows: np.ndarray,
        raw: np.ndarray | None = None,
    ) -> pd.DataFrame:
        """Decisions at the close of ``rows``, each from bars up to its own.

        Parameters
        ----------
        frame
            Market frame of n rows.
        features
            Features per row, (n, k).
        regimes
            ``p_bull, p_bear, p_sideways`` per row, filtered, (n, 3).
        rows
            Decision rows in this regime, ascending, (m,).
        raw
            The analyst's probability at ``rows`` where something else than this model's own
            is wanted (out-of-fold in training, a refit in walk-forward), (m,).

        Returns
        -------
        Frame of m rows: ``row``, ``timestamp``, ``raw_probability``, ``probability``
        (calibrated), ``side``, ``take_probability``, ``take``, ``wait``, ``size``,
        ``management`` (what open positions should do: "hold", "reduce_long", "exit_long",
        "reduce_short", "exit_short") and ``prediction_set``: the directions that the
        calibration slice cannot rule out.
        """
        if raw is None:
            raw = self.analyst.probability(analyst_inputs(features, regimes, rows))
        signals = make_signals(frame, rows, raw, self.settings.labels)
        context = self.settings.context
        settled = context.settled(context.label(frame, signals))
        known = context.features(frame, regimes, signals, settled)
        decisions = self.decide_from_votes(
            raw,
            self.tactician.votes(known, self.settings.timeframe),
            signals.spread[rows],
            rows,
            settled,
            calibrated=self.calibrator.predict(raw),
        )
        decisions.insert(1, "timestamp", frame["timestamp"].to_numpy()[rows])
        return decisions

    def decide_from_votes(
        self,
        raw: np.ndarray,
        votes: Votes,
        spread: np.ndarray,
        rows: np.ndarray,
        settled: pd.DataFrame,
        *,
        calibrated: np.ndarray,
    ) -> pd.DataFrame:
        """Decisions from the analyst's probability and the tacticians' votes, (m,) each.

        The votes are the members' own in serving, and out-of-fold ones in the search;
        ``spread`` is the volatility of one bar's return; ``settled`` holds the outcomes of
        earlier signals for the drawdown brake.
        """
        decided = self.tactician.decide(
            raw,
            votes,
            move=spread * np.sqrt(self.settings.labels.horizon_bars),
            yearly_volatility=annual_volatility(spread, self.settings.timeframe),
            settings=self.settings.tactician,
            row=rows,
            settled=settled,
        )
        decided = decided.rename(columns={"probability": "raw_probability"})
        decided.insert(0, "row", rows)
        decided.insert(2, "probability", calibrated)
        sets = conformal_from_dict(self.conformal).predict(calibrated)
        decided["prediction_set"] = np.array(_SETS, dtype=object)[sets @ np.array([1, 2])]
        return decided

    def trade(
        self,
        frame: pd.DataFrame,
        decisions: pd.DataFrame,
        *,
        first_row: int,
        **stress: Any,
    ) -> BacktestPath:
        """Backtest the decisions over the bars from ``first_row`` on, net of all costs.

        ``stress`` goes to :func:`strategy_parameters` (``cost_multiple``,
        ``extra_latency_bars``).
        """
        from ares_resources.backtesting.engine import backtest_path

        market = market_arrays(frame, timeframe_ms(self.settings.timeframe))
        delay = self.settings.tactician.delay_bars
        arrays = decision_arrays(decisions, len(frame), delay_bars=delay)
        parameters = strategy_parameters(
            self.parameters,
            horizon_bars=self.settings.labels.horizon_bars,
            costs=self.settings.costs,
            **stress,
        )
        rows = market.rows(first_row, len(frame))
        probability, size, management = (values[first_row:] for values in arrays)
        most = self.settings.tactician.maximum_position
        size = sizes_within(size, self.parameters, maximum_position=most)
        return backtest_path(rows, probability, size, parameters, management)

    def to_files(self) -> dict[str, Any]:
        """Everything inference needs, in native formats; JSON-able values for ``.json`` names."""
        return {
            **self.analyst.to_files(),
            **self.tactician.to_files(),
            "calibration.json": {
                "calibrator": self.calibrator.to_dict(),
                "conformal": dict(self.conformal),
            },
            "model.json": {
                "format": _FORMAT,
                "regime": self.regime,
                "settings": self.settings.to_json(),
                "parameters": dict(self.parameters),
                "features": self.analyst.feature_names(),
            },
        }

    @classmethod
    def from_files(cls, files: Mapping[str, Any]) -> PartitionModel:
        """The inverse of :meth:`to_files`; hashes are checked by whoever read the files.

        Raises
        ------
        ObsoleteFormat
            If another version of Ares, whose models had other parts, wrote the files.
        """
        described, calibration = files["model.json"], files["calibration.json"]
        if described["format"] != _FORMAT:
            raise ObsoleteFormat(
                f"model.json has format {described['format']!r}; this Ares reads {_FORMAT}: "
                "train the partition anew"
            )
        return cls(
            regime=described["regime"],
            settings=ModelSettings.from_json(described["settings"]),
            analyst=AnalystModel.from_files(files),
            calibrator=calibrator_from_dict(calibration["calibrator"]),
            conformal=calibration["conformal"],
            tactician=TacticianModel.from_files(files),
            parameters=described["parameters"],
        )


def make_signals(
    frame: pd.DataFrame, rows: np.ndarray, probability: np.ndarray, labels: LabelSettings
) -> Signals:
    """The analyst's signals with barriers scaled by the volatility known at each."""
    from ares_assets.analyst.labels import volatility

    spread = volatility(frame["close"].to_numpy(), labels.volatility_halflife_bars)
    scale = spread[rows] * np.sqrt(labels.horizon_bars)
    return Signals(
        row=rows,
        probability=probability,
        upper_width=labels.upper_width * scale,
        lower_width=labels.lower_width * scale,
        spread=spread,
    )


def decision_rows(
    frame: pd.DataFrame, rows: np.ndarray, labels: LabelSettings, timeframe: str
) -> np.ndarray:
    """Those of a regime's rows at whose close a decision can be taken: on the event grid,
    with a known volatility."""
    from ares_assets.analyst.labels import sample_events, volatility

    chosen = sample_events(
        frame["timestamp"].to_numpy(),
        rows,
        every_bars=labels.event_every_bars,
        timeframe_ms=timeframe_ms(timeframe),
    )
    spread = volatility(frame["close"].to_numpy(), labels.volatility_halflife_bars)
    return chosen[spread[chosen] > 0]
