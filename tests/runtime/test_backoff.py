from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from runtime.backoff import Backoff


class _Highest(Random):
    """Draws the upper end of every range."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_the_ceiling_doubles_with_each_attempt_up_to_the_longest() -> None:
    backoff = Backoff(first=0.5, longest=30)
    assert [backoff.delay(attempt, _Highest()) for attempt in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


@given(attempt=st.integers(1, 10**6), seed=st.integers())
def test_a_delay_is_never_negative_and_never_above_the_longest(attempt: int, seed: int) -> None:
    assert 0 <= Backoff(first=0.5, longest=30).delay(attempt, Random(seed)) <= 30


def test_delays_are_spread_over_the_whole_range() -> None:
    random = Random(1)
    drawn = [Backoff(first=1, longest=1).delay(1, random) for _ in range(200)]
    assert min(drawn) < 0.1
    assert max(drawn) > 0.9
