from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from producers.tmdb.windows import walk

days = st.dates(date(2000, 1, 1), date(2030, 1, 1))


@given(days, st.integers(0, 1000))
def test_windows_cover_every_day_and_none_is_longer_than_tmdb_answers(start: date, length: int) -> None:
    end = start + timedelta(days=length)
    windows = list(walk(start, end))
    assert windows[0].start == start
    assert windows[-1].end == end
    assert all(window.end - window.start <= timedelta(days=13) for window in windows)
    assert all(before.end == after.start for before, after in pairwise(windows))
