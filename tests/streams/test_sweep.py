from __future__ import annotations

import asyncio
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from streams.dedupe import Mark
from streams.sweep import STEP, Sweep, Sweeping

DAY = 86_400_000


def at(ms: int):
    """All feeds have come so far."""
    return lambda event_id: ms


class Rows:
    """A partition's marks in memory."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.rows = rows

    def scan(self, partition, prefix, after, limit):
        return [(key, self.rows[key]) for key in sorted(self.rows) if key.startswith(prefix) and key > after][:limit]

    def apply(self, writes):
        for write in writes:
            del self.rows[write.key]


def test_a_mark_is_forgotten_when_the_feed_is_past_its_window_and_not_by_the_wall_clock():
    table = Rows({b"pbs:1": Mark(0).pack()})
    sweep = Sweep(table, 0, b"pbs:", timedelta(days=2))
    assert sweep.step(at(2 * DAY)) == []
    assert [write.key for write in sweep.step(at(2 * DAY + 1))] == [b"pbs:1"]


def test_other_providers_marks_are_not_touched():
    table = Rows({b"pbs:1": Mark(0).pack(), b"tmdb:1": Mark(0).pack(), b"__faust": b"17"})
    assert [write.key for write in Sweep(table, 0, b"tmdb:", timedelta(0)).step(at(DAY))] == [b"tmdb:1"]


@given(st.lists(st.integers(0, 3), max_size=50))
def test_a_walk_around_forgets_all_that_is_old_and_nothing_else(ages):
    table = Rows({b"pbs:%04d" % n: Mark(age * DAY).pack() for n, age in enumerate(ages)})
    sweep = Sweep(table, 0, b"pbs:", timedelta(days=1))
    table.apply(sweep.step(at(3 * DAY)))
    assert sorted(Mark.unpack(value).seen_at for value in table.rows.values()) == sorted(a * DAY for a in ages if a >= 2)
    assert sweep.entries == len(table.rows)
    assert sweep.oldest == min((age * DAY for age in ages if age >= 2), default=None)


def test_a_large_table_is_walked_in_steps():
    table = Rows({b"pbs:%07d" % n: Mark(0).pack() for n in range(2 * STEP + 10)})
    sweep = Sweep(table, 0, b"pbs:", timedelta(0))
    sizes = []
    for _ in range(3):
        writes = sweep.step(at(DAY))
        table.apply(writes)
        sizes.append(len(writes))
    assert sizes == [STEP, STEP, 10]


async def test_what_has_come_last_is_counted_although_nothing_follows_it():
    table, wake = Rows({}), asyncio.Event()
    sweep = Sweep(table, 0, b"pbs:", timedelta(days=2))
    sweeping = Sweeping(sweep)
    sweeping.start(wake)
    assert sweeping.step(at(0), grown=True) == []
    table.rows |= {b"pbs:%05d" % number: Mark(7).pack() for number in range(STEP + 1)}
    try:
        async with asyncio.timeout(20):
            while sweep.entries != STEP + 1:
                await wake.wait()
                wake.clear()
                assert sweeping.step(at(0), grown=False) == []
    finally:
        sweeping.stop()
    assert (sweep.entries, sweep.oldest) == (STEP + 1, 7)
