"""Step 15's rivals: who they are, and what they made on the challenger's days.

Belongs here: the holdout's whole days, the champion replayed on them, the baselines.  Does not
belong here: comparing them (``evidence/sequential.py``), and the verdict.

A champion that was promoted on bars that lie in the challenger's holdout was chosen for doing
well on them.  That favours the champion, so it can only make a promotion rarer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_assets.engine import Work
from ares_resources.errors import AresError, BadInput
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.attempts import Attempts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.stored import Stored
    from ares_resources.storage.releases import Release, ReleaseStore

NO_CHAMPION = "none"


def challenger_identity(inputs: Mapping[str, Artifact]) -> str:
    """What makes a challenger the same one: its model and the bars it is judged on."""
    return f"{inputs['final_parameters'].sha256}-{inputs['market_data'].sha256}"


@dataclass(frozen=True)
class Faced:
    """Whom a challenger faces, by content hash, and the how-manieth it is to do so.

    No attempt where there is no champion, and where the holdout is too short for any look: what
    cannot be called better spends none of the level that the challengers of a champion share.
    """

    champion: str
    attempt: int | None

    @classmethod
    def of(cls, work: Work) -> Faced:
        """As ``faced_state`` told it."""
        told = json.loads(work.outside)
        return cls(told["champion"], told["attempt"])


def faced_state(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """The champion and the attempt, as JSON; a promoted challenger faces whom it replaced.

    Nothing is recorded here: whoever only asks what a run would do makes no attempt.  Whether
    it is one follows from the holdout's two ends, not from what was found there.
    """
    store, challenger = release_store(work), challenger_identity(inputs)
    champion, attempt = store.champion_against(challenger), None
    if champion is not None and not _too_short(inputs["walk_forward_report"]):
        attempt = Attempts(store.root).expected(champion, challenger)
    return json.dumps({"champion": champion or NO_CHAMPION, "attempt": attempt})


def _too_short(walk: Artifact) -> bool:
    from ares_assets.evidence.paired_days import decides_nothing, whole_days_between

    ends = walk.metadata["holdout_start_ms"], walk.metadata["window_end_ms"]
    return decides_nothing(whole_days_between(*ends))


def record_attempt(work: Work, challenger: str) -> Faced:
    """Enter the attempt, if it is one, before anything is tested.

    Raises
    ------
    AresError
        If it is another attempt than the one that the result's key was made for.
    """
    faced = Faced.of(work)
    if faced.attempt is not None:
        number = Attempts(release_store(work).root).record(faced.champion, challenger)
        if number != faced.attempt:
            raise AresError(
                f"this challenger's attempt is number {number}, not {faced.attempt}: another was "
                "recorded meanwhile; run again"
            )
    return faced


def release_store(work: Work | Stored) -> ReleaseStore:
    """The releases of this partition."""
    from ares_resources.storage.releases import ReleaseStore

    home, request = work.workspace.home, work.request
    return ReleaseStore(home.releases, request.symbol.folder, request.regime)


@dataclass(frozen=True)
class Stretch:
    """The holdout's bars, their whole days, and what the challenger made on those.

    ``inside`` (bars,) marks the bars of whole days; ``days`` are their opens, int64 ms.
    """

    stamps: np.ndarray
    step_ms: int
    inside: np.ndarray
    days: np.ndarray
    daily: np.ndarray

    @property
    def left_out(self) -> int:
        """Bars of the first and last day, where those are not whole."""
        return int(self.inside.size - self.inside.sum())


def stretch_of(market_data: Artifact, walk: Artifact) -> Stretch:
    """The holdout as step 13 stored it, with its whole days."""
    from ares_assets.evidence.paired_days import daily_on, whole_days
    from ares_resources.timeframes import timeframe_ms

    returns = walk.load()["returns.parquet"]
    stamps = returns["timestamp"].to_numpy()
    step_ms = timeframe_ms(market_data.metadata["timeframe"])
    inside = whole_days(stamps, step_ms=step_ms)
    days, daily = daily_on(returns["net_return"].to_numpy(), stamps, inside)
    return Stretch(stamps, step_ms, inside, days, daily)


def rivals_of(
    work: Work, market_data: Artifact, walk: Artifact, stretch: Stretch
) -> tuple[dict[str, np.ndarray], list[str], str]:
    """Whom the challenger faces, on the same whole days.

    Returns
    -------
    (rivals, notes, remark)
        Daily returns by rival, the first being the one to beat; what degrades the comparison;
        and a remark on how, or why not, the champion takes part.
    """
    from ares_assets.evidence.paired_days import daily_on

    champion, notes, remark = _champion_returns(work, market_data, walk)
    rivals: dict[str, np.ndarray] = {}
    if champion is not None:
        rivals["champion"] = daily_on(champion, stretch.stamps, stretch.inside)[1]
    return {**rivals, **baselines_of(market_data, walk, stretch)}, notes, remark


def baselines_of(market_data: Artifact, walk: Artifact, stretch: Stretch) -> dict[str, np.ndarray]:
    """Daily returns of the rivals that need no model."""
    import numpy as np

    from ares_assets.evidence.paired_days import at_volatility_of, daily_on

    holding = held(market_data.load().iloc[walk.metadata["first_row"] :])
    market = daily_on(holding, stretch.stamps, stretch.inside)[1]
    return {
        "no trade": np.zeros(len(stretch.days)),
        "buy and hold": at_volatility_of(market, stretch.daily),
    }


def can_be_replayed(store: ReleaseStore, champion: str) -> bool:
    """Whether a version is in the store and in a format that this Ares reads."""
    from ares_assets.release.served_model import ServedModel
    from ares_resources.errors import ObsoleteFormat

    found = store.find(champion)
    if found is None:
        return False
    try:
        ServedModel.from_files(found.files())
    except ObsoleteFormat:
        return False
    return True


def _champion_returns(
    work: Work, market_data: Artifact, walk: Artifact
) -> tuple[np.ndarray | None, list[str], str]:
    from ares_resources.errors import ObsoleteFormat

    faced = Faced.of(work)
    if faced.champion == NO_CHAMPION:
        return None, [], "there is none yet"
    champion = release_store(work).find(faced.champion)
    if champion is None:
        lost = f"the champion {faced.champion[:16]} is not in the release store"
        return None, [lost], lost
    how = "replayed on the same bars"
    if faced.attempt is None:
        how += "; too few days for any look, so this counts as no attempt"
    try:
        return _replayed(work, champion, market_data, walk), [], how
    except ObsoleteFormat as reason:
        # Nothing is wrong with the challenger, so this must not bar its promotion: else no
        # partition could ever leave an old version behind.
        return None, [], f"cannot be replayed, so only the baselines count: {reason}"


def _replayed(work: Work, champion: Release, market_data: Artifact, walk: Artifact) -> np.ndarray:
    """The champion's per-bar net returns over the holdout, by its own regimes.

    It pays the challenger's costs: a lower fee in the settings makes no better model.
    """
    from dataclasses import replace

    from ares_assets.release.served_model import ServedModel

    served = ServedModel.from_files(champion.files())
    frame = market_data.load()
    if served.model.settings.timeframe != market_data.metadata["timeframe"]:
        raise BadInput(
            f"the champion trades {served.model.settings.timeframe} bars, the challenger "
            f"{market_data.metadata['timeframe']}; release them under different symbols"
        )
    settings = replace(served.model.settings, costs=work.settings.costs)
    served = replace(served, model=replace(served.model, settings=settings))
    where = {name: walk.metadata[name] for name in ("first_row", "history_row")}
    return served.trade(frame, **where).net_return


def held(frame: pd.DataFrame) -> np.ndarray:
    """Per-bar returns of holding the market through these bars, from the first open."""
    import numpy as np

    close, first = frame["close"].to_numpy(), frame["open"].to_numpy()[:1]
    return np.asarray(close / np.concatenate([first, close[:-1]]) - 1.0)
