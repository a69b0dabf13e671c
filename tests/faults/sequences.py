"""One fault sequence: runs that go wrong over one folder, a last that does not, a comparison.

Belongs here: what is run in which order, and what must hold after each run.  Does not belong
here: faults, time and truth themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from faults.kills import die_at
from faults.scripts import Script
from faults.transport import Transport
from faults.virtual_time import VirtualTime, ccxt_on
from faults.world import World

from ares_resources.collection import CollectionReport, collect
from ares_resources.errors import AresError, DataConflict
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.restraints import Restraints
from ares_resources.settings import DataSettings
from ares_resources.storage.catalogue import Catalogue, Series

KINDS = ("bars", "funding", "open_interest")
_NOWHERE = "http://127.0.0.1:9"
_REQUEST_SECONDS = 10.0
_ALWAYS = (0, 2**60)
_NO_FAULTS = 0.0


@dataclass
class Record:
    """What became of one sequence; ``problems`` is empty if the promise was kept."""

    seed: int
    outcomes: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    requests: int = 0
    kills: int = 0


Result = tuple[str, CollectionReport | None]


@dataclass(frozen=True)
class Focus:
    """Only these faults, where they can come at all, and this share of runs killed."""

    only: tuple[str, ...] = ()
    kills: float = 0.4


class Sequence:
    """The runs of one seed over ``folder``."""

    def __init__(self, seed: int, folder: Path, focus: Focus | None = None) -> None:
        self.focus = focus or Focus()
        self.world = World(seed)
        self.random = np.random.default_rng(np.random.SeedSequence([seed, 3]))
        wrong_clock = float(self.random.choice([0, 0, 0, 3600, -3600, 86_400 * 40]))
        now = self.world.start_ms + self.world.step_ms * self.world.count * self.random.uniform(
            0.5, 1.2
        )
        self.time = VirtualTime(now / 1000, wrong_clock)
        self.folder = folder
        self.rate = float(self.random.choice([0.08, 0.15, 0.3, 0.5]))
        self.transport = self._transport(Script(0, 0, _NO_FAULTS), self.time)
        self.record = Record(seed)

    def play(self) -> Record:
        """All runs, judged."""
        truth = self._truth()
        for run in range(int(self.random.integers(2, 6))):
            self.transport.script = Script(self.world.seed, run, self.rate, self.focus.only)
            end = self.world.start_ms + self.world.step_ms * int(
                self.random.integers(1, self.world.count + 1)
            )
            self._go_wrong(end if self.random.random() < 0.6 else self.world.end_ms)
            self._judge_rows(truth)
            self.time.sleep(float(self.random.choice([1, 60, 4000, 90_000])))
        self.transport.script = Script(0, 0, _NO_FAULTS)
        after = max(self.world.end_ms / 1000, self.transport.banned_until, self.time.true())
        self.time.sleep(after - self.time.true() + 4 * 86_400)
        outcome, report = self._run(self.world.end_ms, retries=2)
        if outcome != "done" or report is None or report.stale:
            self.record.problems.append(f"the last run, without faults: {outcome}: {report}")
        else:
            self._judge_equality(truth)
        self.record.problems += self.transport.offences
        self.record.faults, self.record.requests = self.transport.faults, self.transport.asked
        return self.record

    def _go_wrong(self, end_ms: int) -> None:
        retries = int(self.random.integers(0, 8))
        if self.random.random() < self.focus.kills:
            operation = int(self.random.integers(0, 60))
            known = len(self.transport.offences), len(self.record.problems)
            death = die_at(
                operation, lambda: self._told(end_ms, retries, known), lambda: self._noticed(known)
            )
            self.record.kills += death.killed
            if death.killed:
                self._count(*death.returned)
                self.record.outcomes.append("killed")
                return
            noticed, outcome, banned, paused = death.returned
            self._count(*noticed)
            self.transport.banned_until, self.transport.paused_until = banned, paused
            self.record.outcomes.append(outcome)
            return
        outcome, report = self._run(end_ms, retries)
        self.record.outcomes.append(outcome)
        if outcome == "done" and report is not None:
            self._judge_report(report, end_ms)

    def _told(self, end_ms: int, retries: int, known: tuple[int, int]) -> list[Any]:
        """A run in a child, and what the parent has to know of it."""
        outcome, _ = self._run(end_ms, retries)
        transport = self.transport
        return [self._noticed(known), outcome, transport.banned_until, transport.paused_until]

    def _noticed(self, known: tuple[int, int]) -> tuple[list[str], list[str]]:
        """Offences and problems beyond those that were known before."""
        return self.transport.offences[known[0] :], self.record.problems[known[1] :]

    def _count(self, offences: list[str], problems: list[str]) -> None:
        self.transport.offences += offences
        self.record.problems += problems

    def _run(self, end_ms: int, retries: int) -> Result:
        settings = DataSettings(max_retries=retries, request_timeout_seconds=_REQUEST_SECONDS)
        return self._collect(self.folder, self.transport, self.time, end_ms, settings)

    def _collect(
        self,
        folder: Path,
        transport: Transport,
        time: VirtualTime,
        end_ms: int,
        settings: DataSettings,
    ) -> Result:
        with ccxt_on(time):
            exchange = CcxtExchange(
                "binance",
                settings=settings,
                base_url=_NOWHERE,
                restraints=Restraints(folder / "exchanges", time.wall),
                sleep=time.sleep,
                clock=time.monotonic,
                wall=time.wall,
            )
            exchange._client.session.mount("http://", transport)
            try:
                report = collect(
                    Catalogue(folder / "catalogue"),
                    exchange,
                    self.world.symbol,
                    self.world.timeframe,
                    start_ms=self.world.start_ms,
                    end_ms=end_ms,
                    wall=time.wall,
                )
            except DataConflict as error:  # the exchange of these tests never contradicts itself
                self.record.problems.append(f"a conflict: {error}")
                return "DataConflict", None
            except AresError as error:
                return type(error).__name__, None
        return ("stale" if report.stale else "done"), report

    def _truth(self) -> Catalogue:
        """The catalogue of a run without faults, at a time when all is known."""
        time = VirtualTime(self.world.end_ms / 1000 + 4 * 86_400)
        transport = self._transport(Script(0, 0, _NO_FAULTS), time)
        folder = self.folder / "truth"
        settings = DataSettings()
        outcome, report = self._collect(folder, transport, time, self.world.end_ms, settings)
        catalogue = Catalogue(folder / "catalogue")
        held = self._held(catalogue, "bars")
        sent = self.world.bars[self.world.bars["timestamp"] < self.world.end_ms]
        if outcome != "done" or report is None or not _same_prices(held, sent):
            raise AssertionError(f"seed {self.world.seed}: no truth to compare with: {outcome}")
        return catalogue

    def _transport(self, script: Script, time: VirtualTime) -> Transport:
        return Transport(
            fake=self.world.exchange(),
            script=script,
            time=time,
            step_ms=self.world.step_ms,
            page_bars=self.world.page_bars,
            total_seconds=_REQUEST_SECONDS,
        )

    def _held(self, catalogue: Catalogue, kind: str) -> pd.DataFrame:
        return catalogue.read(self._series(kind), *_ALWAYS)

    def _series(self, kind: str) -> Series:
        return Series(self.world.symbol, kind, self.world.timeframe)

    def _judge_rows(self, truth: Catalogue) -> None:
        """Whatever happened: readable, and no row that the exchange did not send."""
        for kind in KINDS:
            true = self._held(truth, kind).set_index("timestamp")
            try:
                held = self._held(Catalogue(self.folder / "catalogue"), kind)
            except AresError as error:
                self.record.problems.append(f"{kind} cannot be read: {error}")
                continue
            held = held.set_index("timestamp")
            if not held.index.isin(true.index).all() or not held.equals(true.loc[held.index]):
                self.record.problems.append(f"{kind} hold rows that were never sent")

    def _judge_report(self, report: CollectionReport, end_ms: int) -> None:
        """A run that ended well said how many bars its window lacks."""
        held = Catalogue(self.folder / "catalogue").read(
            self._series("bars"), self.world.start_ms, end_ms
        )
        lacking = (end_ms - self.world.start_ms) // self.world.step_ms - len(held)
        if report.missing_bars != lacking:
            self.record.problems.append(f"{lacking} bars lack, {report.missing_bars} were named")

    def _judge_equality(self, truth: Catalogue) -> None:
        held = Catalogue(self.folder / "catalogue")
        for kind in KINDS:
            one, other = self._held(held, kind), self._held(truth, kind)
            if not one.equals(other):
                self.record.problems.append(f"{kind}: {len(one)} rows, without faults {len(other)}")
            series = self._series(kind)
            if not held.gaps(series, *_ALWAYS).equals(truth.gaps(series, *_ALWAYS)):
                self.record.problems.append(f"{kind}: other gaps than without faults")
            if held.stale(series) is not None:
                self.record.problems.append(f"{kind}: still stale: {held.stale(series)}")


def _same_prices(held: pd.DataFrame, sent: pd.DataFrame) -> bool:
    columns = list(sent.columns[:6])
    same = held[columns].equals(sent[columns].reset_index(drop=True))
    return same and np.allclose(held["taker_buy_share"], sent["taker_buy_share"], rtol=1e-12)
