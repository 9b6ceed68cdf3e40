"""Polling against a real Kafka, with feeds that tell what they are told to."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from producers.interface import Page
from producers.poller import CREDENTIALS_RETRY_S, FeedPoller
from producers.report import FeedReport
from producers.writer import load_cursor
from runtime.clock import ManualClock
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas.cursor import Cursor
from schemas.feed_status import FeedState
from tests.eventually import until
from tests.streams.memory import observed

MOMENT = datetime(2025, 1, 21, tzinfo=UTC)


class ScriptedFeed:
    """Each poll takes the next step of a script: a list of edits makes a page, an exception is raised. `asked` holds the cursors."""

    name = "movie"
    interval_s = 60.0

    def __init__(self, *script) -> None:
        self._script = list(script)
        self.asked: list[Cursor | None] = []
        self.polled = asyncio.Event()
        self.done = asyncio.Event()

    async def poll(self, cursor):
        self.asked.append(cursor)
        self.polled.set()
        if not self._script:
            self.done.set()
            await asyncio.Event().wait()
        step = self._script.pop(0)
        if isinstance(step, Exception):
            raise step
        yield Page(
            tuple(observed("1", edit) for edit in step),
            Cursor(provider="tmdb", feed="movie", read_to=MOMENT, position={"edit": step[-1]}, saved_at=MOMENT),
        )


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider("tmdb")])
    return cluster


@asynccontextmanager
async def polling(cluster, feed, clock):
    task = asyncio.create_task(FeedPoller(cluster, "tmdb", feed, clock=clock).run())
    try:
        async with asyncio.timeout(30):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def written(cluster, topic):
    return [record.value async for record in read_to_end(cluster, topic)]


async def test_each_poll_begins_at_the_cursor_that_the_last_one_left(cluster):
    feed = ScriptedFeed([1, 2], [3])
    async with polling(cluster, feed, ManualClock()):
        await feed.done.wait()
    assert [cursor and cursor.position for cursor in feed.asked] == [None, {"edit": 2}, {"edit": 3}]
    assert len(await written(cluster, cluster.topics.raw("tmdb").name)) == 3


async def test_a_provider_that_is_away_is_polled_again_from_the_same_cursor(cluster):
    feed = ScriptedFeed([1], ProviderUnavailable("connection refused"), ProviderUnavailable("connection refused"), [2])
    async with polling(cluster, feed, ManualClock()):
        await feed.done.wait()
    assert [cursor and cursor.position for cursor in feed.asked] == [None, {"edit": 1}, {"edit": 1}, {"edit": 1}, {"edit": 2}]


async def test_a_retry_after_is_obeyed(cluster):
    feed, clock = ScriptedFeed(ProviderUnavailable("busy", retry_after=500), [1]), ManualClock()
    async with polling(cluster, feed, clock):
        await feed.done.wait()
    assert clock.monotonic() >= 500


async def test_an_unreadable_cursor_stops_its_feed_until_it_is_repaired(cluster, caplog):
    feed, clock = ScriptedFeed([1]), ManualClock()
    topic, key = cluster.topics.cursors.name, b"tmdb:movie"
    repaired = Cursor(provider="tmdb", feed="movie", read_to=MOMENT, position={"edit": 7}, saved_at=MOMENT)
    async with cluster.producer() as producer:
        await producer.send_and_wait(topic, b'{"provider":"tmdb"}', key=key)
        async with polling(cluster, feed, clock):
            await until(lambda: "offset 0, key tmdb:movie, can't be read: the feed is not polled" in caplog.text)
            assert feed.asked == []
            await producer.send_and_wait(topic, repaired.to_json(), key=key)
            await feed.done.wait()
    assert [cursor and cursor.position for cursor in feed.asked] == [{"edit": 7}, {"edit": 1}]


async def test_rejected_credentials_are_tried_again_slowly(cluster, caplog):
    feed, clock = ScriptedFeed(CredentialsRejected("status 401"), [1]), ManualClock()
    async with polling(cluster, feed, clock):
        await feed.done.wait()
    assert clock.monotonic() >= CREDENTIALS_RETRY_S
    assert "credentials are not accepted" in caplog.text


async def test_an_answer_that_cannot_be_read_is_kept_and_polling_goes_on(cluster):
    feed = ScriptedFeed(BadResponse("not JSON", b"<html>502</html>"), [2])
    async with polling(cluster, feed, ManualClock()):
        await feed.done.wait()
    assert await written(cluster, cluster.topics.dead.name) == [b"<html>502</html>"]
    assert (await load_cursor(cluster, "tmdb", "movie")).position == {"edit": 2}


async def test_a_fault_in_a_providers_code_is_told_and_polling_goes_on(cluster, caplog):
    feed = ScriptedFeed([1], KeyError("no such field"), [2])
    async with polling(cluster, feed, ManualClock()):
        await feed.done.wait()
    assert (await load_cursor(cluster, "tmdb", "movie")).position == {"edit": 2}
    assert "KeyError('no such field')" in caplog.text


async def test_the_report_follows_the_polling(cluster):
    clock, seen = ManualClock(MOMENT), []
    feed = ScriptedFeed([1, 2], ProviderUnavailable("status 503", retry_after=100), CredentialsRejected("status 401"), [3])
    report = FeedReport("tmdb", feed, clock, lambda: seen.append(report.status("w", None)))
    task = asyncio.create_task(FeedPoller(cluster, "tmdb", feed, clock=clock, report=report).run())
    async with asyncio.timeout(30):
        await feed.done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [(status.state, status.error) for status in seen] == [
        (FeedState.POLLING, None),
        (FeedState.WAITING, None),
        (FeedState.POLLING, None),
        (FeedState.RETRYING, "status 503"),
        (FeedState.POLLING, "status 503"),
        (FeedState.REJECTED, "status 401"),
        (FeedState.POLLING, "status 401"),
        (FeedState.WAITING, "status 401"),
        (FeedState.POLLING, "status 401"),
    ]
    waits = [(status.until - status.at).total_seconds() for status in seen if status.until is not None]
    assert waits == [60, 100, CREDENTIALS_RETRY_S, 60]
    assert seen[-1].events == 3
    assert seen[-1].polled_at == seen[-2].at


async def test_a_feed_that_is_hours_behind_is_catching_up(cluster):
    clock = ManualClock(MOMENT)
    feed = ScriptedFeed([1])
    report = FeedReport("tmdb", feed, clock)
    report.cursor = Cursor(provider="tmdb", feed="movie", read_to=MOMENT, saved_at=MOMENT)
    report.polling()
    assert report.state is FeedState.POLLING
    clock.advance(3 * 3_600)
    assert report.state is FeedState.CATCHING_UP


LEADING = """
import asyncio, sys
from producers.leadership import Leadership
from runtime.kafka import Cluster

async def main(servers, prefix):
    async with Leadership(Cluster.at(servers, prefix)) as leadership:
        print("joined", flush=True)
        await leadership.gained.wait()
        print("leads", flush=True)
        await leadership.lost.wait()
        print("lost", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.long
async def test_one_worker_leads_and_another_takes_over_when_it_is_killed(cluster):
    async def member():
        arguments = [sys.executable, "-c", LEADING, cluster.bootstrap_servers, cluster.topics.prefix]
        return await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)

    members = []
    try:
        async with asyncio.timeout(60):
            members.append(first := await member())
            assert [await first.stdout.readline() for _ in range(2)] == [b"joined\n", b"leads\n"]
            members.append(second := await member())
            assert await second.stdout.readline() == b"joined\n"
            first.kill()
            # whatever else it had printed, losing the lead among it, comes before the end of its output
            assert await first.stdout.read() == b""
            assert await second.stdout.readline() == b"leads\n"
    finally:
        for process in members:
            if process.returncode is None:
                process.kill()
            await process.wait()
