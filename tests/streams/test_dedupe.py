from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from streams.dedupe import Mark, first_sightings


@dataclass(frozen=True)
class Seen:
    id: str
    offset: int


def test_an_id_passes_once_within_a_batch():
    passed, writes = first_sightings([Seen("a", 1), Seen("a", 2), Seen("b", 3)], {}.get, seen_at=5)
    assert passed == [Seen("a", 1), Seen("b", 3)]
    assert [(write.key, Mark.unpack(write.value)) for write in writes] == [(b"a", Mark(1, 5)), (b"b", Mark(3, 5))]


def test_an_id_seen_at_another_position_is_dropped():
    table = {b"a": Mark(1, 0).pack()}
    assert first_sightings([Seen("a", 7)], table.get, seen_at=0) == ([], [])


def test_a_replay_of_the_same_position_passes_and_writes_nothing():
    table = {b"a": Mark(7, 0).pack()}
    assert first_sightings([Seen("a", 7)], table.get, seen_at=0) == ([Seen("a", 7)], [])


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.lists(st.integers(1, 20), min_size=1), st.integers(0, 60))
def test_each_id_is_published_once_however_batches_fall_and_a_kill_strikes_before_a_commit(ids, sizes, killed_at):
    """The table is written before the commit; one kill in between replays from the committed offset."""
    log = [Seen(identity, offset) for offset, identity in enumerate(ids)]
    table: dict[bytes, bytes] = {}
    published: list[str] = []
    committed, batch_number, kill = 0, 0, killed_at
    while committed < len(log):
        size = sizes[batch_number % len(sizes)]
        batch = log[committed : committed + size]
        passed, writes = first_sightings(batch, table.get, seen_at=0)
        table.update({write.key: write.value for write in writes})
        batch_number += 1
        if kill is not None and committed + size > kill:
            kill = None
            continue
        published += [event.id for event in passed]
        committed += size
    assert sorted(published) == sorted(set(ids))
