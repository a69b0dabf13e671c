"""A run that holds a release back for another step's check says so in its log, once."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from ares_assets import checks, passed_checks
from ares_assets.check_list import CHECKS
from ares_assets.steps import STEPS
from ares_assets.stored import Stored
from ares_resources.home import Home
from ares_resources.settings import load_settings
from tests.helpers.step_results import result_of_each_step

SETTINGS = load_settings()


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """A result of each step, with all checks passed."""
    home, found = Home(tmp_path), Stored()
    home.create()
    asked: Any = SimpleNamespace(settings=SETTINGS)
    workspace: Any = SimpleNamespace(home=home)
    found.request, found.workspace = asked, workspace
    found.update(result_of_each_step(home))
    for check in CHECKS:
        passed_checks.remember(home, found[check.asset], check, SETTINGS, True)
    return found


def left_open(stored: Stored, asset: str) -> str:
    """Let a blocking check of an asset count as not passed."""
    check = next(one for one in CHECKS if one.asset == asset and one.blocking)
    passed_checks.remember(stored.workspace.home, stored[asset], check, SETTINGS, False)
    return check.name


def warned(stored: Stored) -> list[str]:
    context = Mock()
    checks._act(context, STEPS[-1], stored)
    context.op_execution_context.log_event.assert_not_called()
    return [call.args[0] for call in context.log.warning.call_args_list]


def test_what_another_step_hinders_is_told(stored: Stored) -> None:
    name = left_open(stored, "market_regimes")
    told = f"not released: market_regimes has not passed its check {name}"
    assert warned(stored) == [told]


def test_the_releases_own_checks_still_to_come_are_no_news(stored: Stored) -> None:
    left_open(stored, "model_release")
    assert warned(stored) == []
    left_open(stored, "market_regimes")
    assert warned(stored) == []
