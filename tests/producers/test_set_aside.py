"""What can't be read is in the dead topic once, however often it is read again, and by however many processes."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from changecast.provider.feeds import views
from producers.interface import BrokenItem, Page
from producers.output import MAX_VALUE_BYTES
from producers.poller import FeedPoller
from producers.set_aside import SetAside
from producers.writer import FeedWriter
from runtime.clock import ManualClock
from runtime.http import BadResponse
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas.cursor import Cursor
from schemas.dead_mark import DeadMark, is_dead_mark_key
from schemas.feed_status import is_status_key
from schemas.loan import is_loan_key
from tests.producers.pbs.changelog import ago, entry, reader
from tests.streams.memory import observed

NOON = datetime(2031, 3, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NULL_IDS = 113


def null_id(number: int, time: datetime | None = None) -> BrokenItem:
    return BrokenItem("no-entity-id", "no id", b'{"id": null, "n": %d}' % number, time)


def cursor(read_to: datetime) -> Cursor:
    return Cursor(provider="pbs", feed="changelog", read_to=read_to, saved_at=NOON)


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider("pbs")])
    return cluster


async def dead(cluster: Cluster) -> Counter[bytes]:
    return Counter([record.value async for record in read_to_end(cluster, cluster.topics.dead.name)])


async def marks(cluster: Cluster) -> tuple[set[bytes], int]:
    """The keys of the marks that stand, and how many records of marks were written."""
    records = [r async for r in read_to_end(cluster, cluster.topics.cursors.name) if is_dead_mark_key(r.key)]
    standing = {record.key: record.value for record in records}
    return {key for key, value in standing.items() if value is not None}, len(records)


async def test_null_ids_polled_for_thirty_hours_with_restarts_are_dead_once_and_forgotten_after_a_day(cluster):
    async with reader(since="2031-03-05T10:00:00Z", interval="30m") as feed:
        feed.changelog.entries = [entry(ago(minutes=n + 1), None, "link", "delete") for n in range(NULL_IDS)]
        broken: Counter[str] = Counter()
        most = 0
        for _ in range(10):  # processes, of three hours each
            changelog = feed.provider.feeds[0]
            async with FeedWriter(
                cluster, "pbs", "changelog", reads_from=changelog.reads_from, broken=broken, clock=feed.clock
            ) as writer:
                for _ in range(6):
                    async for page in changelog.poll(writer.cursor):
                        await writer.write(page)
                    feed.clock.advance(1800)
                    feed.changelog.entries.append(entry(feed.clock.now(), "a1"))
            most = max(most, len((await marks(cluster))[0]))
            await feed.restart()
        found = await dead(cluster)
        assert (len(found), found.total()) == (NULL_IDS, NULL_IDS)
        assert broken == {"no-entity-id": NULL_IDS}
        assert most == NULL_IDS
        # written once, deleted once, and not with each move of the cursor
        assert await marks(cluster) == (set(), 2 * NULL_IDS)


async def test_a_mark_is_deleted_when_the_feed_reads_nothing_as_old_any_more(cluster):
    def reads_from(at: Cursor) -> datetime:
        return at.read_to - HOUR

    async def write(read_to: datetime, *items: BrokenItem) -> None:
        async with FeedWriter(cluster, "pbs", "changelog", reads_from=reads_from) as writer:
            await writer.write(Page((), cursor(read_to), items))

    await write(NOON, null_id(1, NOON))
    await write(NOON + HOUR, null_id(1, NOON), null_id(2, NOON + HOUR))
    assert (len((await marks(cluster))[0]), (await dead(cluster)).total()) == (2, 2)
    await write(NOON + HOUR + timedelta(seconds=1))
    assert len((await marks(cluster))[0]) == 1


async def test_a_feed_that_stands_still_makes_one_dead_record_whatever_each_answer_looks_like(cluster):
    class Failing:
        name, interval_s = "changelog", 60.0

        def __init__(self) -> None:
            self.polls = 0
            self.done = asyncio.Event()

        async def poll(self, _: Cursor | None):
            self.polls += 1
            if self.polls > 3:
                self.done.set()
                await asyncio.Event().wait()
            raise BadResponse("no JSON", b"<html>request %d</html>" % self.polls)
            yield

    for _ in range(2):
        feed = Failing()
        task = asyncio.create_task(FeedPoller(cluster, "pbs", feed, clock=ManualClock()).run())
        await feed.done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await dead(cluster)).total() == 1


def test_marks_are_no_feeds_and_no_other_record_also_for_releases_that_do_not_know_them():
    mark = DeadMark(feed="pbs:changelog", digest="d1", read_to=NOON, saved_at=NOON)
    assert mark.key == b"pbs:changelog:d1:dead"
    assert not is_status_key(mark.key)
    assert not is_loan_key(mark.key)
    assert [view.name for view in views([(cursor(NOON).key, cursor(NOON).to_json()), (mark.key, mark.to_json())])] == [
        "pbs:changelog"
    ]
    # they read every other record as a cursor, and leave out providers that the config does not name
    assert Cursor.model_validate_json(mark.to_json()).provider == "dead"


def test_the_oldest_marks_go_when_there_are_too_many():
    set_aside = SetAside("pbs:changelog", limit=2)
    found = set_aside.new([null_id(n, NOON + n * HOUR) for n in (3, 1, 2)], NOON)
    set_aside.add(mark for _, mark in found)
    gone = set_aside.expired(NOON)
    assert gone == [found[1][1].key]
    assert len(set_aside) == 3
    set_aside.drop(gone)
    assert set_aside.expired(NOON) == []
    assert len(set_aside.new([null_id(n) for n in (1, 2, 3)], NOON)) == 1


def test_a_page_that_can_not_be_read_is_the_same_whatever_its_bytes_and_another_entitys_is_not():
    one, other = (BrokenItem("bad-response", "x", body).of(550) for body in (b"1", b"2"))
    assert one.digest == other.digest != one.of(551).digest
    assert null_id(1).of("a").digest != null_id(2).of("a").digest


async def test_an_event_too_large_for_a_record_is_dead_once_over_restarts(cluster):
    event = observed("1", 1)
    huge = event.model_copy(update={"data": event.data.model_copy(update={"updated_fields": ["x" * (MAX_VALUE_BYTES + 1)]})})
    for _ in range(2):
        async with FeedWriter(cluster, "pbs", "changelog") as writer:
            await writer.write(Page((huge,), cursor(huge.time)))
    assert (await dead(cluster)).total() == 1
