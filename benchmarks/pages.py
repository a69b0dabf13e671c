"""Results as JSON that reads well in a diff, and tables between the marks of a page.

Belongs here: writing.  Does not belong here: any benchmark's columns.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any


def as_text(results: Any) -> str:
    """JSON with each innermost object, and each list of numbers, on a line of its own."""
    innermost = r"\{[^{}\[\]]*\}|\[[^{}\[\]]*\]"
    text = json.dumps(results, indent=1)
    return re.sub(innermost, lambda found: " ".join(found.group().split()), text) + "\n"


def write_results(path: Path, results: Any) -> None:
    """Replace the file whole, so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(as_text(results), encoding="utf-8")
    os.replace(beside, path)


def with_table(page: str, name: str, table: str) -> str:
    """The page with what stands between the marks of this name replaced.

    Raises
    ------
    ValueError
        If the page does not have both marks, once each.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if page.count(start) != 1 or page.count(end) != 1:
        raise ValueError(f"the page needs {start} and {end} once each")
    before, rest = page.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{table}\n{end}{after}"


def put_table(path: Path, name: str, table: str) -> None:
    """Replace one table of a page in place."""
    path.write_text(with_table(path.read_text(encoding="utf-8"), name, table), encoding="utf-8")
