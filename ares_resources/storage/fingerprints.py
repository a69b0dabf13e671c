"""Content hashes of frames: equal rows give equal fingerprints, wherever they rest.

Belongs here: hashing what rows say.  Does not belong here: hashes of files
(:mod:`ares_resources.storage.atomic`), and bitwise hashes of frames and keys of parameters
(:mod:`ares_resources.fingerprints`, :mod:`ares_resources.hashing`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def rows_fingerprint(rows: Mapping[str, np.ndarray]) -> str:
    """XXH3-128 over names, dtypes and values, hexadecimal; NaN and -0.0 have one spelling each.

    ``rows`` are numeric columns of equal length, at least one.
    """
    import xxhash

    digest = xxhash.xxh3_128()
    digest.update(f"{len(next(iter(rows.values())))};".encode())
    for name, column in rows.items():
        values = np.ascontiguousarray(column)
        digest.update(f"{name}:{values.dtype.str};".encode())
        digest.update(_canonical(values).data)
    return digest.hexdigest()


def joined_fingerprint(*parts: str) -> str:
    """One fingerprint for several, in their order."""
    import xxhash

    return xxhash.xxh3_128("|".join(parts).encode()).hexdigest()


def _canonical(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind != "f":
        return values
    values = values + 0.0
    unknown = np.isnan(values)
    if unknown.any():
        values[unknown] = np.nan
    return values
