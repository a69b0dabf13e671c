"""Blocks of CSV that hold nothing but plain decimal numbers, parsed by a compiled kernel.

Belongs here: what the kernel needs besides the text, and its results as Arrow tables.  Does
not belong here: blocks of any other kind (:mod:`ares_resources.streaming` gives them to the
library).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PlainNumbers:
    """Which columns of a line are wanted, and as what.

    ``kinds`` and ``places`` are the kernel's; ``wanted`` are name, whether whole, and place.
    """

    kinds: np.ndarray
    places: np.ndarray
    wanted: tuple[tuple[str, bool, int], ...]
    delimiter: int

    @classmethod
    def of(cls, names: Sequence[str], schema: pa.Schema, delimiter: str) -> PlainNumbers | None:
        """The plan for the columns of ``schema``; None unless all are int64 or float64."""
        import pyarrow as pa

        from ares_resources.csv_kernel import DECIMAL, SKIP, WHOLE

        kinds = np.full(len(names), SKIP, dtype=np.int64)
        places = np.zeros(len(names), dtype=np.int64)
        counts, wanted = {True: 0, False: 0}, []
        for field in schema:
            if field.type not in (pa.int64(), pa.float64()):
                return None
            is_whole = field.type == pa.int64()
            column = list(names).index(field.name)
            kinds[column], places[column] = (WHOLE if is_whole else DECIMAL), counts[is_whole]
            wanted.append((field.name, is_whole, counts[is_whole]))
            counts[is_whole] += 1
        return cls(kinds, places, tuple(wanted), ord(delimiter))

    def parse(self, block: memoryview) -> pa.Table | None:
        """The rows of whole lines; None if there is anything but plain numbers among them."""
        import pyarrow as pa

        from ares_resources.csv_kernel import POWERS_OF_TEN, parse_decimals

        if not len(block) or block[-1] != ord("\n"):
            return None
        text = np.frombuffer(block, dtype=np.uint8)
        lines = int(np.count_nonzero(text == ord("\n")))
        whole_columns = sum(is_whole for _, is_whole, _ in self.wanted)
        whole = np.empty((whole_columns, lines), dtype=np.int64)
        decimal = np.empty((len(self.wanted) - whole_columns, lines))
        rows = parse_decimals(
            text, self.delimiter, self.kinds, self.places, whole, decimal, POWERS_OF_TEN
        )
        if rows < 0:
            return None
        return pa.table(
            {
                name: pa.array((whole if is_whole else decimal)[place, :rows])
                for name, is_whole, place in self.wanted
            }
        )
