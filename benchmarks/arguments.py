"""What the benchmarks' commands take: numbers within bounds, days, files that can be used.

Belongs here: argparse types; a wrong value is one line and exit code 2, before any work.  Does
not belong here: any command's own options.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from datetime import date
from pathlib import Path

LARGEST_SEED = 2**31


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number from ``least`` to ``most``."""

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} must be a whole number from {least:,} to {most:,}"
            )
        return value

    return number


def real(above: float, most: float) -> Callable[[str], float]:
    """A finite number above ``above``, at most ``most``."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not above < value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r} must be a number above {above:g}, at most {most:g}"
            )
        return value

    return number


def day(text: str) -> str:
    """A day as ``2023-07-01``."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be a day such as 2023-07-01") from None


def page(text: str) -> Path:
    """A page that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"no page {text!r}")
    return Path(text)


def results(*needed: str) -> Callable[[str], Path]:
    """A file to write results into; where it is there, it holds results with these names."""

    def file(text: str) -> Path:
        path = Path(text)
        if path.is_dir():
            raise argparse.ArgumentTypeError(f"{text!r} is a folder, not a file")
        if path.exists():
            _check(path, needed)
        return path

    return file


def _check(path: Path, needed: tuple[str, ...]) -> None:
    advice = "move it away, or name another"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{str(path)!r}: {error}; {advice}") from None
    if not isinstance(held, dict) or not set(needed) <= held.keys():
        wanted = ", ".join(needed) or "named results"
        raise argparse.ArgumentTypeError(f"{str(path)!r} does not hold {wanted}; {advice}")


def add_seeds(parser: argparse.ArgumentParser, *, first: int | None, count: int) -> None:
    """``--seeds``, and ``--first-seed`` unless the first is always 1."""
    parser.add_argument(
        "--seeds", type=whole(1, 10_000), default=count, help="how many markets, one a seed"
    )
    if first is not None:
        parser.add_argument("--first-seed", type=whole(0, LARGEST_SEED), default=first)


def add_results(parser: argparse.ArgumentParser, *continued: str) -> None:
    """``--out`` and ``--page``; a file that is there must hold ``continued``, to go on from."""
    told = "keep the results as JSON here, and go on from there" if continued else ""
    parser.add_argument(
        "--out", type=results(*continued), help=told or "write the results as JSON here"
    )
    parser.add_argument(
        "--page", type=page, help="replace the table between the marks of this page"
    )
