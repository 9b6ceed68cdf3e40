from __future__ import annotations

from schemas import dead


def test_a_dead_record_says_where_it_comes_from_why_and_how_often_it_was_tried() -> None:
    headers = dead.headers(
        reason="bad-json", error="not JSON at byte 3: é", topic="t", partition=0, offset=7, attempts=2, subscription="s"
    )
    assert dict(headers) == {
        "changecast-reason": b"bad-json",
        "changecast-error": "not JSON at byte 3: é".encode(),
        "changecast-origin-topic": b"t",
        "changecast-origin-partition": b"0",
        "changecast-origin-offset": b"7",
        "changecast-attempts": b"2",
        "changecast-subscription": b"s",
    }


def test_what_never_reached_a_topic_has_no_partition_and_no_offset() -> None:
    names = [name for name, _ in dead.headers(reason="no-entity-id", error="e", topic="pbs:changelog")]
    assert names == [dead.REASON, dead.ERROR, dead.ORIGIN_TOPIC, dead.ATTEMPTS]
