"""The exchange's clock: asked for again in time, and not believed when it jumps."""

from __future__ import annotations

import pytest

from ares_resources.errors import ExchangeUnavailable
from ares_resources.exchanges.exchange_clock import BELIEVED_SECONDS, ExchangeClock

TRUE = 1_700_000_000.0


class Machine:
    """Clocks that the test moves; ``errors`` are those of the next answers, seconds."""

    def __init__(self) -> None:
        self.monotonic, self.wall, self.true = 50.0, TRUE, TRUE
        self.errors: list[float] = []
        self.asked = 0

    def ask(self) -> tuple[float, float]:
        self.asked += 1
        error = self.errors.pop(0) if self.errors else 0.0
        return (self.true + error) * 1000, self.monotonic

    def clock(self) -> ExchangeClock:
        return ExchangeClock(self.ask, lambda: self.monotonic, lambda: self.wall)

    def pass_time(self, seconds: float, *, asleep: bool = False) -> None:
        self.wall += seconds
        self.true += seconds
        self.monotonic += 0 if asleep else seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_an_answer_is_believed_for_ten_minutes(machine: Machine) -> None:
    clock = machine.clock()
    for _ in range(10):
        assert clock.now_ms() == int(machine.true * 1000)
        machine.pass_time(BELIEVED_SECONDS / 10)
    assert machine.asked == 1
    machine.pass_time(1)
    assert clock.now_ms() == int(machine.true * 1000)
    assert machine.asked == 2


def test_after_a_suspension_it_is_asked_again(machine: Machine) -> None:
    clock = machine.clock()
    clock.now_ms()
    machine.pass_time(3600, asleep=True)
    assert clock.now_ms() == int(machine.true * 1000)
    assert machine.asked == 2


@pytest.mark.parametrize("wrong", [3600.0, -3600.0, 86_400.0 * 400])
def test_the_machines_own_clock_does_not_decide(machine: Machine, wrong: float) -> None:
    machine.wall += wrong
    clock = machine.clock()
    assert clock.now_ms() == int(machine.true * 1000)
    assert machine.asked == 3
    machine.pass_time(BELIEVED_SECONDS + 1)
    assert clock.now_ms() == int(machine.true * 1000)
    assert machine.asked == 4  # what was to be expected is known by now


@pytest.mark.parametrize("errors", [[3600.0], [-20.0, 7.0], [0.0, 9.0], [500.0, 500.0, 0.0, 6.0]])
def test_single_wrong_answers_are_outvoted(machine: Machine, errors: list[float]) -> None:
    machine.wall += 100
    machine.errors = errors
    assert machine.clock().now_ms() == int(machine.true * 1000)


def test_a_clock_that_jumps_all_the_time_is_no_clock(machine: Machine) -> None:
    machine.errors = [n * 100.0 for n in range(1, 20)]
    with pytest.raises(ExchangeUnavailable, match=r"clock jumps: 9 answers lie up to 800 s apart"):
        machine.clock().now_ms()


def test_a_jump_between_two_looks_needs_three_answers(machine: Machine) -> None:
    clock = machine.clock()
    clock.now_ms()
    machine.pass_time(BELIEVED_SECONDS + 1)
    machine.errors = [7200.0]
    assert clock.now_ms() == int(machine.true * 1000)
    assert machine.asked == 5
