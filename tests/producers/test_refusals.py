from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from producers.refusals import ENOUGH, SHARE, WINDOW, RecentOutcomes
from schemas.event import Entity

WINDOW_S = WINDOW.total_seconds()
OUTCOMES = st.lists(st.tuples(st.integers(0, 40), st.booleans(), st.floats(0, 60)), max_size=150)


def movie(number: int) -> Entity:
    return Entity(type="movie", native_type="movie", id=str(number))


@given(OUTCOMES)
def test_suspicion_is_the_share_of_the_latest_outcomes_within_the_window(outcomes: list[tuple[int, bool, float]]) -> None:
    recent, told, now = RecentOutcomes(), [], 0.0
    for number, refused, later in outcomes:
        now += later
        (recent.refused if refused else recent.found)(movie(number), now)
        told.append((now, number, refused))
        latest = {number: refused for at, number, refused in told if at >= now - WINDOW_S}
        assert recent.suspicious(now) == (len(latest) >= ENOUGH and sum(latest.values()) > SHARE * len(latest))


def test_a_provider_that_refuses_nobody_for_weeks_is_remembered_for_the_window_alone() -> None:
    recent = RecentOutcomes()
    for number in range(10_000):
        recent.found(movie(number), float(number))
    assert len(recent) <= WINDOW_S + 1
