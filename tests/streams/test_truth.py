"""What is published is true of the catalogue: late routes, stale answers, lists cut short, refusals that are the provider's trouble."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from producers.interface import Fetched, Refused
from schemas.event import Action, ChangeEvent, Entity, ObservedEvent
from streams.enrich import Sighting
from streams.looks import Looks
from streams.reading import EntityReader, Patience, Question
from tests.streams.memory import BEGINNING, MemoryProvider, observed
from tests.streams.partition import Partition, changes
from tests.streams.stepped import SteppedClock

MINUTE = 60.0


@dataclass
class Catalogue(MemoryProvider):
    """A provider with series by id, on the clock's time. `lag_s`: its cache shows the state of so long ago, and says so. `gone`: refused
    in its own words. `seen`: (id, minute) of each question."""

    clock: SteppedClock = field(default_factory=lambda: SteppedClock(BEGINNING))
    series: dict[str, dict[str, Any]] = field(default_factory=dict)
    updated_at: dict[str, datetime] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    lag_s: float = 0.0
    seen: list[tuple[str, float]] = field(default_factory=list)

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        self.seen.append((entity.id, self.clock.monotonic() / MINUTE))
        as_of = self.clock.now() - timedelta(seconds=self.lag_s)
        if entity.id in self.gone:
            return Refused(entity, forbidden=False, fetched_at=as_of)
        fields = dict(self.series.get(entity.id, {"title": entity.id}))
        episodes = fields.pop("episodes", {})
        return Fetched(
            entity,
            as_of,
            fields,
            {"episodes": episodes} if episodes else {},
            updated_at=self.updated_at.get(entity.id),
            cached=self.lag_s > 0,
            expires_in_s=None,
        )


class World:
    """One partition on a clock. The catalogue's entity 1 is known from its first event on."""

    def __init__(self, **options: Any) -> None:
        self.clock = SteppedClock(BEGINNING)
        self.catalogue = Catalogue(name="pbs", clock=self.clock, series={"1": {"title": "Nature"}})
        patience = Patience(settle=timedelta(0))
        self.partition = Partition(self.catalogue, clock=self.clock, patience=patience, looks=Looks(), **options)
        self.edits = 0

    def event(self, entity_id: str = "1", *, ago_s: float = 0.0, action: Action = Action.UPDATED) -> ObservedEvent:
        """Something happened to the entity, by its feed, just now."""
        self.edits += 1
        made = observed(entity_id, self.edits, entity_type="series", provider="pbs")
        data = made.data.model_copy(update={"action": action, "observed_at": self.clock.now()})
        return made.model_copy(update={"time": self.clock.now() - timedelta(seconds=ago_s), "data": data})

    async def feed(self, *events: ObservedEvent) -> list[ChangeEvent]:
        return changes(await self.partition.feed(*events))

    async def after(self, minutes: float) -> list[ChangeEvent]:
        """What is published within this time."""
        published: list[ChangeEvent] = []
        for _ in range(int(minutes * 4)):
            await self.clock.run(MINUTE / 4)
            published += await self.feed()
        return published

    async def known(self, *entity_ids: str) -> None:
        """First sights, published and settled an hour and more ago."""
        for entity_id in entity_ids or ("1",):
            assert len(await self.feed(self.event(entity_id))) == 1
        await self.after(70)
        self.catalogue.seen.clear()

    def looks_since(self, minute: float) -> list[float]:
        return [round(at - minute, 2) for _, at in self.catalogue.seen]

    @property
    def minute(self) -> float:
        return self.clock.monotonic() / MINUTE


def told(events: list[ChangeEvent]) -> list[list[tuple[str, str]]]:
    return [[(change.key, change.action) for change in event.data.changes] for event in events]


async def test_an_entity_that_shows_no_change_is_looked_at_again_and_published_as_unchanged_after_an_hour() -> None:
    world = World()
    await world.known()
    began = world.minute
    assert await world.feed(world.event()) == []
    assert await world.after(59) == []
    (event,) = await world.after(2)
    assert event.data.changes == []
    assert world.looks_since(began) == [0, 1, 3, 10, 30, 60]


