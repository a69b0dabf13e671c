"""The tables of the benchmark on real bars.

Belongs here: Markdown from recorded results.  Does not belong here: any measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.partitions import ENHANCED, ENSEMBLE, POOLED

BASE_RATE = "base rate"
FREQAI = "after FreqAI"
SHUFFLED = "after FreqAI, shuffled"
TITLES = {
    ENSEMBLE: "**ensemble**, the product's",
    ENHANCED: "what step 6 hands on",
    BASE_RATE: "base rate of development",
    FREQAI: "after FreqAI's example, split in order (its default)",
    SHUFFLED: "after FreqAI's example, split shuffled (its option)",
}
FRONT = (BASE_RATE, ENSEMBLE)
BACK = (ENHANCED, *POOLED.values(), FREQAI, SHUFFLED)
GROUPED = (ENSEMBLE, "linear", "multilevel", POOLED["catboost"], FREQAI)


def markdown(results: Mapping[str, Any]) -> str:
    """The table of scores, then claims, regimes and months."""
    blocks = [_scores(results), _claims(results)]
    for title, key in (("regime, decoded", "by_regime"), ("month", "by_month")):
        blocks.append(_groups(title, results[key]))
    return "\n\n".join(blocks)


def _scores(results: Mapping[str, Any]) -> str:
    events = results["events"]
    title = (
        f"Development {_span(results['development'])}, {events['development']:,} decisions; test "
        f"{_span(results['test'])}, {events['test']:,} decisions, as much as "
        f"{events['independent']:,} independent ones. In brackets 95 % intervals: "
        f"{results['resamples']:,} stationary resamples of days, "
        f"{results['mean_block_days']:g} days a block on average."
    )
    head = ["", "AUC", "log-loss, nats", "the ensemble's AUC less this one's"]
    head += ["log-loss less the ensemble's, nats"]
    lines = [_score(name, results) for name in _ordered(results["rows"])]
    return "\n".join([title, "", _row(head), _rule(len(head)), *lines])


def _score(name: str, results: Mapping[str, Any]) -> str:
    scored, lead = results["rows"][name], results["leads"].get(name)
    cells = [TITLES.get(name, name), _cell(scored["auc"], 4), _cell(scored["log_loss"], 4)]
    cells += [_cell(lead["auc"], 4), _cell(lead["log_loss"], 4)] if lead else ["", ""]
    return _row(cells)


def _claims(results: Mapping[str, Any]) -> str:
    head = ["", "AUC it claims by its own split", "AUC later", "log-loss it claims", "later"]
    head += ["models", "rows each trained on", "of all these, sharing bars with its test labels"]
    head += ["trees kept"]
    lines = []
    for name, said in results["claimed"].items():
        true = results["rows"][name]
        cells = [f"{said['auc']:.4f}", f"{true['auc']['value']:.4f}", f"{said['log_loss']:.4f}"]
        cells += [f"{true['log_loss']['value']:.4f}", str(said["models"]), _sizes(said)]
        cells += [f"{said['leaking_rows']:,} of {said['trained_rows_in_all']:,}"]
        cells += [str(said.get("trees", ""))]
        lines.append(_row([TITLES.get(name, name), *cells]))
    return "\n".join([_row(head), _rule(len(head)), *lines])


def _sizes(said: Mapping[str, Any]) -> str:
    rows = said["trained_rows"]
    if rows["least"] == rows["most"]:
        return f"{rows['mean']:,}"
    return f"{rows['least']:,} to {rows['most']:,}, on average {rows['mean']:,}"


def _groups(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    present = [name for name in GROUPED if all(name in found for found in groups.values())]
    head = [title, "decisions", *(f"{name}, AUC" for name in present)]
    lines = [
        _row([group, f"{found['events']:,}", *(f"{found[name]:.3f}" for name in present)])
        for group, found in groups.items()
    ]
    return "\n".join([_row(head), _rule(len(head)), *lines])


def _ordered(rows: Mapping[str, Any]) -> list[str]:
    front = [name for name in FRONT if name in rows]
    back = [name for name in BACK if name in rows]
    return [*front, *(name for name in rows if name not in {*front, *back}), *back]


def _cell(found: Mapping[str, float], digits: int) -> str:
    low, high = f"{found['low']:.{digits}f}", f"{found['high']:.{digits}f}"
    return f"{found['value']:.{digits}f} [{low}, {high}]"


def _span(days: list[str]) -> str:
    return f"from {days[0]} to {days[1]}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _rule(columns: int) -> str:
    return "|---" * columns + "|"
