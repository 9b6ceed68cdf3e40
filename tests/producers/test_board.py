"""The feeds' status in a real Kafka."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from producers.board import StatusBoard
from producers.report import FeedReport
from producers.spending import SPENDING, CountedRateLimit, Spending
from producers.writer import load_cursor
from runtime.clock import ManualClock, SystemClock
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas import redaction
from schemas.cursor import Cursor
from schemas.feed_status import FeedState, FeedStatus, is_status_key
from tests.eventually import until

MOMENT = datetime(2025, 1, 21, tzinfo=UTC)


class Feed:
    name = "movie"
    interval_s = 60.0

    def statistics(self):
        return {"sweep_age_s": 12.0}


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, cluster.topics.common())
    return cluster


async def statuses(cluster):
    records = [record async for record in read_to_end(cluster, cluster.topics.cursors.name)]
    return [FeedStatus.model_validate_json(record.value) for record in records if is_status_key(record.key)]


async def test_a_change_of_state_is_written_at_once_without_secrets_and_leaves_the_cursor_alone(cluster):
    board = StatusBoard(cluster, lambda provider: 12.0)
    redaction.learn([redaction.Secret("a-very-secret-key")])
    report = FeedReport("tmdb", Feed(), ManualClock(MOMENT), board.changed)
    board.reports = [report]
    task = asyncio.create_task(board.run())
    try:
        await until(lambda: statuses(cluster))
        report.failed(ValueError("status 401: 'a-very-secret-key is not known'"), 300, FeedState.REJECTED)

        async def rejected():
            return [status for status in await statuses(cluster) if status.state is FeedState.REJECTED]

        await until(rejected)
        (status, *_) = await rejected()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert status.error == "status 401: '*** is not known'"
    assert (status.rate, status.statistics) == (12.0, {"sweep_age_s": 12.0})
    assert await load_cursor(cluster, "tmdb", "movie") is None


async def test_a_feed_that_flutters_writes_no_more_than_once_a_second(cluster):
    board = StatusBoard(cluster, lambda provider: None)
    report = FeedReport("tmdb", Feed(), SystemClock(), board.changed)
    board.reports = [report]
    task = asyncio.create_task(board.run())
    began = asyncio.get_running_loop().time()

    async def flutter():
        while True:
            report.polling()
            report.polled(1.0)
            await asyncio.sleep(0.01)

    async def three_written():
        return len(await statuses(cluster)) >= 3

    fluttering = asyncio.create_task(flutter())
    await until(three_written)
    written = len(await statuses(cluster))
    took = asyncio.get_running_loop().time() - began
    for one in (fluttering, task):
        one.cancel()
    await asyncio.gather(fluttering, task, return_exceptions=True)
    assert written - 1 <= took


async def test_a_worker_that_ends_in_order_says_so(cluster):
    board = StatusBoard(cluster, lambda provider: None)
    board.reports = [FeedReport("tmdb", Feed(), SystemClock())]
    await board.stopped()
    assert [status.state for status in await statuses(cluster)] == [FeedState.STOPPED]


async def test_requests_count_for_the_feed_whose_poll_sends_them():
    rate, mine, other = CountedRateLimit(1000, ManualClock()), Spending(), Spending()

    async def poll(spending, requests):
        SPENDING.set(spending)
        await asyncio.gather(*(rate.acquire() for _ in range(requests)))

    await asyncio.gather(asyncio.create_task(poll(mine, 3)), asyncio.create_task(poll(other, 5)))
    await rate.acquire()
    assert (mine.requests, other.requests, rate.spent) == (3, 5, 9)


def test_a_status_is_no_cursor():
    cursor = Cursor(provider="tmdb", feed="movie", read_to=MOMENT, saved_at=MOMENT)
    assert not is_status_key(cursor.key)
