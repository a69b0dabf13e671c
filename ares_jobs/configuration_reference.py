"""Writes ``docs/configuration.md`` from the settings tree, so that the two cannot differ.

Belongs here: the page.  Does not belong here: any setting.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from pathlib import Path

from pydantic import BaseModel

from ares_resources.settings import Settings

_HEAD = """# Configuration

Made from `ares_resources/settings.py` by `python -m ares_jobs.configuration_reference`; a test
fails where the two differ.

{notes}

| key | default | what it is |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return _HEAD.format(notes="\n\n".join(_notes())) + "\n".join(_rows(Settings, "")) + "\n"


def _notes() -> list[str]:
    """What the groups say beyond their first line: what cannot be set, and why."""
    notes = []
    for name, field in Settings.model_fields.items():
        _, _, more = inspect.cleandoc(getattr(field.annotation, "__doc__", None) or "").partition(
            "\n\n"
        )
        if more and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            notes.append(textwrap.fill(f"`{name}`: {' '.join(more.split())}", 100))
    return notes


def _rows(group: type[BaseModel], path: str) -> list[str]:
    rows = []
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            rows += _rows(inner, f"{path}{name}.")
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
            shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
            rows.append(f"| `{path}{name}` | `{shown}` | {field.description or ''} |")
    return rows


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/configuration.md").write_text(page())
