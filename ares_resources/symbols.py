"""How a symbol is named: ``INSTRUMENT.EXCHANGE``, and how that becomes a folder.

Belongs here: parsing, allow-listing and the reversible path spelling of symbols.
Does not belong here: whether an exchange trades the instrument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ares_resources.errors import BadInput

_INSTRUMENT = re.compile(r"[A-Z0-9][A-Z0-9_/:\-]{0,39}")
_EXCHANGE = re.compile(r"[A-Z0-9][A-Z0-9_]{0,19}")
_ESCAPES = {"/": "~s", ":": "~c"}
_ALLOWED = "1 to 40 of A-Z 0-9 _ - / : (starting with a letter or digit)"


@dataclass(frozen=True, order=True)
class SymbolKey:
    """An instrument on an exchange; ``str()`` gives the partition key."""

    instrument: str
    exchange: str

    def __post_init__(self) -> None:
        if not _INSTRUMENT.fullmatch(self.instrument):
            instead = _in_capitals(self.instrument, _INSTRUMENT)
            raise BadInput(
                f"symbol {_shown(self.instrument)} is not usable; allowed: {instead}{_ALLOWED}"
            )
        if not _EXCHANGE.fullmatch(self.exchange):
            instead = _in_capitals(self.exchange, _EXCHANGE)
            raise BadInput(
                f"exchange {_shown(self.exchange)} is not usable; "
                f"allowed: {instead}1 to 20 of A-Z 0-9 _"
            )

    @classmethod
    def parse(cls, text: str) -> SymbolKey:
        """Read ``ETHUSDT.BINANCE``.

        Raises
        ------
        BadInput
            If there is no dot, or either part is not allow-listed.
        """
        instrument, dot, exchange = text.rpartition(".")
        if not dot:
            raise BadInput(f"symbol key {_shown(text)} is not like ETHUSDT.BINANCE")
        return cls(instrument, exchange)

    @classmethod
    def from_folder(cls, folder: str) -> SymbolKey:
        """The inverse of :attr:`folder`."""
        for plain, escaped in _ESCAPES.items():
            folder = folder.replace(escaped, plain)
        return cls.parse(folder)

    @property
    def folder(self) -> str:
        """One path-safe folder name; different symbols never share one."""
        text = str(self)
        for plain, escaped in _ESCAPES.items():
            text = text.replace(plain, escaped)
        return text

    def __str__(self) -> str:
        return f"{self.instrument}.{self.exchange}"


def _in_capitals(text: str, allowed: re.Pattern[str]) -> str:
    """What was probably meant, where only the case is wrong."""
    return f"{text.upper()!r}, that is " if allowed.fullmatch(text.upper()) else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
