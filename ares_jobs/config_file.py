"""A YAML file of settings, read so that nothing in it is lost without a word.

Belongs here: reading the file into a tree.  Does not belong here: what the settings may be
(``ares_resources/settings.py``), and options that stand over them (``cli_request.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ares_resources.errors import BadInput
from ares_resources.settings_trees import shown


def read_config(path: Path | None) -> dict[str, Any]:
    """The tree of a YAML file; empty without one.

    Raises
    ------
    BadInput
        If the file is missing, a folder, unreadable, not YAML, holds no mapping, or names a key
        twice, of which YAML would silently take the last.
    """
    if path is None:
        return {}
    if not path.is_file():
        raise BadInput(f"--config {str(path)!r} is not a file; allowed: a YAML file of settings")
    try:
        tree = _parsed(path.read_text(encoding="utf-8"), path)
    except OSError as error:
        raise BadInput(f"--config {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"--config {str(path)!r} is not YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadInput(f"--config {str(path)!r} holds {type(tree).__name__}; allowed: a mapping")
    return tree


def _parsed(text: str, path: Path) -> Any:
    import yaml

    try:
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_once(root, path)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except RecursionError:
        raise BadInput(f"--config {str(path)!r} is nested deeper than any setting") from None
    except (yaml.YAMLError, ValueError) as error:  # a date or number that there is not
        told = " ".join(str(error).split())
        raise BadInput(f"--config {str(path)!r} is not YAML: {told}") from None


def _check_once(root: Any, path: Path) -> None:
    """Refuse a key that stands twice in one mapping; before YAML's ``<<`` brings in others."""
    import yaml

    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _check_keys(node, path)
            waiting += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _check_keys(mapping: Any, path: Path) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key.value, str):
            continue
        name, line = (key.tag, key.value), key.start_mark.line + 1
        if name in lines:
            raise BadInput(
                f"--config {str(path)!r}: key {shown(key.value)} stands twice, in line "
                f"{lines[name]} and in line {line}; allowed: once"
            )
        lines[name] = line
