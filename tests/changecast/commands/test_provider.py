"""`changecast provider`, on a real Kafka with the sandbox as the providers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from click.testing import CliRunner

from changecast.cli import cli
from changecast.provider.feeds import STALE_AFTER, FeedView, Overview, views
from changecast.provider.table import rendered
from producers.output import FeedOutput
from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.cursor import Cursor
from schemas.feed_status import FeedState, FeedStatus

NOW = datetime(2025, 1, 21, 12, tzinfo=UTC)


@pytest.fixture
def cluster(bootstrap_servers, topic_prefix):
    return Cluster.at(bootstrap_servers, topic_prefix)


@pytest.fixture
def changecast(cluster, tmp_path):
    config = tmp_path / "changecast.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{cluster.bootstrap_servers}', topic_prefix: {cluster.topics.prefix}}}\n"
        "providers: {tmdb: {token: t, base_url: 'http://127.0.0.1:1'}, pbs: {key: k}}\n"
    )

    def run(*arguments: str):
        return CliRunner().invoke(cli, ["provider", arguments[0], "-c", str(config), *arguments[1:]])

    return run


def cursor(read_to=NOW, feed="movie"):
    return Cursor(provider="tmdb", feed=feed, read_to=read_to, position={}, saved_at=read_to)


def status(state=FeedState.POLLING, at=NOW, feed="movie", **more):
    return FeedStatus(provider="tmdb", feed=feed, state=state, worker="host:1", started_at=at, at=at, **more)


def write(cluster, *records):
    async def send():
        await ensure_topics(cluster, cluster.topics.common())
        async with FeedOutput(cluster, "tmdb", "movie", f"{cluster.topics.prefix}-t") as output:
            for record in records:
                if isinstance(record, Cursor):
                    await output.write((), (), record)
        async with cluster.producer() as producer:
            for record in records:
                if isinstance(record, FeedStatus):
                    await producer.send_and_wait(cluster.topics.cursors.name, record.to_json(), key=record.key)

    asyncio.run(send())


def shown(*feeds, workers=1, unconfigured=()):
    from rich.console import Console

    console = Console(width=200, highlight=False)
    with console.capture() as capture:
        console.print(rendered(Overview(NOW, feeds, workers, unconfigured), console.width))
    return capture.get()


def test_before_anything_is_polled_the_list_says_so(changecast):
    result = changecast("list")
    assert result.exit_code == 0
    assert "No worker has polled yet" in result.output
    assert "pbs is not configured" in result.output


def test_a_feed_is_listed_from_another_process(changecast, cluster):
    now = datetime.now(UTC)
    write(cluster, cursor(now - timedelta(minutes=3)), status(at=now, polled_at=now, requests=1234, events=56))
    result = changecast("list")
    (line,) = [line for line in result.output.splitlines() if line.startswith("tmdb:movie")]
    assert "polling" in line
    assert "3 min" in line
    assert "1,234" in line
    assert "One worker polls." in result.output


def test_the_list_as_json_holds_the_cursor_and_the_lag(changecast, cluster):
    now = datetime.now(UTC)
    write(cluster, cursor(now - timedelta(minutes=3)), status(at=now))
    (feed,) = orjson.loads(changecast("list", "--json").output)["feeds"]
    assert feed["cursor"]["feed"] == "movie"
    assert 180 <= feed["lag_s"] < 240
    assert feed["polled"] is True
    assert feed["status"]["state"] == "polling"


def test_an_old_status_means_that_nobody_polls():
    text = shown(FeedView("tmdb", "movie", cursor(), status(at=NOW - STALE_AFTER - timedelta(minutes=5))), workers=0)
    assert "No worker polls: the last status is 5 min old." in text
    assert "not polled" in text


def test_a_worker_that_has_stopped_is_not_waited_for():
    text = shown(FeedView("tmdb", "movie", cursor(), status(FeedState.STOPPED)), workers=0)
    assert "No worker polls" in text


def test_each_state_is_told_in_words_with_what_is_waited_for():
    soon = NOW + timedelta(minutes=4)
    states = {
        "catching up": status(FeedState.CATCHING_UP),
        "next poll in 4 min": status(FeedState.WAITING, until=soon),
        "waiting after an error, 4 min more": status(FeedState.RETRYING, until=soon, error="GET /x: status 503", error_at=NOW),
        "credentials rejected, 4 min more": status(FeedState.REJECTED, until=soon, error="GET /x: status 401", error_at=NOW),
    }
    for words, state in states.items():
        assert words in shown(FeedView("tmdb", "movie", cursor(), state))


def test_an_error_stands_below_the_table_and_is_dimmed_when_it_has_passed():
    error = {"error": "GET /movie/changes: status 503", "error_at": NOW - timedelta(minutes=2)}
    assert "tmdb:movie, 2 min ago: GET /movie/changes: status 503" in shown(FeedView("tmdb", "movie", cursor(), status(**error)))
    passed = status(**error, polled_at=NOW)
    assert "tmdb:movie, 2 min ago, since passed: GET" in shown(FeedView("tmdb", "movie", cursor(), passed))


def test_the_sweeps_age_and_the_standby_workers_are_told():
    state = status(statistics={"sweep_age_s": 185.0, "listed": 1312, "fresh": 0, "failing": 2})
    text = shown(FeedView("tmdb", "movie", cursor(), state), workers=3)
    assert "sweep 3 min old, 1,312 listed, 2 failing" in text
    assert "One worker polls, 2 stand by." in text


def test_a_status_without_a_cursor_and_a_cursor_without_a_status_are_both_feeds():
    found = views([(cursor().key, cursor().to_json()), (status(feed="tv").key, status(feed="tv").to_json()), (b"gone", None)])
    assert [(view.feed, view.cursor is None, view.status is None) for view in found] == [
        ("movie", False, True),
        ("tv", True, False),
    ]


def test_a_record_that_can_not_be_read_hides_no_other_feed():
    found = views(
        [
            (b"tmdb:movie", b"rubbish"),
            (b"tmdb:movie:status", b"{}"),
            (b"tmdb:person:something-new", b"{}"),
            (b"\xff", b"\xff"),
            (cursor(feed="tv").key, cursor(feed="tv").to_json()),
        ]
    )
    assert [(view.feed, view.unreadable) for view in found] == [("movie", True), ("tv", False)]
    assert "unreadable" in shown(*found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tvdb", "--since", "24h"), "'tvdb' is not a provider with credentials; there are: tmdb"),
        (("tmdb", "--since", "yesterday"), "is no date, time or age"),
        (("tmdb", "--since", "2025-01-05", "--until", "2025-01-01"), "is empty"),
        (("tmdb", "--since", "2025-01-05", "--until", "2125-01-01"), "in the future"),
    ],
)
def test_a_backfill_that_makes_no_sense_is_refused_with_the_reason(changecast, arguments, message):
    result = changecast("backfill", *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output


@pytest.mark.parametrize(("since", "warned"), [("40d", True), ("29d", False)])
def test_a_backfill_beyond_the_dedupe_window_warns_of_repeats(changecast, since, warned):
    result = changecast("backfill", "tmdb", "--since", since, "--feed", "shows")
    assert ("remembers what it has published for 30d" in result.stderr) is warned


def test_a_feed_that_there_is_none_of_is_a_wrong_usage_before_anything_is_done(changecast):
    result = changecast("backfill", "tmdb", "--since", "24h", "--feed", "shows")
    assert result.exit_code == 2
    assert "there is no feed 'shows'" in result.stderr
    assert result.stdout == ""


def test_a_resync_of_what_is_no_urn_shows_the_form(changecast):
    result = changecast("resync", "550")
    assert result.exit_code == 2
    assert "provider:type:id" in result.output
