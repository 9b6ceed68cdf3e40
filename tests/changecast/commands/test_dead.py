"""`changecast dead` on a real Kafka."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

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


def bury(cluster, *records, at=None):
    timestamp = None if at is None else int(at.timestamp() * 1000)

    async def send():
        async with cluster.producer() as producer:
            for key, value, headers in records:
                await producer.send_and_wait(
                    cluster.topics.dead.name, value, key=key, headers=headers, partition=0, timestamp_ms=timestamp
                )

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
    eventually(lambda: asyncio.run(raws()) == [(b"tmdb:movie:1", b"{")])


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


def delivery(cluster, number, subscription):
    """A dead delivery of the event of this number, as `bury` takes it."""
    event = change_event(number)
    origin = {"topic": cluster.topics.changes("tmdb").name, "partition": 1, "offset": number}
    headers = dead.headers(reason="attempts-exhausted", error="status 500", attempts=10, subscription=subscription, **origin)
    return event.subject.encode(), event.to_json(), headers


def test_only_the_deliveries_to_one_subscription_are_listed_also_when_the_config_has_it_no_more(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)), delivery(cluster, 7, "newsroom"), delivery(cluster, 8, "hook"))
    lines = changecast("list", "--subscription", "newsroom").output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["0/1"]
    unknown = changecast("list", "--subscription", "newsrom")
    assert unknown.exit_code == 2
    assert "there is no subscription 'newsrom'" in unknown.output


def test_what_died_before_a_time_is_left_out(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)))
    bury(cluster, (b"tmdb:movie:2", b"{", raw(cluster)), at=datetime.now(UTC) - timedelta(hours=3))
    lines = changecast("list", "--since", "2h").output.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["0/0"]
    assert len(changecast("list", "--since", "4h").output.splitlines()) == 3
    nothing = changecast("list", "--since", "2h", "--reason", "too-large").output
    assert nothing.startswith("Nothing is dead for the reason too-large since 20")


def test_programs_get_all_but_the_bytes_a_line_a_record(changecast, cluster):
    bury(cluster, (b"tmdb:movie:1", b"{", raw(cluster)), (b"pbs:changelog", b"{}", FEED), delivery(cluster, 7, "newsroom"))
    first, second, third = map(json.loads, changecast("list", "--json").output.splitlines())
    at = datetime.fromisoformat(first.pop("at"))
    assert datetime.now(UTC) - at < timedelta(hours=1)
    assert first == {
        "record": "0/0",
        "reason": "bad-event",
        "error": "not an observed event",
        "attempts": 1,
        "key": "tmdb:movie:1",
        "subscription": None,
        "webhook_id": None,
        "origin": {"topic": cluster.topics.raw("tmdb").name, "partition": 1, "offset": 5},
        "bytes": 1,
    }
    assert second["origin"] == {"topic": "pbs:changelog", "partition": None, "offset": None}
    assert (third["subscription"], third["attempts"]) == ("newsroom", 10)
    assert third["webhook_id"] == webhook_id(change_event(7).id, "newsroom")
    assert changecast("list", "--json", "--reason", "none").output == ""


def test_what_a_provider_wrote_moves_no_cursor(changecast, cluster):
    headers = dead.headers(reason="bad-item", error="an item \x1b[2J of \x07", topic="pbs:changelog")
    bury(cluster, (b"pbs:\x1b]0;x", b"{}", headers))
    for arguments in (("list",), ("show", "0/0")):
        output = changecast(*arguments).output
        assert "an item [2J of" in output and "\x1b" not in output and "\x07" not in output


def test_a_replay_without_a_name_is_a_wrong_usage(changecast):
    assert changecast("replay").exit_code == 2


def test_without_a_running_kafka_the_message_says_how_to_start_one(tmp_path):
    config = tmp_path / "changecast.yaml"
    config.write_text("providers: {tmdb: {token: t}}\n")
    result = CliRunner().invoke(cli, ["dead", "list", "-c", str(config)])
    assert result.exit_code == 1
    assert "no Kafka runs for" in result.output and "changecast up" in result.output
