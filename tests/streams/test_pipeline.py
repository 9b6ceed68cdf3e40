"""One partition's cycles, on tables in memory."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from producers.interface import Refused
from schemas.event import Entity
from tests.eventually import until
from tests.streams.memory import BEGINNING, MemoryProvider, image, observed
from tests.streams.partition import LATER, Partition, changes, deferred, pbs, show


@pytest.fixture
def provider():
    return MemoryProvider()


async def test_a_batch_is_published_in_order_and_repeats_are_dropped(provider):
    records = await Partition(provider).feed(observed("a", 1), observed("b", 2), observed("a", 1), observed("a", 3))
    assert [event.id for event in changes(records)] == ["tmdb:movie:a:1", "tmdb:movie:b:2", "tmdb:movie:a:3"]
    assert changes(records)[0].data.entity.name == "Movie a"
    assert changes(records)[0].data.enrichment.status == "complete"


async def test_an_entity_is_asked_for_once_however_many_of_its_events_are_in_a_batch(provider):
    await Partition(provider).feed(*(observed("a", edit) for edit in range(10)))
    assert provider.asked == ["a"]


async def test_an_event_that_cannot_be_read_goes_to_the_dead_topic_as_it_came_and_the_rest_goes_on(provider):
    records = await Partition(provider).feed(b"{not json", observed("a", 1))
    assert len(changes(records)) == 1
    (dead,) = [record for record in records if record.topic == "changecast.dead"]
    assert dead.value == b"{not json"
    assert dict(dead.headers)["changecast-reason"] == b"bad-event"
    assert dict(dead.headers)["changecast-origin-offset"] == b"0"


async def test_a_slow_entity_is_deferred_and_others_are_not_held_up(provider, tmp_path):
    provider.stuck = tmp_path / "stuck"
    provider.stuck.write_text("slow")
    partition = Partition(provider, budget=0.2)
    first = await partition.feed(observed("slow", 1), observed("a", 2))
    assert [event.id for event in changes(first)] == ["tmdb:movie:a:2"]
    assert [record.key for record in deferred(first)] == [b"tmdb:movie:slow:1"]
    assert orjson.loads(deferred(first)[0].value)["offset"] == 0
    second = await partition.feed(observed("slow", 3))
    assert changes(second) == []
    assert [record.key for record in deferred(second)] == [b"tmdb:movie:slow:3"]


async def test_deferred_events_are_published_in_raw_order_with_their_tombstones(provider, tmp_path):
    provider.stuck = tmp_path / "stuck"
    provider.stuck.write_text("slow")
    partition = Partition(provider, budget=0.1)
    await partition.feed(observed("slow", 1), observed("slow", 2))
    provider.stuck.unlink()
    records = []

    async def published():
        records[:] = await partition.feed()
        return changes(records)

    await until(published)
    assert [event.id for event in changes(records)] == ["tmdb:movie:slow:1", "tmdb:movie:slow:2"]
    assert [(record.key, record.value) for record in deferred(records)] == [
        (b"tmdb:movie:slow:1", None),
        (b"tmdb:movie:slow:2", None),
    ]


async def test_a_fault_in_reading_fails_that_entity_and_no_other(provider):
    provider.answers["bad"] = KeyError("a bug of ours")
    records = await Partition(provider).feed(observed("bad", 1), observed("a", 2))
    assert [event.data.enrichment.status for event in changes(records)] == ["failed", "complete"]
    assert changes(records)[0].data.changes[0].key == "overview"


async def test_the_first_sight_of_an_entity_is_a_baseline(provider):
    provider.answers["1"] = show("Nature")
    (event,) = changes(await Partition(provider).feed(pbs(1)))
    assert event.data.enrichment.baseline
    assert [(change.key, change.action) for change in event.data.changes] == [("entity", "updated")]
    assert event.type == "changecast.pbs.series.entity.updated"


async def test_a_second_fetch_tells_what_changed_with_before_and_after(provider):
    provider.answers["1"] = show("Nature", BEGINNING + timedelta(seconds=2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II", images=[image("/new.jpg")])
    (event,) = changes(await partition.feed(pbs(10)))
    assert [(c.key, c.action, c.before, c.native_id) for c in event.data.changes] == [
        ("title", "updated", "Nature", None),
        ("images", "added", None, "/new.jpg"),
    ]
    assert event.data.changes[0].after == "Nature II"
    assert [picture.path for picture in event.data.images] == ["/new.jpg"]
    assert not event.data.enrichment.baseline
    assert event.type == "changecast.pbs.series.entity.updated"


async def test_a_burst_is_told_by_its_first_event_and_the_others_have_no_changes(provider):
    provider.answers["1"] = show("Nature", BEGINNING + timedelta(seconds=2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II")
    events = changes(await partition.feed(pbs(10), pbs(11), pbs(12)))
    assert [len(event.data.changes) for event in events] == [1, 0, 0]
    assert len(provider.asked) == 2


async def test_an_event_that_the_last_fetch_covers_needs_no_new_one(provider):
    provider.answers["1"] = show("Nature", LATER)
    partition = Partition(provider)
    await partition.feed(pbs(1))
    (event,) = changes(await partition.feed(pbs(2)))
    assert event.data.changes == []
    assert event.data.enrichment.status == "complete"
    assert provider.asked == ["1"]


async def test_a_replay_after_a_kill_tells_the_same_change_again_even_if_the_fetch_brings_more(provider):
    provider.answers["1"] = show("Nature", BEGINNING + timedelta(seconds=2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = show("Nature II", BEGINNING + timedelta(seconds=11))
    await partition.feed(pbs(10), commit=False)
    provider.answers["1"] = show("Nature III", BEGINNING + timedelta(seconds=12))
    (event,) = changes(await partition.restarted(provider).feed(pbs(10)))
    assert [(change.before, change.after) for change in event.data.changes] == [("Nature", "Nature III")]


async def test_an_entity_that_is_gone_is_deleted_with_its_last_state(provider):
    provider.answers["1"] = show("Nature", BEGINNING + timedelta(seconds=2))
    partition = Partition(provider)
    await partition.feed(pbs(1))
    gone = Entity(type="series", native_type="show", id="1")
    provider.answers["1"] = Refused(gone, forbidden=False, fetched_at=LATER)
    (event,) = changes(await partition.feed(pbs(10)))
    (change,) = event.data.changes
    assert (change.key, change.action, change.before["title"]) == ("entity", "deleted", "Nature")
    assert event.data.enrichment.status == "not_found"
    assert event.data.entity.name == "Nature"


async def test_an_entity_that_never_was_readable_is_forbidden_with_the_providers_action(provider):
    provider.answers["1"] = Refused(Entity(type="series", native_type="show", id="1"), forbidden=True, fetched_at=LATER)
    (event,) = changes(await Partition(provider).feed(pbs(1)))
    assert event.data.enrichment.status == "forbidden"
    assert [(change.key, change.action) for change in event.data.changes] == [("entity", "updated")]


async def test_an_entity_with_nothing_to_fetch_is_skipped(provider):
    provider.answers["1"] = None
    (event,) = changes(await Partition(provider).feed(pbs(1)))
    assert event.data.enrichment.status == "skipped"


async def test_what_a_partial_answer_lacks_is_not_deleted_and_not_added_again_later(provider):
    whole = show("Nature", BEGINNING + timedelta(seconds=2), images=[image("/a.jpg")], status="on air")
    provider.answers["1"] = whole
    partition = Partition(provider)
    await partition.feed(pbs(1))
    provider.answers["1"] = replace(show("Nature II", BEGINNING + timedelta(seconds=11)), partial=True)
    (partial,) = changes(await partition.feed(pbs(10)))
    provider.answers["1"] = replace(whole, fields={**whole.fields, "title": "Nature II"}, fetched_at=LATER)
    (later,) = changes(await partition.feed(pbs(20)))
    assert [change.key for change in partial.data.changes] == ["title"]
    assert partial.data.enrichment.status == "partial"
    assert later.data.changes == []


async def test_a_volatile_field_is_no_change(provider):
    partition = Partition(provider, volatile=["rating"])
    for edit, (title, rating) in enumerate([("Nature", 1), ("Nature", 2), ("Nature II", 3)]):
        provider.answers["1"] = show(title, BEGINNING + timedelta(seconds=10 * edit + 1), rating=rating)
        (event,) = changes(await partition.feed(pbs(10 * edit)))
        assert [change.key for change in event.data.changes] == [["entity"], [], ["title"]][edit]


async def test_an_event_whose_publishing_fails_is_dead_and_the_others_go_on(provider):
    class Faulty(MemoryProvider):
        def pictured(self, change, images):
            if change.after == "version 1":
                raise KeyError("a bug of ours")
            return []

    partition = Partition(Faulty())
    records = await partition.feed(observed("bad", 1), observed("good", 2))
    assert [event.subject for event in changes(records)] == ["tmdb:movie:good"]
    (dead,) = [record for record in records if record.topic == "changecast.dead"]
    assert dict(dead.headers)["changecast-reason"] == b"fault"
    assert b"tmdb:movie:bad:1" not in partition.seen.rows, "putting it back is no repeat"
    assert b"tmdb:movie:good:2" in partition.seen.rows


@pytest.mark.parametrize("year", [1, 9999])
async def test_a_time_at_the_end_of_time_is_no_fault(provider, year):
    strange = observed("a", 1).model_copy(update={"time": datetime(year, 12, 31, tzinfo=UTC)})
    (event,) = changes(await Partition(provider).feed(strange))
    assert event.data.enrichment.status == "complete"


async def test_an_event_dated_in_the_future_does_not_make_what_is_known_look_old(provider):
    partition = Partition(provider)
    await partition.feed(observed("a", 1))
    before = dict(partition.seen.rows)
    await partition.feed(observed("b", 1).model_copy(update={"time": datetime(2099, 1, 1, tzinfo=UTC)}))
    assert partition.seen.rows[b"tmdb:movie:b:1"] == before[b"tmdb:movie:a:1"]


async def test_a_last_state_that_cannot_be_read_is_taken_as_unknown(provider):
    provider.answers["1"] = show("Nature")
    partition = Partition(provider)
    partition.snapshots.rows[b"pbs:series:1"] = b"from another version"
    (event,) = changes(await partition.feed(pbs(1)))
    assert event.data.enrichment.baseline


async def test_a_state_that_is_too_large_is_not_kept_and_the_event_is_published(provider):
    provider.answers["1"] = show("Nature", noise=random.Random(1).randbytes(4_000_000).hex())
    partition = Partition(provider)
    (event,) = changes(await partition.feed(pbs(1)))
    assert event.data.enrichment.baseline
    assert b"pbs:series:1" not in partition.snapshots.rows
