"""A released bundle as it is served: regimes, features and model from bars alone.

Belongs here: bars in, signals out, from a bundle's files.  Does not belong here: finding
bundles, and routing between regimes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.features import compute_features
from ares_assets.market.classification import decode
from ares_assets.release.partition_model import PartitionModel, decision_rows
from ares_resources.storage.codecs import to_json_bytes

REGIMES_FILE = "regimes.json"
# Whatever else a bundle holds is an expert's native file, which its own loader reads.
_DESCRIPTIONS = {
    "analyst.json",
    "calibration.json",
    "model.json",
    REGIMES_FILE,
    "tactician.json",
}


@dataclass(frozen=True)
class ServedModel:
    """One regime's model with the regime classifier that routes to it."""

    model: PartitionModel
    regimes: Mapping[str, Any]

    def signals(
        self, frame: pd.DataFrame, *, first_row: int = 0, history_row: int | None = None
    ) -> pd.DataFrame:
        """Decisions at every decision bar of this regime from ``first_row`` on.

        The model remembers how its earlier signals ended; its memory starts at
        ``history_row`` (default: ``first_row``), so the first signals after it stand alone.

        ``frame`` is a market frame whose earlier rows warm the indicators up; the columns are
        those of :meth:`PartitionModel.decide`.
        """
        settings = self.model.settings
        decided = decode(frame, self.regimes, settings.regimes)
        features = compute_features(frame, timeframe=settings.timeframe, settings=settings.features)
        start = first_row if history_row is None else history_row
        inside = np.flatnonzero(decided["regime"].to_numpy() == self.model.regime)
        rows = decision_rows(frame, inside[inside >= start], settings.labels, settings.timeframe)
        decisions = self.model.decide(frame, features, decided, rows)
        return decisions[decisions["row"] >= first_row].reset_index(drop=True)

    def trade(self, frame: pd.DataFrame, *, first_row: int, history_row: int) -> Any:
        """Backtest of the signals from ``first_row`` on."""
        signals = self.signals(frame, first_row=first_row, history_row=history_row)
        return self.model.trade(frame, signals, first_row=first_row)

    def to_files(self) -> dict[str, bytes]:
        """The inference-only bundle: native model files and canonical JSON, as bytes."""
        files = {**self.model.to_files(), REGIMES_FILE: dict(self.regimes)}
        return {
            name: value if isinstance(value, bytes) else to_json_bytes(value)
            for name, value in sorted(files.items())
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> ServedModel:
        """The inverse of :meth:`to_files`; hashes are checked by whoever read the files."""
        read: dict[str, Any] = {
            name: json.loads(data) if name in _DESCRIPTIONS else data
            for name, data in files.items()
        }
        return cls(PartitionModel.from_files(read), read[REGIMES_FILE])
