from __future__ import annotations

import pytest

from runtime.clock import ManualClock
from runtime.pulse import STILL_S, Pulse, StoodStill


def test_a_process_that_stood_still_for_most_of_its_session_is_not_steady() -> None:
    clock = ManualClock()
    pulse = Pulse(clock)
    clock.advance(STILL_S - 0.1)
    assert pulse.steady
    clock.advance(0.2)
    assert not pulse.steady


async def test_the_pulse_ends_the_worker_after_a_pause_and_stays_unsteady() -> None:
    class Pausing(ManualClock):
        async def sleep(self, seconds: float) -> None:
            self.advance(16.0)

    pulse = Pulse(Pausing())
    with pytest.raises(StoodStill, match=r"stood still for 16\.0 s"):
        await pulse.run()
    assert not pulse.steady
