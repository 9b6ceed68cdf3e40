from __future__ import annotations

from schemas.topics import Topics

DAY = 86_400_000


def test_topics_are_named_under_the_prefix() -> None:
    topics = Topics("test")
    assert [topic.name for topic in (*topics.of_provider("tmdb"), *topics.common(), topics.retry("5m"))] == [
        *("test.raw.tmdb", "test.changes.tmdb", "test.deferred.tmdb"),
        *("test.cursors", "test.endpoints", "test.deliveries", "test.dead", "test.retry.5m"),
    ]


def test_the_topics_of_a_provider_have_equal_partition_counts() -> None:
    assert {topic.partitions for topic in Topics(partitions=6).of_provider("pbs")} == {6}


def test_each_topic_is_kept_as_long_as_the_contract_says() -> None:
    topics = Topics()
    kept = {
        topic.name: topic.topic_configs()["retention.ms"]
        for topic in (topics.raw("p"), topics.changes("p"), topics.deliveries, topics.dead)
    }
    assert kept == {
        "changecast.raw.p": str(7 * DAY),
        "changecast.changes.p": str(14 * DAY),
        "changecast.deliveries": str(7 * DAY),
        "changecast.dead": str(30 * DAY),
    }


def test_state_is_compacted_and_a_retry_never_expires() -> None:
    topics = Topics()
    for topic in (topics.cursors, topics.endpoints, topics.deferred("p")):
        assert topic.topic_configs()["cleanup.policy"] == "compact"
    retry = topics.retry("24h").topic_configs()
    assert (retry["cleanup.policy"], retry["retention.ms"]) == ("delete", "-1")
