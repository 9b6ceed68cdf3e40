"""One partition's cycles in odd moments: events of one entity that part, entities that go and come back, and what is too large."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import orjson
import pytest

from producers.gap import gap_event
from producers.interface import Fetched, Refused
from producers.resync import resync_event
from schemas.event import Entity, Parent
from schemas.topics import MAX_RECORD_BYTES, ROOM_BYTES
from streams.dedupe import Mark
from streams.raw import LONGEST_NAME
from tests.eventually import until
from tests.streams.memory import BEGINNING, MemoryProvider, image, observed
from tests.streams.partition import LATER, MemoryTable, Partition, changes, deferred, pbs, show

SERIES = Entity(type="series", native_type="show", id="1")


class Faulty(MemoryProvider):
    def pictured(self, change, images):
        raise KeyError("a bug of ours")


def at(second: float) -> datetime:
    return BEGINNING + timedelta(seconds=second)


def dead(records):
    return [record for record in records if record.topic == "changecast.dead"]


@pytest.fixture
def provider():
    return MemoryProvider()


@pytest.fixture
def stuck(provider, tmp_path):
    provider.stuck = tmp_path / "stuck"
    provider.stuck.write_text("1")
    return provider.stuck


async def answered(partition):
    """What the partition publishes when an answer has come."""
    records = []

    async def published():
        records.extend(await partition.feed())
        return records

    await until(published)
    return records


async def test_an_answer_that_is_older_than_a_later_event_tells_of_the_earlier_ones_only(provider, stuck):
    provider.answers["1"] = show("Nature", at(12))
    partition = Partition(provider, budget=0.05)
    await partition.feed(pbs(10), pbs(11))
    await partition.feed(pbs(20))
    stuck.unlink()
    first = await answered(partition)
    assert [event.id for event in changes(first)] == ["pbs:series:1:10", "pbs:series:1:11"]
    assert [record.key for record in deferred(first)] == [b"pbs:series:1:10", b"pbs:series:1:11"]
    provider.answers["1"] = show("Nature II", at(30))
    (second,) = changes(await answered(partition))
    assert (second.id, [change.key for change in second.data.changes]) == ("pbs:series:1:20", ["title"])
    assert len(provider.asked) == 2


async def test_a_resync_behind_deferred_events_asks_again_and_tells_the_state(provider, stuck):
    provider.answers["1"] = show("Nature", at(12))
    partition = Partition(provider, budget=0.05)
    await partition.feed(pbs(10))
    await partition.feed(resync_event("pbs", SERIES, at(20)))
    stuck.unlink()
    assert [event.id for event in changes(await answered(partition))] == ["pbs:series:1:10"]
    provider.answers["1"] = show("Nature", at(30))
    (told,) = changes(await answered(partition))
    assert [(change.key, change.after["title"]) for change in told.data.changes] == [("entity", "Nature")]


async def test_a_resync_asks_also_where_the_last_state_is_newer_than_it(provider):
    provider.answers["1"] = show("Nature", LATER)
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II", LATER)
    (told,) = changes(await partition.feed(resync_event("pbs", SERIES, at(20))))
    assert [change.key for change in told.data.changes] == ["entity", "title"]


async def test_what_was_deleted_before_a_waiting_event_is_a_baseline_when_that_is_answered(provider, stuck):
    provider.answers["1"] = show("Nature", at(2))
    stuck.write_text("")
    partition = Partition(provider, budget=0.05)
    await partition.feed(pbs(1))
    stuck.write_text("1")
    provider.answers["1"] = Refused(SERIES, forbidden=False, fetched_at=at(12))
    await partition.feed(pbs(10))
    await partition.feed(pbs(20))
    stuck.unlink()
    (gone,) = changes(await answered(partition))
    assert gone.data.changes[0].action == "deleted"
    provider.answers["1"] = show("Nature", at(30))
    (back,) = changes(await answered(partition))
    assert back.data.enrichment.baseline


async def test_an_entity_is_asked_for_as_the_event_names_it_that_knows_its_parents(provider):
    asked = []

    class Asked(MemoryProvider):
        async def fetch(self, entity):
            asked.append(entity)
            return await super().fetch(entity)

    parents = [Parent(type="series", id="1399"), Parent(type="season", id="3624", number=1)]
    edit = observed("7", 1, entity_type="episode")
    known = edit.data.entity.model_copy(update={"parents": parents})
    edit = edit.model_copy(update={"data": edit.data.model_copy(update={"entity": known})})
    await Partition(Asked()).feed(edit, resync_event("tmdb", Entity(type="episode", native_type="episode", id="7"), at(5)))
    assert [entity.parents for entity in asked] == [parents]


async def test_an_entity_that_was_deleted_and_comes_back_is_created_and_may_be_deleted_again(provider):
    provider.answers["1"] = show("Nature", at(2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = Refused(SERIES, forbidden=False, fetched_at=at(12))
    (gone,) = changes(await partition.feed(pbs(10)))
    assert [(change.key, change.action) for change in gone.data.changes] == [("entity", "deleted")]
    (still,) = changes(await partition.feed(pbs(11)))
    assert [(change.key, change.action) for change in still.data.changes] == [("entity", "updated")], "told once"
    provider.answers["1"] = show("Nature again", at(22))
    (back,) = changes(await partition.feed(pbs(20)))
    assert back.data.enrichment.baseline
    assert [(change.key, change.action, change.before) for change in back.data.changes] == [("entity", "created", None)]
    assert back.type == "changecast.pbs.series.entity.created"
    provider.answers["1"] = Refused(SERIES, forbidden=False, fetched_at=at(32))
    (again,) = changes(await partition.feed(pbs(30)))
    assert [(change.action, change.before["title"]) for change in again.data.changes] == [("deleted", "Nature again")]
    assert again.id != gone.id


async def test_only_the_first_event_of_what_is_gone_tells_its_last_state(provider):
    provider.answers["1"] = show("Nature", at(2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = Refused(SERIES, forbidden=True, fetched_at=at(22))
    first, second = changes(await partition.feed(pbs(10), pbs(11)))
    assert (first.data.changes[0].action, second.data.changes[0].action) == ("deleted", "updated")
    assert first.data.enrichment.status == second.data.enrichment.status == "forbidden"


async def test_what_is_too_large_for_a_record_is_dead_as_it_came_and_can_be_told_later(provider):
    provider.answers["1"] = show("Nature", at(2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II", at(12), text="x" * MAX_RECORD_BYTES)
    records = await partition.feed(pbs(10), observed("2", 10))
    assert [event.subject for event in changes(records)] == ["tmdb:movie:2"]
    (buried,) = dead(records)
    assert (buried.value, dict(buried.headers)["changecast-reason"]) == (pbs(10).to_json(), b"too-large")
    assert b"pbs:series:1:10" not in partition.seen.rows, "putting it back is no repeat"
    provider.answers["1"] = show("Nature II", at(22))
    (told,) = changes(await partition.feed(pbs(10)))
    assert [(change.key, change.before, change.after) for change in told.data.changes] == [("title", "Nature", "Nature II")]


async def test_an_event_in_a_writing_of_its_own_is_dead_byte_for_byte_also_when_it_was_deferred(provider, stuck):
    partition = Partition(Faulty(stuck=stuck), budget=0.05)
    odd = b"  " + orjson.dumps(orjson.loads(observed("1", 1).to_json()), option=orjson.OPT_INDENT_2) + b"\n"
    (waits,) = deferred(await partition.feed(odd))
    stuck.unlink()
    (buried,) = dead(await answered(partition))
    assert buried.value == odd
    assert waits.value == b'{"offset":0,"event":' + odd + b"}"


@pytest.mark.parametrize("value", [None, b"", b"[]", b'"\\ud800"', b"\xff" * 100])
async def test_no_bytes_stop_a_partition(provider, value):
    partition = Partition(provider)
    nothing = SimpleNamespace(key=None, value=value, message=SimpleNamespace(offset=0))
    outcome = await partition.pipeline.cycle([nothing])
    (buried,) = dead(outcome.records)
    assert (buried.key, buried.value) == (None, value or b"")


async def test_an_event_with_an_endless_name_is_dead(provider):
    long = observed("1", 1).model_copy(update={"id": "tmdb:" + "x" * LONGEST_NAME})
    (buried,) = dead(await Partition(provider).feed(long))
    assert dict(buried.headers)["changecast-error"] == b"an event whose id has 1005 characters"


async def test_an_event_as_large_as_may_be_fits_the_topics_for_what_waits_and_what_is_dead(provider, stuck):
    filled = observed("1", 1)
    (change,) = filled.data.changes
    rest = MAX_RECORD_BYTES - ROOM_BYTES - len(filled.to_json())
    data = filled.data.model_copy(update={"changes": [change.model_copy(update={"after": "x" * rest})]})
    partition = Partition(Faulty(stuck=stuck), budget=0.05)
    records = await partition.feed(filled.model_copy(update={"data": data}))
    stuck.unlink()
    records += await answered(partition)
    assert [record.topic for record in records if record.value] == ["changecast.deferred.tmdb", "changecast.dead"]
    sizes = [len(record.key) + len(record.value or b"") + sum(len(k) + len(v) for k, v in record.headers) for record in records]
    assert max(sizes) < MAX_RECORD_BYTES - ROOM_BYTES // 2


async def test_a_resync_or_a_gap_in_an_outage_does_not_make_what_is_known_look_old(provider):
    partition = Partition(provider)
    await partition.feed(observed("1", 1))
    later = at(0) + timedelta(days=40)
    await partition.feed(
        resync_event("tmdb", Entity(type="movie", native_type="movie", id="2"), later),
        gap_event("tmdb", "movie", at(0), at(60), "too old", later),
    )
    await partition.feed(next_of_the_feed := observed("3", 2))
    seen_at = {key.decode(): Mark.unpack(mark).seen_at for key, mark in partition.seen.rows.items()}
    assert seen_at[next_of_the_feed.id] == at(2).timestamp() * 1000
    assert seen_at[observed("1", 1).id] == at(1).timestamp() * 1000


async def test_a_state_of_which_a_part_is_missing_does_not_spare_the_next_fetch(provider):
    provider.answers["1"] = replace(show("Nature", LATER), partial=True)
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature", LATER, images=[image("/a.jpg")])
    (event,) = changes(await partition.feed(pbs(2)))
    assert event.data.enrichment.status == "complete"
    assert [change.native_id for change in event.data.changes] == ["/a.jpg"]


async def test_ids_are_forgotten_when_the_feed_has_gone_past_their_window(provider, monkeypatch):
    monkeypatch.setattr("streams.sweep.EVERY_S", 0.0)
    partition = Partition(provider)
    await partition.feed(observed("1", 1))
    await partition.feed(observed("1", 1 + 31 * 86_400))
    await partition.feed(observed("2", 1 + 31 * 86_400))
    ids = {key for key in partition.seen.rows if not key.startswith(b"\0")}  # the feed's time stands beside them
    assert ids == {b"tmdb:movie:1:2678401", b"tmdb:movie:2:2678401"}


async def test_a_partition_takes_no_more_in_while_too_many_events_wait(provider, stuck, monkeypatch):
    monkeypatch.setattr("streams.pipeline.MAX_PENDING", 2)
    partition = Partition(provider, budget=0.05)
    await partition.feed(observed("1", 1))
    assert not partition.pipeline.full
    await partition.feed(observed("1", 2))
    assert partition.pipeline.full
    stuck.unlink()
    await answered(partition)
    assert not partition.pipeline.full


async def test_what_is_answered_waits_no_budget_for_what_is_not(provider, stuck):
    partition = Partition(provider, budget=3_600)
    async with asyncio.timeout(20):
        records = await partition.feed(observed("1", 1), observed("2", 2))
    assert [event.id for event in changes(records)] == ["tmdb:movie:2:2"]
    assert [record.key for record in deferred(records)] == [b"tmdb:movie:1:1"]
    await partition.pipeline.stop()


async def test_a_batch_does_not_wait_for_what_may_not_be_read_yet(provider):
    partition = Partition(provider, settle=3_600, budget=3_000)
    now = observed("1", 1).model_copy(update={"time": datetime.now(UTC)})
    async with asyncio.timeout(20):
        assert [record.key for record in deferred(await partition.feed(now))] == [b"tmdb:movie:1:1"]
    await partition.pipeline.stop()
    assert provider.asked == []


async def test_an_answer_of_a_million_fields_is_told_or_kept_out_but_stops_nothing(provider):
    fields = {f"field {number}": number for number in range(1_000_000)}
    provider.answers["1"] = Fetched(SERIES, at(2), fields)
    partition = Partition(provider, tables=(MemoryTable(), MemoryTable()))
    (first,) = changes(await partition.feed(pbs(1)))
    assert first.data.enrichment.baseline
    provider.answers["1"] = Fetched(SERIES, at(12), {**fields, "field 7": "new"})
    (second,) = changes(await partition.feed(pbs(10)))
    known = b"pbs:series:1" in partition.snapshots.rows
    assert [change.key for change in second.data.changes] == (["field 7"] if known else ["entity"])