async def test_a_change_that_the_routes_show_late_is_published_once_and_carried_by_the_first_waiting_event() -> None:
    world = World()
    await world.known()
    first, second = world.event(), world.event()
    assert await world.feed(first) == []
    assert await world.after(2) == []
    assert await world.feed(second) == []
    world.catalogue.series["1"] = {"title": "Nature II"}
    events = await world.after(10)
    assert [event.id for event in events] == [first.id, second.id]
    assert told(events) == [[("title", "updated")], []]
    assert await world.after(70) == []


async def test_each_event_waits_for_its_own_hour() -> None:
    world = World()
    await world.known()
    assert await world.feed(world.event()) == []
    assert await world.after(40) == []
    assert await world.feed(world.event()) == []
    assert len(await world.after(25)) == 1
    assert len(await world.after(40)) == 1


async def test_a_record_that_is_not_older_than_the_event_counts_at_once() -> None:
    world = World()
    await world.known()
    world.catalogue.updated_at["1"] = world.clock.now()
    (event,) = await world.feed(world.event())
    assert event.data.changes == []


async def test_a_first_sight_of_a_record_that_is_older_than_the_event_is_looked_at_again() -> None:
    world = World()
    world.catalogue.updated_at["1"] = world.clock.now() - timedelta(hours=5)
    assert await world.feed(world.event()) == []
    assert await world.after(2) == []
    world.catalogue.updated_at["1"] = world.clock.now()
    world.catalogue.series["1"] = {"title": "Nature II"}
    (event,) = await world.after(8)
    assert event.data.enrichment.baseline


async def test_an_event_that_is_older_than_the_last_step_is_looked_at_once() -> None:
    world = World()
    await world.known()
    (event,) = await world.feed(world.event(ago_s=3 * 3600))
    assert event.data.changes == []
    assert len(world.catalogue.seen) == 0, "the snapshot was read long after it"
    world.partition.snapshots.rows.clear()
    (event,) = await world.feed(world.event(ago_s=2 * 3600))
    assert event.data.enrichment.baseline
    assert len(world.catalogue.seen) == 1


async def test_a_snapshot_does_not_cover_a_later_event_because_it_was_read_later() -> None:
    world = World()
    await world.known()
    (event,) = await world.feed(world.event(ago_s=70 * MINUTE - 5))
    assert event.data.changes == []
    assert await world.feed(world.event(ago_s=30)) == [], "the snapshot was not read an hour after it"


async def test_an_answer_that_is_older_than_the_snapshot_changes_nothing_back() -> None:
    world = World()
    await world.known()
    world.catalogue.series["1"] = {"title": "Nature II"}
    assert told(await world.feed(world.event())) == [[("title", "updated")]]
    world.catalogue.series["1"] = {"title": "Nature"}
    world.catalogue.lag_s = 3 * 3600
    assert await world.feed(world.event()) == []
    assert await world.after(30) == []
    world.catalogue.series["1"], world.catalogue.lag_s = {"title": "Nature III"}, 0
    (event,) = await world.after(3)
    assert [(change.before, change.after) for change in event.data.changes] == [("Nature II", "Nature III")]


async def test_an_event_of_which_only_stale_answers_come_is_partial_after_an_hour_and_the_change_is_told_later() -> None:
    world = World()
    await world.known()
    world.catalogue.lag_s = 8 * 3600
    assert await world.feed(world.event()) == []
    assert await world.after(58) == []
    (event,) = await world.after(4)
    assert event.data.enrichment.status == "partial"
    assert told([event]) == [[("entity", "updated")]]
    world.catalogue.series["1"], world.catalogue.lag_s = {"title": "Nature II"}, 0
    assert told(await world.feed(world.event())) == [[("title", "updated")]]


async def test_a_list_that_has_lost_most_of_its_members_is_looked_at_again_before_that_is_published() -> None:
    world = World()
    episodes = {str(number): {"name": f"Part {number}"} for number in range(12)}
    world.catalogue.series["1"] = {"title": "Nature", "episodes": episodes}
    await world.known()
    world.catalogue.series["1"] = {"title": "Nature II", "episodes": {"0": episodes["0"]}}
    assert await world.feed(world.event()) == []
    assert await world.after(9) == []
    world.catalogue.series["1"] = {"title": "Nature II", "episodes": episodes}
    assert told(await world.after(2)) == [[("title", "updated")]]


