"""Limits over several workers, in a simulated world with every trouble that leases are made for."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.lease import Eviction, LeaseRecord, Pacing, Release
from sinks.lease_log import TERM_S, LeaseLog
from sinks.lease_member import MARGIN_S, LeaseMember
from sinks.terms import Terms
from tests.sinks.lease_worlds import TIMEOUT_S, LeaseWorld, SimWorker, most_in_a_window, most_in_flight

IDS = st.sampled_from(["a", "b", "c"])
RECORDS = st.builds(
    LeaseRecord,
    worker=IDS,
    number=st.integers(0, 30),
    evictions=st.lists(st.builds(Eviction, worker=IDS, last=st.integers(0, 30)), max_size=2).map(tuple),
    releases=st.lists(st.builds(Release, key=IDS, pacing=st.none() | st.builds(Pacing)), max_size=2).map(tuple),
    claims=st.lists(IDS, max_size=3).map(tuple),
)
TROUBLES = st.lists(
    st.tuples(
        st.floats(0, 40), st.sampled_from(["kill", "stop", "join", "freeze", "cut", "outage", "burst"]), st.floats(0.01, 12)
    ),
    max_size=12,
)
CALM_S = 40.0
ALL_DUE = 1_000_000


def troubled(
    seed: int, terms: Terms, troubles: list[tuple[float, str, float]], workers: int, slowest_s: float
) -> tuple[LeaseWorld, list[SimWorker]]:
    """Run through the troubles, then until all of them are over; a worker at least is left. `slowest_s`: an answer."""
    world = LeaseWorld(Random(seed), slowest_s=slowest_s)
    names = iter(f"w{number}" for number in range(1000))
    living = [SimWorker(world, next(names), terms, ALL_DUE) for _ in range(workers)]
    for at, trouble, seconds in sorted(troubles):
        world.run(at)
        victim = world.chance.choice(living)
        if trouble == "join":
            living.append(SimWorker(world, next(names), terms, world.chance.choice([1, 20, ALL_DUE])))
        elif trouble == "outage":
            world.away_until = max(world.away_until, world.now + seconds)
        elif trouble == "freeze":
            victim.frozen_until = world.now + seconds
        elif trouble == "cut":
            victim.cut_off_until = world.now + seconds
        elif trouble == "burst":
            victim.queue = 0 if victim.queue > 100 else ALL_DUE
        elif len(living) > 1:
            living.remove(victim)
            if trouble == "stop":
                victim.stop()
            victim.alive = False
    world.run(55)
    return world, living


@given(st.integers(0, 2**32), TROUBLES, st.integers(1, 3), st.sampled_from([1, 3]))
@settings(max_examples=60)
def test_a_concurrency_is_never_exceeded_and_every_worker_gets_its_turn(
    seed: int, troubles: list[tuple[float, str, float]], workers: int, concurrency: int
) -> None:
    world, living = troubled(seed, Terms("k", None, concurrency), troubles, workers, TIMEOUT_S)
    for worker in living:
        worker.queue = ALL_DUE
    before, world.slowest_s = world.now, 0.5
    world.run(before + CALM_S)
    assert most_in_flight(world.attempts) <= concurrency
    calm = {one.worker for one in world.attempts if one.began > before}
    assert calm == {worker.name for worker in living}


@given(st.integers(0, 2**32), TROUBLES, st.integers(1, 3), st.sampled_from([0.2, 1, 5, 40]))
@settings(max_examples=60)
def test_a_rate_is_never_exceeded_and_is_used_fully_once_all_is_calm(
    seed: int, troubles: list[tuple[float, str, float]], workers: int, rate: float
) -> None:
    world, living = troubled(seed, Terms("k", rate, None), troubles, workers, 0.5)
    for worker in living:
        worker.queue = ALL_DUE
    before = world.now + 15
    world.run(before + CALM_S)
    most = 1 if rate < 1 else int(rate)
    assert most_in_a_window([one.arrived for one in world.attempts], max(1.0, 1 / rate)) <= most
    calm = [one for one in world.attempts if before < one.began]
    assert len(calm) >= CALM_S * rate * 0.7
    assert {one.worker for one in calm} == {worker.name for worker in living}


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_with_all_that_waits_at_one_worker_it_gets_the_whole_rate(workers: int) -> None:
    world = LeaseWorld(Random(1), slowest_s=0.02)
    world.answer_s = lambda: 0.005  # type: ignore[method-assign]
    _, *others = (SimWorker(world, f"w{number}", Terms("k", 5, None), ALL_DUE) for number in range(workers))
    world.run(10)
    for other in others:
        other.queue = 0
    world.run(20)
    assert len([one for one in world.attempts if 10 < one.began <= 15]) >= 0.9 * 5 * 5
    assert most_in_a_window([one.arrived for one in world.attempts], 1.0) == 5


def test_an_idle_limit_costs_no_records() -> None:
    world = LeaseWorld(Random(1))
    worker = SimWorker(world, "w", Terms("k", 5, None), 3)
    world.run(20)
    length = len(world.log)
    world.run(200)
    assert (len(world.log), len(world.attempts), worker.member.active) == (length, 3, False)


def test_the_order_of_the_records_decides() -> None:
    log, used = LeaseLog(), Pacing(paused=5)
    assert log.apply(10, LeaseRecord(worker="A", number=0, claims=("k",))) == []
    assert log.apply(11, LeaseRecord(worker="B", number=0, claims=("k",))) == []
    log.apply(12, LeaseRecord(worker="A", number=1))
    assert log.line("k") == ["A", "B"]
    released = LeaseRecord(worker="A", number=2, releases=(Release(key="k", pacing=used),), claims=("k",))
    assert log.apply(13, released) == [("k", "A", used)]
    assert log.line("k") == ["B", "A"]
    assert log.apply(14, released) == []  # a duplicate
    log.apply(15, LeaseRecord(worker="B", number=1))
    assert log.apply(16, LeaseRecord(worker="A", number=3, evictions=(Eviction(worker="B", last=11),))) == []
    assert log.apply(17, LeaseRecord(worker="A", number=4, evictions=(Eviction(worker="B", last=15),))) == [("k", "B", None)]
    assert log.line("k") == ["A"]
    # one that has not used the limit leaves no usage, and the usage before it stands
    assert log.apply(18, LeaseRecord(worker="A", number=5, releases=(Release(key="k"),))) == []
    assert log.line("k") == []


def test_of_two_holders_evicted_in_a_row_the_one_heard_last_decides_when_the_limit_may_have_been_used() -> None:
    member = LeaseMember("Z")
    for offset, (at, record) in enumerate(
        [
            (0.0, LeaseRecord(worker="X", number=0, claims=("k",))),
            (0.0, LeaseRecord(worker="Y", number=0, claims=("k",))),
            (3.0, LeaseRecord(worker="X", number=1)),
            (9.0, LeaseRecord(worker="Q", number=0, evictions=(Eviction(worker="X", last=2), Eviction(worker="Y", last=1)))),
        ]
    ):
        member.read(offset, record, at)
    predecessor = member.predecessor("k")
    assert predecessor is not None
    assert (predecessor.pacing, predecessor.at) == (None, 3.0 + TERM_S - MARGIN_S)


def test_a_lease_that_passes_to_a_dead_worker_is_inherited_with_the_usage_before_it() -> None:
    member, used = LeaseMember("Z"), Release(key="k", pacing=Pacing(arrivals=((5, 1),)))
    for offset, (at, record) in enumerate(
        [
            (0.0, LeaseRecord(worker="X", number=0, claims=("k",))),
            (0.0, LeaseRecord(worker="Y", number=0, claims=("k",))),
            (9.0, LeaseRecord(worker="X", number=1, releases=(used,))),
            (9.1, LeaseRecord(worker="X", number=2, evictions=(Eviction(worker="Y", last=1),))),
        ]
    ):
        member.read(offset, record, at)
    predecessor = member.predecessor("k")
    assert predecessor is not None
    assert (predecessor.pacing, predecessor.at) == (None, 9.0)


@given(st.lists(RECORDS, max_size=40))
def test_any_records_leave_lines_in_which_everybody_can_be_evicted(records: list[LeaseRecord]) -> None:
    log = LeaseLog()
    for offset, record in enumerate(records):
        log.apply(offset, LeaseRecord.model_validate_json(record.to_json()))
    for key in "abc":
        line = log.line(key)
        assert len(set(line)) == len(line)
        assert all(worker in log.last and key in log.keys(worker) for worker in line)
    for number, worker in enumerate(sorted(log.last)):
        log.apply(
            100 + number, LeaseRecord(worker="z", number=number, evictions=(Eviction(worker=worker, last=log.last[worker]),))
        )
    assert [log.line(key) for key in "abc"] == [[], [], []]


@given(st.integers(0, 2**32), st.lists(st.floats(4, 20), min_size=1, max_size=3))
@settings(max_examples=30)
def test_an_outage_of_kafka_evicts_nobody(seed: int, outages: list[float]) -> None:
    world = LeaseWorld(Random(seed))
    for number in range(3):
        SimWorker(world, f"w{number}", Terms("k", 5, None), ALL_DUE)
    for seconds in outages:
        world.run(world.now + 10)
        world.away_until = world.now + seconds
        world.run(world.away_until)
    world.run(world.now + 10)
    assert [record for record, _ in world.log if record.evictions] == []
