"""``released.json``: which version is live, with what share, and what serves the rest.

Belongs here: the content of the pointer and its moves, as plain mappings.  Does not belong
here: the file, its lock and the bundles (``releases.py``), and who decides a move.

``sha256``
    The live version; None where none is.
``identity``, ``replaced``
    The verdict that made it live, and the version that it was judged against.
``share``
    Its share of capital, in (0, 1].
``rest``
    ``sha256``, ``identity`` and ``replaced`` of the last version that served all.  It serves
    what ``share`` leaves, and a rollback restores it.  None: the rest does not trade.
``rollout``
    The version that was promoted last, live or rolled back since.
``withdrawn``
    Versions that were rolled back, each with its reason, never to be promoted again.
``following``
    ``sha256`` of the version that was rolled back last and the ``words`` by which, as long as
    alias and plan have not been brought after it.  Absent else.

Pointers from before there were rollouts have the first three alone: their version serves all,
and what it replaced is what a rollback restores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_VERSION = ("sha256", "identity", "replaced")


def promoted(
    live: Mapping[str, Any],
    sha256: str,
    *,
    identity: str,
    judged_against: str | None,
    share: float,
) -> dict[str, Any]:
    """The pointer once a version was promoted over ``live``.

    A live version that does not serve all yet ends here; what served its rest serves on.
    """
    return {
        "sha256": sha256,
        "identity": identity,
        "replaced": judged_against,
        "share": share,
        "rest": rest_of(live) if share_of(live) < 1.0 else _serving_all(live),
        "rollout": sha256,
        "withdrawn": live.get("withdrawn", []),
    }


def rolled_back(
    live: Mapping[str, Any], rest: Mapping[str, Any] | None, reason: str, *, words: str
) -> dict[str, Any]:
    """The pointer once the live version was taken back and ``rest`` serves all again.

    ``reason`` is kept for good; ``words``, which the reason may add to, until all has followed.
    """
    sha256 = live["sha256"]
    return {
        **(rest or dict.fromkeys(_VERSION)),
        "share": 1.0,
        "rest": None,
        "rollout": sha256,
        "withdrawn": [*live.get("withdrawn", []), {"sha256": sha256, "reason": reason}],
        "following": {"sha256": sha256, "words": words},
    }


def followed(live: Mapping[str, Any]) -> dict[str, Any]:
    """The pointer once alias and plan were brought after the last rollback."""
    return {name: value for name, value in live.items() if name != "following"}


def check_form(told: Mapping[str, Any]) -> None:
    """Refuse a pointer that has a part of another form than above.

    Raises
    ------
    ValueError
        Names the first part that has not.
    """
    share, withdrawn = told.get("share", 1.0), told.get("withdrawn", [])
    entries = withdrawn if isinstance(withdrawn, list) else [None]
    forms = {
        "sha256": _names_or_none(told, *_VERSION),
        "rollout": _names_or_none(told, "rollout"),
        "share": isinstance(share, int | float) and 0.0 < share <= 1.0,
        "rest": told.get("rest") is None or _has_words(told["rest"], "sha256"),
        "withdrawn": all(_has_words(one, "sha256", "reason") for one in entries),
        "following": told.get("following") is None
        or _has_words(told["following"], "sha256", "words"),
    }
    wrong = [name for name, fits in forms.items() if not fits]
    if wrong:
        raise ValueError(f"{wrong[0]} is not of its form")


def _names_or_none(told: Mapping[str, Any], *names: str) -> bool:
    return all(told.get(name) is None or isinstance(told[name], str) for name in names)


def _has_words(entry: Any, *names: str) -> bool:
    return isinstance(entry, Mapping) and all(isinstance(entry.get(name), str) for name in names)


def share_of(live: Mapping[str, Any]) -> float:
    """The live version's share of capital, in (0, 1]."""
    return float(live.get("share", 1.0))


def shares_of(live: Mapping[str, Any]) -> dict[str, float]:
    """Share of capital by version; what is left of 1 does not trade."""
    if live.get("sha256") is None:
        return {}
    share, rest = share_of(live), rest_of(live)
    shares = {str(live["sha256"]): share}
    if share < 1.0 and rest is not None:
        # The version that serves the rest may itself have been promoted anew.
        served = str(rest["sha256"])
        shares[served] = shares.get(served, 0.0) + 1.0 - share
    return shares


def rest_of(live: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a rollback of the live version restores; None: nothing served before it."""
    if "rest" in live or live.get("replaced") is None:
        return live.get("rest")
    return {"sha256": live["replaced"], "identity": None, "replaced": None}


def reason_of(live: Mapping[str, Any], sha256: str) -> str | None:
    """Why a version was rolled back; None if it never was."""
    told = (one["reason"] for one in live.get("withdrawn", []) if one["sha256"] == sha256)
    return next((str(reason) for reason in told), None)


def _serving_all(live: Mapping[str, Any]) -> dict[str, Any] | None:
    if live.get("sha256") is None:
        return None
    return {name: live.get(name) for name in _VERSION}
