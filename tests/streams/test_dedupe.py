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
    assert first_sightings([Seen("a", 1), Seen("a", 2), Seen("b", 3)], {}.get) == [Seen("a", 1), Seen("b", 3)]


def test_an_id_that_was_seen_is_dropped():
    assert first_sightings([Seen("a", 7)], {b"a": Mark(0).pack()}.get) == []


@given(st.lists(st.sampled_from("abcdef"), max_size=60), st.lists(st.integers(1, 20), min_size=1), st.integers(0, 60))
def test_each_id_is_published_once_however_batches_fall_and_a_kill_strikes(ids, sizes, killed_at):
    """Marks, outputs and offset are one transaction: a kill takes all three of a batch."""
    log = [Seen(identity, offset) for offset, identity in enumerate(ids)]
    table: dict[bytes, bytes] = {}
    published: list[str] = []
    committed, batch_number, kill = 0, 0, killed_at
    while committed < len(log):
        size = sizes[batch_number % len(sizes)]
        passed = first_sightings(log[committed : committed + size], table.get)
        batch_number += 1
        if kill is not None and committed + size > kill:
            kill = None
            continue
        table.update({event.id.encode(): Mark(0).pack() for event in passed})
        published += [event.id for event in passed]
        committed += size
    assert sorted(published) == sorted(set(ids))
