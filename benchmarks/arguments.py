"""What the benchmarks' commands take: numbers within bounds, days, files that can be used.

Belongs here: argparse types; a wrong value is one line and exit code 2, before any work.  Does
not belong here: any command's own options.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.pages import with_table

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


def page(mark: str) -> Callable[[str], Path]:
    """A page that can be written and has both marks of this name, once each."""

    def file(text: str) -> Path:
        path = Path(text)
        if not path.is_file():
            raise argparse.ArgumentTypeError(f"no page {text!r}")
        try:
            with_table(path.read_text(encoding="utf-8"), mark, "")
        except (OSError, ValueError) as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
        if not os.access(path, os.W_OK):
            raise argparse.ArgumentTypeError(f"{text!r} may not be written")
        return path

    return file


def folder(text: str) -> Path:
    """A folder that is there and can be written into, or can be made."""
    path = Path(text)
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r}: {str(there)!r} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"{text!r}: folder {str(there)!r} may not be written")
    return path


def output(text: str) -> Path:
    """A file that can be written, there or not."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder, not a file")
    folder(str(path.parent))
    return path


def picture(text: str) -> Path:
    """A file that a picture can be written into."""
    if Path(text).suffix != ".png":
        raise argparse.ArgumentTypeError(f"{text!r} must end with .png")
    return output(text)


def results(*wrong: Callable[[dict[str, Any]], str | None]) -> Callable[[str], Path]:
    """A file to write results into; where it is there, each of ``wrong`` finds nothing amiss.

    What is amiss is told in words that go on after the file's name.
    """

    def file(text: str) -> Path:
        path = output(text)
        if path.exists():
            _check(path, wrong)
        return path

    return file


def of_command(prog: str) -> Callable[[dict[str, Any]], str | None]:
    """Results that this very command has written."""

    def wrong(held: dict[str, Any]) -> str | None:
        told = held.get("command")
        if isinstance(told, str) and told.split()[:3] == prog.split():
            return None
        return f"does not hold results of {prog}"

    return wrong


def holding(name: str, kind: type, *each: str) -> Callable[[dict[str, Any]], str | None]:
    """A list or a dict under ``name`` ("" is the whole file) whose members all have ``each``."""

    def wrong(held: dict[str, Any]) -> str | None:
        group = held.get(name) if name else held
        if not isinstance(group, kind):
            return f"does not hold {name}, a {kind.__name__}"
        members = group.values() if isinstance(group, dict) else group
        if all(isinstance(one, dict) and set(each) <= one.keys() for one in members):
            return None
        return f"holds {name or 'results'} without {', '.join(each) or 'names'}"

    return wrong


def only(*names: str) -> Callable[[dict[str, Any]], str | None]:
    """Results with none but these names."""

    def wrong(held: dict[str, Any]) -> str | None:
        others = sorted(held.keys() - set(names))
        return f"holds {', '.join(others)}, not {' or '.join(names)}" if others else None

    return wrong


def _check(path: Path, wrong: Iterable[Callable[[dict[str, Any]], str | None]]) -> None:
    advice = "move it away, or name another"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{str(path)!r}: {error}; {advice}") from None
    if not isinstance(held, dict):
        raise argparse.ArgumentTypeError(f"{str(path)!r} does not hold named results; {advice}")
    for finds in wrong:
        if told := finds(held):
            raise argparse.ArgumentTypeError(f"{str(path)!r} {told}; {advice}")


def add_seeds(parser: argparse.ArgumentParser, *, first: int | None, count: int) -> None:
    """``--seeds``, and ``--first-seed`` unless the first is always 1."""
    parser.add_argument(
        "--seeds", type=whole(1, 10_000), default=count, help="how many markets, one a seed"
    )
    if first is not None:
        parser.add_argument("--first-seed", type=whole(0, LARGEST_SEED), default=first)


def add_results(parser: argparse.ArgumentParser, *continued: str, mark: str) -> None:
    """``--out`` and ``--page``, which has this mark.

    A file that is there must be of the parser's command, with the lists ``continued`` to go on
    from.
    """
    told = "keep the results as JSON here, and go on from there" if continued else ""
    known = [of_command(parser.prog), *(holding(name, list) for name in continued)]
    parser.add_argument(
        "--out", type=results(*known), help=told or "write the results as JSON here"
    )
    parser.add_argument(
        "--page", type=page(mark), help="replace the table between the marks of this page"
    )
