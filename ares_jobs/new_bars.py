"""What is new of a symbol: bars that no training has seen.

Belongs here: where the last training ended, and what exchange or catalogue have beyond it.  Does
not belong here: whether they are enough to train on (``schedules.py``, ``retrain.py``), and
collecting them (step 1).
"""

from __future__ import annotations

from dataclasses import dataclass

from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import grid_floor, timeframe_ms

_FIRST_LOOK_BARS = 500
# A look at the exchange happens inside a tick, which Dagster cuts off after a minute.
_BRIEFLY = {"request_timeout_seconds": 5.0, "deadline_seconds": 10.0, "max_retries": 1}


@dataclass(frozen=True)
class NewBars:
    """Bars that no training has seen: up to where, and whether the exchange has to be asked.

    ``end_ms`` is the close of the last of them; ``own_clock`` says that it is where the
    exchange's own clock stands (SIM), so that a run need not be told.
    """

    end_ms: int
    offline: bool
    own_clock: bool = False

    @property
    def as_of_ms(self) -> int | None:
        """What a run has to be told; None where the exchange's own clock decides."""
        return None if self.own_clock else self.end_ms


def new_bars(
    name: str,
    settings: Settings,
    home: Home,
    *,
    after_ms: int | None = None,
    offline: bool = False,
) -> NewBars | str:
    """What is new of a symbol since its last training in the settings' mode, or why nothing is.

    ``after_ms`` takes the place of where that training ended.  The exchange is asked first,
    unless ``offline``; out of reach, the catalogue's own bars decide.
    """
    try:
        symbol = SymbolKey.parse(name)
    except BadInput as error:
        return str(error)
    trained_to = _trained_to(symbol, settings, home) if after_ms is None else after_ms
    asked = not offline or symbol.exchange == "SIM"
    try:
        end = _exchange_has(symbol, settings, home, trained_to) if asked else None
        missed = "its exchange has no newer bar" if asked else "offline: the catalogue has none"
    except (ExchangeUnavailable, BadInput) as error:
        end, missed = None, " ".join(str(error).split())
    if end is not None:
        return NewBars(end, offline=False, own_clock=symbol.exchange == "SIM")
    if symbol.exchange == "SIM":
        return f"no new bars ({missed})"
    held = _catalogue_end(symbol, settings, home)
    if held is not None and (trained_to is None or held > trained_to):
        return NewBars(held, offline=True)
    return f"no new bars ({missed})"


def _trained_to(symbol: SymbolKey, settings: Settings, home: Home) -> int | None:
    """Close of the last bar that the latest training of this mode collected, milliseconds."""
    from ares_resources.storage.artifacts import ArtifactStore, Place

    store = ArtifactStore(home.artifacts, home.runs)
    place = Place("market_data", symbol.folder, None)
    artifact = store.pointed(place, run_id=None, mode=settings.mode)
    if artifact is None or artifact.metadata.get("timeframe") != settings.data.timeframe:
        return None
    return int(artifact.metadata["window_end_ms"])


def _exchange_has(
    symbol: SymbolKey, settings: Settings, home: Home, after_ms: int | None
) -> int | None:
    """Where the exchange's closed bars end, if there are any from ``after_ms`` on."""
    from ares_resources.exchanges.registry import open_exchange

    step = timeframe_ms(settings.data.timeframe)
    data = settings.data.model_copy(update=_BRIEFLY)
    exchange = open_exchange(symbol.exchange, settings=data, home=home)
    exchange.check_symbol(symbol.instrument)
    end = grid_floor(exchange.now_ms(), step)
    start = end - _FIRST_LOOK_BARS * step if after_ms is None else after_ms
    if start >= end:
        return None
    pages = exchange.bars(symbol.instrument, settings.data.timeframe, start, end)
    return end if any(len(page) > 0 for page in pages) else None


def _catalogue_end(symbol: SymbolKey, settings: Settings, home: Home) -> int | None:
    from ares_resources.storage.catalogue import Catalogue, Series

    series = Series(symbol, "bars", settings.data.timeframe)
    coverage = Catalogue(home.catalogue).coverage(series)
    return None if coverage is None else coverage.last_ms + series.step_ms
