from __future__ import annotations

from datetime import timedelta

from streams.dedupe import Mark
from streams.feedtime import KEY, FeedTimes
from streams.sweep import Sweep
from tests.streams.memory import BEGINNING, observed
from tests.streams.test_sweep import Rows

MONTH = timedelta(days=30)
THEN = Mark(int(BEGINNING.timestamp() * 1000)).pack()


def test_a_feed_that_stands_still_is_not_forgotten_while_another_of_the_provider_goes_on():
    table = Rows({b"tmdb:movie:1:a": THEN, b"tmdb:series:1:a": THEN, b"tmdb:feed:tv:gap:a": THEN})
    sweep, times = Sweep(table, 0, b"tmdb:", MONTH), FeedTimes()
    later = int(MONTH.total_seconds()) + 1
    for edit in (0, later):
        times.note(observed("2", edit))
    times.note(observed("1", 0, entity_type="series"))
    table.apply(sweep.step(times.of))
    assert list(table.rows) == [b"tmdb:series:1:a"]
    times.note(observed("1", later, entity_type="series"))
    table.apply(sweep.step(times.of))
    assert table.rows == {}


def test_what_is_read_out_of_turn_makes_nothing_old():
    times = FeedTimes()
    ahead = observed("2", 5)
    times.note(ahead.model_copy(update={"data": ahead.data.model_copy(update={"out_of_turn": True})}))
    assert times.of("tmdb:movie:2:5") == 0


def test_the_next_owner_goes_on_from_the_kept_times():
    times = FeedTimes()
    times.note(observed("1", 3600))
    kept = times.to_keep()
    assert times.to_keep() == [], "not rewritten while it has hardly moved"
    times.note(observed("1", 3601))
    assert times.to_keep() == []
    again = FeedTimes()
    again.restore((write.key, write.value) for write in kept)
    assert again.of("tmdb:movie:1:a") == int(BEGINNING.timestamp() * 1000) + 3_600_000
    assert again.to_keep() == []
    assert all(write.key.startswith(KEY) for write in kept)