async def test_a_list_that_stays_short_is_believed_after_two_more_looks() -> None:
    world = World()
    episodes = {str(number): {"name": f"Part {number}"} for number in range(12)}
    world.catalogue.series["1"] = {"title": "Nature", "episodes": episodes}
    await world.known()
    world.catalogue.series["1"] = {"title": "Nature", "episodes": {str(number): episodes[str(number)] for number in range(3)}}
    began = world.minute
    assert await world.feed(world.event()) == []
    assert await world.after(30) == []
    assert await world.feed(world.event()) == [], "another event makes it no more likely"
    assert await world.after(39) == []
    events = await world.after(2)
    assert told(events)[0] == [("episodes", "deleted")] * 9
    assert [round(minute) for minute in world.looks_since(began)] == [0, 10, 30, 70]


@pytest.mark.parametrize("remaining", [4, 6])
async def test_a_few_lost_members_are_published_at_once(remaining: int) -> None:
    world = World()
    total = 8 if remaining == 4 else 12
    episodes = {str(number): {} for number in range(total)}
    world.catalogue.series["1"] = {"title": "Nature", "episodes": episodes}
    await world.known()
    world.catalogue.series["1"] = {"title": "Nature", "episodes": {str(number): {} for number in range(remaining)}}
    (event,) = await world.feed(world.event())
    assert len(event.data.changes) == total - remaining


async def test_an_entity_that_is_refused_for_a_moment_is_not_deleted() -> None:
    world = World()
    await world.known()
    world.catalogue.gone = {"1"}
    assert await world.feed(world.event()) == []
    assert await world.after(10) == []
    world.catalogue.gone, world.catalogue.series["1"] = set(), {"title": "Nature II"}
    assert told(await world.after(10)) == [[("title", "updated")]]


async def test_an_entity_that_stays_refused_while_others_are_found_is_deleted_with_its_last_state() -> None:
    world = World()
    await world.known()
    world.catalogue.gone = {"1"}
    assert await world.feed(world.event()) == []
    await world.feed(world.event("2"))
    assert await world.after(14) == []
    (event,) = await world.after(2)
    assert told([event]) == [[("entity", "deleted")]]
    assert event.data.changes[0].before["title"] == "Nature"


async def test_the_only_entity_of_a_watch_list_is_deleted_when_the_provider_answers_otherwise() -> None:
    world = World()
    await world.known()
    world.catalogue.gone, world.catalogue.away = {"1"}, True
    assert await world.feed(world.event()) == []
    assert await world.after(60) == []
    world.catalogue.away = False
    assert told(await world.after(3)) == [[("entity", "deleted")]]


async def test_a_provider_that_has_lost_everything_deletes_nothing_and_holds_up_nothing_else() -> None:
    world = World()
    everything = [str(number) for number in range(1, 301)]
    await world.known(*everything)
    world.catalogue.gone = set(everything)
    assert await world.feed(*(world.event(entity_id) for entity_id in everything)) == []
    assert await world.after(120) == []
    (new,) = await world.feed(world.event("new"))
    assert new.data.enrichment.status == "complete"
    world.catalogue.gone = set()
    for entity_id in everything:
        world.catalogue.series[entity_id] = {"title": "back"}
    events = await world.after(20)
    assert len(events) == 300
    assert all(told([event]) == [[("title", "updated")]] for event in events)


async def test_a_true_clean_up_is_published() -> None:
    world = World()
    everything = [str(number) for number in range(1, 101)]
    await world.known(*everything)
    world.catalogue.gone = set(everything[:46])
    for entity_id in everything[46:]:
        world.catalogue.series[entity_id] = {"title": "changed"}
    events = await world.feed(*(world.event(entity_id) for entity_id in everything))
    assert len(events) == 54
    deleted = await world.after(20)
    assert sorted(event.data.entity.id for event in deleted) == sorted(everything[:46])
    assert {change for changes in told(deleted) for change in changes} == {("entity", "deleted")}


