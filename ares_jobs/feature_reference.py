"""Writes ``docs/features.md`` from the feature table, so that the two cannot differ.

Belongs here: the command.  Does not belong here: the page (``feature_documentation.py``).
"""

from __future__ import annotations

import sys
from pathlib import Path

from ares_assets.analyst.feature_documentation import page

if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/features.md").write_text(page())
