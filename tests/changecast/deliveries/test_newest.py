from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from changecast.deliveries.newest import Newest

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_the_newest_are_kept_oldest_first_and_all_are_counted(ages: list[int], limit: int) -> None:
    added = [(NOW - timedelta(seconds=age), number) for number, age in enumerate(ages)]
    newest: Newest[tuple[datetime, int]] = Newest(limit)
    for one in added:
        newest.add(one[0], one)
    assert newest.kept == sorted(added)[-limit:]
    assert newest.count == len(added)
