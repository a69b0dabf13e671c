"""Dagster resources over plain objects: the workspace with the run's request.

Belongs here: reading run tags and run config, and handing out the objects behind them.
Does not belong here: what those objects do.

The mode is a run tag, since run config on a partitioned job is ignored by
``dagster job execute``; point in time, offline and overrides may be tags too, so that a
re-execution from the UI keeps them.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.settings import Mode, Settings, load_settings
from ares_resources.settings_trees import shown
from ares_resources.workspace import Workspace

MODE_TAG = "ares/mode"
AS_OF_TAG = "ares/as_of"
OFFLINE_TAG = "ares/offline"
CONFIG_TAG = "ares/config"
SYMBOLS_PARTITIONS = "symbols"
SYMBOL_TAG = "dagster/partition/symbol"


class WorkspaceResource(dg.ConfigurableResource):
    """The home, and the settings of this run.

    ``overrides`` takes any part of the configuration tree in the launchpad.
    """

    overrides: dict[str, Any] = Field(default_factory=dict)

    _tags: dict[str, str] = PrivateAttr(default_factory=dict)
    _run_id: str | None = PrivateAttr(default=None)
    _workspace: Workspace | None = PrivateAttr(default=None)

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Check the run's tags and settings."""
        self._tags = dict(context.run.tags) if context.run else {}
        self._run_id = context.run.run_id if context.run else None
        try:
            self.check()
        except BadInput as refused:
            # Beside Dagster's account of the failure, which shows every frame of the stack.
            if context.log is not None:
                context.log.error(str(refused))
            raise

    def check(self) -> None:
        """Refuse tags and settings that no run could use.

        Raises
        ------
        BadInput
            Naming the value and what is allowed.
        """
        if SYMBOL_TAG in self._tags:
            _check_tags(self._tags)
        self.as_of_ms()
        self.offline()
        self.request_settings()

    def workspace(self) -> Workspace:
        """The opened home, created where there is none."""
        if self._workspace is None:
            home = Home.find()
            home.create()
            self._workspace = Workspace(home)
        return self._workspace

    def request_settings(self) -> Settings:
        """Defaults, then the run's configuration tag, then the launchpad; mode by its tag."""
        return load_settings(_tag_tree(self._tags), self.overrides, mode=_mode(self._tags))

    def as_of_ms(self) -> int | None:
        """The point in time that the run was asked for, milliseconds UTC."""
        text = self._tags.get(AS_OF_TAG)
        return None if text is None else parse_time(text)

    def run_id(self) -> str | None:
        """The run's id; None outside a run."""
        return self._run_id

    def offline(self) -> bool:
        """Whether the run was told not to ask the exchange."""
        return parse_flag(OFFLINE_TAG, self._tags.get(OFFLINE_TAG, "false"))


def parse_time(text: str) -> int:
    """``2024-01-01T00:00:00Z`` (or a date) as milliseconds UTC.

    Raises
    ------
    BadInput
        If the text is not ISO 8601 or carries no zone beyond a bare date.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"time {text!r} is not ISO 8601 (2024-01-01T00:00:00Z)") from None
    if moment.tzinfo is None:
        if len(text) > len("2024-01-01"):
            raise BadInput(f"time {text!r} has no zone; write 2024-01-01T00:00:00Z for UTC")
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def parse_flag(name: str, text: str) -> bool:
    """``true`` or ``false``.

    Raises
    ------
    BadInput
        On anything else.
    """
    if text not in ("true", "false"):
        raise BadInput(f"tag {name}={text!r} is not usable; allowed: true, false")
    return text == "true"


def _mode(tags: Mapping[str, str]) -> Mode | None:
    mode = tags.get(MODE_TAG)
    if mode is None:
        return None
    if mode == "full":
        return "full"
    if mode == "blank":
        return "blank"
    raise BadInput(f"tag {MODE_TAG}={mode!r} is not usable; allowed: full, blank")


def _tag_tree(tags: Mapping[str, str]) -> dict[str, Any]:
    text = tags.get(CONFIG_TAG)
    if text is None:
        return {}
    try:
        tree = json.loads(text, object_pairs_hook=_each_once)
    except RecursionError:
        raise BadInput(f"tag {CONFIG_TAG} is nested deeper than any setting") from None
    except ValueError as error:
        raise BadInput(f"tag {CONFIG_TAG} is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise BadInput(f"tag {CONFIG_TAG} must hold a mapping, not {shown(text)}")
    return tree


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for key, value in pairs:
        if key in tree:
            raise BadInput(f"tag {CONFIG_TAG}: key {shown(key)} stands twice; allowed: once")
        tree[key] = value
    return tree


def _check_tags(tags: Mapping[str, str]) -> None:
    from ares_resources.symbols import SymbolKey

    symbol, regime = tags[SYMBOL_TAG], tags.get("dagster/partition/regime")
    SymbolKey.parse(symbol)
    if tags.get("dagster/partition") != f"{regime}|{symbol}":
        raise BadInput(
            f"tag dagster/partition={tags.get('dagster/partition')!r} does not agree with "
            f"dagster/partition/regime={regime!r} and dagster/partition/symbol={symbol!r}; "
            "allowed: REGIME|SYMBOL.EXCHANGE of the same two"
        )
