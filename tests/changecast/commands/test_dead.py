"""`changecast dead` on a real Kafka."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from changecast.cli import cli
from runtime.kafka import Cluster
from runtime.topics import ensure_topics, read_to_end
from schemas import dead
from sinks.signing import webhook_id
from tests.eventually import eventually
from tests.sinks.worlds import change_event


@pytest.fixture
def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    asyncio.run(ensure_topics(cluster, [*cluster.topics.common(), *cluster.topics.of_provider("tmdb")]))
    return cluster


@pytest.fixture
def changecast(cluster, tmp_path):
    config = tmp_path / "changecast.yaml"
    config.write_text(
        f"kafka: {{bootstrap_servers: '{cluster.bootstrap_servers}', topic_prefix: {cluster.topics.prefix}}}\n"
        "providers: {tmdb: {token: t}}\n"
    )

    def run(*arguments: str):
        return CliRunner().invoke(cli, ["dead", arguments[0], "-c", str(config), *arguments[1:]])

    return run


def bury(cluster, *records):
    async def send():
        async with cluster.producer() as producer:
            for key, value, headers in records:
                await producer.send_and_wait(cluster.topics.dead.name, value, key=key, headers=headers, partition=0)

    asyncio.run(send())


def raw(cluster, offset=5):
    topic = cluster.topics.raw("tmdb").name
    return dead.headers(reason="bad-event", error="not an observed event", topic=topic, partition=1, offset=offset)


FEED = dead.headers(reason="no-entity-id", error="an entry without an id", topic="pbs:changelog")


def test_an_empty_topic_says_so(changecast):
    result = changecast("list")
    assert (result.exit_code, result.output) == (0, "Nothing is dead.\n")


def test_a_record_is_listed_with_its_reason_and_origin(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)), (b"pbs:changelog", b"{}", FEED))
    output = changecast("list").output
    assert "0/0" in output and "bad-event" in output and f"{cluster.topics.raw('tmdb').name}/1 at 5" in output
    only = changecast("list", "--reason", "no-entity-id").output
    assert "pbs:changelog" in only and "bad-event" not in only


def test_a_record_is_shown_with_its_bytes_as_they_came(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b'{"half', raw(cluster)))
    output = changecast("show", "0/0").output
    assert output.endswith('{"half\n')
    assert "error   not an observed event" in output


def test_a_record_that_there_is_none_of_is_named_with_the_way_to_find_one(changecast):
    result = changecast("show", "3/9")
    assert result.exit_code == 1
    assert "there is no dead record 3/9" in result.output and "changecast dead list" in result.output


def test_a_replay_puts_the_bytes_back_under_their_key(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)))
    assert "1 to put back." in changecast("replay", "0/0", "--dry-run").output
    result = changecast("replay", "0/0")
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, "1 put back.")

    async def raws():
        return [(record.key, record.value) async for record in read_to_end(cluster, cluster.topics.raw("tmdb").name)]

    # a commit is answered before its marker stands in every topic, and readers of committed records wait for that
    eventually(lambda: asyncio.run(raws()) == [(b"tmdb:movie:1", b"{")], within=10)


def test_what_came_from_a_feed_cannot_be_put_back_and_the_other_way_is_named(changecast, cluster):
    bury(cluster, (b"pbs:changelog", b"{}", FEED))
    result = changecast("replay", "--reason", "no-entity-id")
    assert result.exit_code == 1
    assert "changecast provider backfill" in result.output


def test_a_delivery_is_named_by_its_subscription_and_its_webhook_id(changecast, cluster):
    event = change_event(7)
    origin = {"topic": cluster.topics.changes("tmdb").name, "partition": 1, "offset": 5}
    headers = dead.headers(reason="attempts-exhausted", error="status 500", subscription="newsroom", **origin)
    bury(cluster, (event.subject.encode(), event.to_json(), headers))
    identity = webhook_id(event.id, "newsroom")
    assert "newsroom" in changecast("list").output
    assert f"newsroom, webhook-id {identity}" in changecast("show", "0/0").output
    refused = changecast("replay", "0/0")
    assert refused.exit_code == 1
    assert f"`changecast deliveries retry {identity}` sends it again" in " ".join(refused.output.split())


def test_the_name_of_a_record_is_there_on_a_narrow_terminal_too(changecast, cluster, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)), (b"tmdb:movie:2", b"{", raw(cluster)))
    lines = changecast("list").output.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("0/")] == ["0/0", "0/1"]


def test_a_replay_without_a_name_is_a_wrong_usage(changecast):
    assert changecast("replay").exit_code == 2


def test_without_a_running_kafka_the_message_says_how_to_start_one(tmp_path):
    config = tmp_path / "changecast.yaml"
    config.write_text("providers: {tmdb: {token: t}}\n")
    result = CliRunner().invoke(cli, ["dead", "list", "-c", str(config)])
    assert result.exit_code == 1
    assert "no Kafka runs for" in result.output and "changecast up" in result.output
