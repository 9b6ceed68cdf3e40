from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sinks.tracker import MAX_METADATA_CHARS, Tracker, decode, short

NAMES = ["stills", "newsroom", "everything"]

steps = st.lists(
    st.tuples(st.integers(1, 300), st.sets(st.sampled_from(NAMES)), st.integers(0, 2), st.sets(st.sampled_from(NAMES))),
    max_size=60,
)


def read(steps: list[tuple[int, set[str], int, set[str]]]) -> tuple[Tracker, dict[int, set[str]]]:
    """A tracker that has read and settled these, and what is open by a plain account of the same."""
    tracker, open_ones, offset = Tracker(7), {}, 7
    for gap, wanting, others, settled in steps:
        tracker.passed(offset, wanting, len(wanting) + others)
        open_ones[offset] = wanting - settled
        for name in settled:
            tracker.settle(offset, name)
        offset += gap
    return tracker, open_ones


@given(steps)
def test_a_commit_says_exactly_which_deliveries_are_open(steps: list[tuple[int, set[str], int, set[str]]]) -> None:
    tracker, open_ones = read(steps)
    offset, metadata = tracker.commit()
    position = decode(offset, metadata)
    assert offset == min((at for at, who in open_ones.items() if who), default=tracker.position)
    assert position.upto == tracker.position
    for at, who in open_ones.items():
        for name in who:
            assert at >= offset
            assert position.leaves_open(at, name)
        if at >= offset:
            assert position.passes(at) == (not who)


@given(steps)
def test_what_is_settled_for_one_subscription_is_not_open_for_it_after_a_restart(
    steps: list[tuple[int, set[str], int, set[str]]],
) -> None:
    tracker, open_ones = read(steps)
    offset, metadata = tracker.commit()
    position = decode(offset, metadata)
    for (_, wanting, _, settled), at in zip(steps, open_ones, strict=True):
        partly = bool(wanting & settled) and bool(open_ones[at])
        for name in wanting & settled:
            if at >= offset and (partly or not open_ones[at]):
                assert not position.leaves_open(at, name)


@given(steps, st.integers(40, 200))
def test_metadata_keeps_its_limit_and_what_it_leaves_out_counts_as_unread(
    steps: list[tuple[int, set[str], int, set[str]]], limit: int
) -> None:
    tracker, open_ones = read(steps)
    offset, metadata = tracker.commit(limit)
    assert len(metadata) <= limit
    position = decode(offset, metadata)
    for at, who in open_ones.items():
        for name in who:
            assert position.leaves_open(at, name)


@given(steps, st.data())
def test_what_an_earlier_process_settled_stays_settled_in_each_commit_while_it_is_read_again(
    steps: list[tuple[int, set[str], int, set[str]]], data: st.DataObject
) -> None:
    first, open_ones = read(steps)
    left = decode(*first.commit())
    second = Tracker(left.offset, left)
    again = [at for at in open_ones if at >= left.offset]
    for at in again[: data.draw(st.integers(0, len(again)))]:
        if not left.passes(at):
            wanting = steps[list(open_ones).index(at)][1]
            second.passed(at, {name for name in wanting if left.leaves_open(at, name)}, len(wanting))
        else:
            second.passed(at)
    found = decode(*second.commit())
    assert found.upto == left.upto
    for at, (_, wanting, _, _) in zip(open_ones, steps, strict=True):
        for name in wanting:
            open_still = at >= left.offset and left.leaves_open(at, name)
            assert (at >= found.offset and found.leaves_open(at, name)) == open_still


def test_thousands_of_open_deliveries_stay_within_what_a_broker_takes() -> None:
    tracker = Tracker(0)
    for offset in range(0, 500_000, 50):
        tracker.passed(offset, ["stills"], 1)
    _, metadata = tracker.commit()
    assert len(metadata) <= MAX_METADATA_CHARS


def test_metadata_of_another_program_means_that_all_is_to_be_read() -> None:
    for text in (None, "", "something else", "1", "1!!!not base85~~~ ", "1" + "zzzzz" * 3):
        assert decode(5, text).leaves_open(5, "stills") or decode(5, text).upto > 5


def test_an_event_is_open_until_each_of_its_deliveries_is_settled_once() -> None:
    tracker = Tracker(0)
    tracker.passed(0, ["a", "b"], 2)
    tracker.passed(1)
    tracker.settle(0, "a")
    tracker.settle(0, "a")
    assert tracker.first_open == 0
    tracker.settle(0, "b")
    tracker.settle(0, "b")
    assert tracker.first_open == tracker.position == 2


def test_a_tracker_adopts_what_another_had_open_and_keeps_the_order() -> None:
    tracker = Tracker(10)
    tracker.passed(10, ["a"], 1)
    tracker.adopt([3, 7], "a")
    assert tracker.first_open == 3
    assert tracker.open_of("a") == [3, 7, 10]
    position = decode(*tracker.commit())
    assert [offset for offset in range(3, 12) if position.leaves_open(offset, "a")] == [3, 7, 10, 11]


def test_a_commit_is_due_only_when_something_changed() -> None:
    tracker = Tracker(0)
    commit = tracker.uncommitted()
    assert commit == (0, "")
    tracker.committed(commit)
    assert tracker.uncommitted() is None
    tracker.passed(0)
    assert tracker.uncommitted() == (1, "")


def test_subscriptions_are_told_apart_by_four_bytes_that_do_not_change() -> None:
    assert len({short(f"subscription-{number}") for number in range(1000)}) == 1000


def test_what_has_been_committed_is_not_offered_again_until_something_changes() -> None:
    tracker = Tracker(0)
    assert tracker.uncommitted() == (0, "")
    tracker.committed((0, ""))
    assert tracker.last_committed == 0
    assert tracker.uncommitted() is None
    tracker.passed(0, ["stills"])
    commit = tracker.uncommitted()
    assert commit is not None
    # settled while the commit is on its way: the next one says so
    tracker.settle(0, "stills")
    tracker.committed(commit)
    assert tracker.last_committed == 0
    last = tracker.uncommitted()
    assert last == (1, "")
    tracker.committed(last)
    assert (tracker.last_committed, tracker.uncommitted()) == (1, None)


def test_what_a_tracker_adopts_is_in_its_next_commit_and_open_for_all_of_its_one_subscription() -> None:
    tracker = Tracker(9)
    tracker.committed(tracker.uncommitted() or (0, ""))
    assert tracker.uncommitted() is None
    tracker.adopt([5, 3], "stills")
    commit = tracker.uncommitted()
    assert commit is not None
    position = decode(*commit)
    assert (position.offset, position.upto, position.open) == (3, 9, {3: frozenset(), 5: frozenset()})