async def test_a_deletion_that_the_feed_names_is_published_at_once() -> None:
    world = World()
    await world.known()
    world.catalogue.gone = {"1"}
    assert told(await world.feed(world.event(action=Action.DELETED))) == [[("entity", "deleted")]]


async def test_a_deletion_that_the_feed_names_is_never_covered_by_a_newer_snapshot() -> None:
    world = World()
    await world.known()
    world.catalogue.gone = {"1"}
    late = world.event(action=Action.DELETED, ago_s=69 * MINUTE)
    assert told(await world.feed(late)) == [[("entity", "deleted")]]


async def test_a_deletion_that_the_feed_names_of_what_is_there_is_published_as_unchanged_after_an_hour() -> None:
    world = World()
    await world.known()
    world.catalogue.updated_at["1"] = world.clock.now() + timedelta(minutes=1)
    assert await world.feed(world.event(action=Action.DELETED)) == []
    assert await world.after(59) == []
    assert told(await world.after(2)) == [[]]


async def test_while_everything_is_refused_deletions_that_the_feed_names_are_held() -> None:
    world = World()
    everything = [str(number) for number in range(1, 41)]
    await world.known(*everything)
    world.catalogue.gone = set(everything)
    assert await world.feed(*(world.event(entity_id) for entity_id in everything[1:])) == []
    assert await world.feed(world.event(action=Action.DELETED)) == []
    assert await world.after(30) == []


async def test_a_cached_refusal_is_no_witness() -> None:
    world = World()
    await world.known()

    class Cached(Catalogue):
        async def fetch(self, entity: Entity) -> Fetched | Refused | None:
            answer = await super().fetch(entity)
            return replace(answer, cached=True) if isinstance(answer, Refused) else answer

    world.catalogue.gone = {"1"}
    world.catalogue.__class__ = Cached
    assert await world.feed(world.event()) == []
    assert await world.after(60) == []
    world.catalogue.__class__ = Catalogue
    assert told(await world.after(3)) == [[("entity", "deleted")]]


class Budget:
    """As much of a request budget as looking again is planned by."""

    rate = 10.0
    spent = 0


async def test_looking_again_takes_no_more_than_its_part_of_the_budget() -> None:
    clock = SteppedClock(BEGINNING)
    budget: Any = Budget()
    reader = EntityReader(Catalogue(clock=clock), Patience(settle=timedelta(0)), clock, budget=budget)
    budget.spent = 40
    for number in range(10):
        await reader.read(Question(Entity(type="series", native_type="show", id=str(number)), BEGINNING))
    # four requests an entity, one request a second
    waits = [reader.reserve_look(BEGINNING) for _ in range(1000)]
    assert waits == [4.0 * number for number in range(1000)]


@pytest.mark.parametrize("entities", [3_000])
async def test_thousands_of_entities_that_show_nothing_stop_no_partition(entities: int) -> None:
    world = World()
    names = [str(number) for number in range(entities)]
    for start in range(0, entities, 300):
        await world.feed(*(world.event(name) for name in names[start : start + 300]))
    await world.clock.run(70 * MINUTE)
    for start in range(0, entities, 300):
        assert await world.feed(*(world.event(name) for name in names[start : start + 300])) == []
    assert not world.partition.pipeline.full
    assert len(await world.feed(world.event("new"))) == 1
    await world.partition.pipeline.stop()


async def test_asking_about_thousands_at_the_start_leaves_the_loop_to_others_and_unpacks_nothing(caplog: Any) -> None:
    world = World()
    pipeline, table = world.partition.pipeline, world.partition.snapshots
    for number in range(3_000):
        event = world.event(str(number))
        pipeline._pending.add(Sighting(event, number, event.to_json()))
        table.rows[event.subject.encode()] = b"no state: it would be complained of when it is unpacked"
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(others())
    await pipeline._inquiry.start(asyncio.Event())
    ticking.cancel()
    await pipeline.stop()
    assert turns >= 30
    assert "can't be read" not in caplog.text
