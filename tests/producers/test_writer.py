"""Pages into a real Kafka."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from aiokafka.errors import ProducerFenced

from producers.interface import BrokenItem, Page
from producers.output import MAX_VALUE_BYTES
from producers.writer import FeedWriter, Remembered, load_cursor
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas import dead
from schemas.cursor import Cursor
from tests.streams.memory import observed


def cursor(page: int) -> Cursor:
    moment = datetime(2025, 1, 21, tzinfo=UTC)
    return Cursor(provider="tmdb", feed="movie", read_to=moment, position={"page": page}, saved_at=moment)


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider("tmdb")])
    return cluster


async def written(cluster: Cluster) -> list[str]:
    records = [record async for record in read_to_end(cluster, cluster.topics.raw("tmdb").name)]
    return sorted(dict(record.headers)["ce_id"].decode() for record in records)


async def test_a_page_is_written_with_its_cursor_and_the_next_start_goes_on_there(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        assert writer.cursor is None
        assert await writer.write(Page((observed("1", 1), observed("2", 2)), cursor(1))) == 2
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        assert writer.cursor == cursor(1)
    assert await written(cluster) == ["tmdb:movie:1:1", "tmdb:movie:2:2"]


async def test_events_are_written_under_their_entity_with_cloudevents_headers(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        await writer.write(Page((observed("1", 1),), cursor(1)))
    (record,) = [record async for record in read_to_end(cluster, cluster.topics.raw("tmdb").name)]
    assert record.key == b"tmdb:movie:1"
    assert dict(record.headers)["content-type"] == b"application/cloudevents+json"
    assert dict(record.headers)["ce_subject"] == b"tmdb:movie:1"


async def test_a_repeat_within_the_process_is_not_written_again(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        assert await writer.write(Page((observed("1", 1),), cursor(1))) == 1
        assert await writer.write(Page((observed("1", 1), observed("1", 2)), cursor(2))) == 1
    assert await written(cluster) == ["tmdb:movie:1:1", "tmdb:movie:1:2"]


async def test_a_broken_item_is_kept_as_it_came_and_the_page_goes_on(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        broken = BrokenItem("no-entity-id", "an entry without an id", b'{"id": null}')
        await writer.write(Page((observed("1", 1),), cursor(1), (broken,)))
    (record,) = [record async for record in read_to_end(cluster, cluster.topics.dead.name)]
    assert record.value == b'{"id": null}'
    assert dict(record.headers)[dead.REASON] == b"no-entity-id"
    assert dict(record.headers)[dead.ORIGIN_TOPIC] == b"tmdb:movie"
    assert await written(cluster) == ["tmdb:movie:1:1"]


async def test_what_is_too_large_for_kafka_is_kept_as_far_as_it_goes_and_does_not_stop_the_feed(cluster):
    huge = observed("1", 1)
    huge = huge.model_copy(update={"data": huge.data.model_copy(update={"updated_fields": ["x" * (MAX_VALUE_BYTES + 1)]})})
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        await writer.bury(BrokenItem("bad-json", "not JSON", b"{" * (MAX_VALUE_BYTES + 1)))
        await writer.write(Page((huge, observed("1", 2)), cursor(1)))
    dead_letters = [record async for record in read_to_end(cluster, cluster.topics.dead.name)]
    assert [dict(record.headers)[dead.REASON] for record in dead_letters] == [b"bad-json", b"too-large"]
    assert {len(record.value) for record in dead_letters} == {MAX_VALUE_BYTES}
    assert b"cut" in dict(dead_letters[0].headers)[dead.ERROR]
    assert await written(cluster) == ["tmdb:movie:1:2"]


async def test_a_second_writer_fences_the_first_and_nothing_of_the_first_is_left(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as first:
        await first.write(Page((observed("1", 1),), cursor(1)))
        async with FeedWriter(cluster, "tmdb", "movie") as second:
            with pytest.raises(ProducerFenced):
                await first.write(Page((observed("1", 2),), cursor(2)))
            assert second.cursor == cursor(1)
    assert await written(cluster) == ["tmdb:movie:1:1"]
    assert await load_cursor(cluster, "tmdb", "movie") == cursor(1)


async def test_cursors_of_other_feeds_are_their_own(cluster):
    async with FeedWriter(cluster, "tmdb", "movie") as writer:
        await writer.write(Page((), cursor(5)))
    assert await load_cursor(cluster, "tmdb", "tv") is None


def test_the_memory_of_what_was_written_is_bounded_and_forgets_the_oldest():
    remembered = Remembered(limit=2)
    events = [observed("1", edit) for edit in range(3)]
    remembered.add(events)
    assert len(remembered) == 2
    assert remembered.new(events) == events[:1]
