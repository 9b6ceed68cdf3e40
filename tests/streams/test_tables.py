"""State tables: a changelog on a real Kafka, and the RocksDB store beside it."""

from __future__ import annotations

from random import Random

import pytest

from runtime.kafka import Cluster
from runtime.topics import ensure_topics
from schemas.topics import TOMBSTONES_KEPT_MS
from streams import tables
from streams.statistics import Statistics, summary
from streams.tables import StateTable, Write

PARTITION = 1


@pytest.fixture
async def cluster(bootstrap_servers, topic_prefix):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    await ensure_topics(cluster, [cluster.topics.state("tmdb", "seen")])
    return cluster


@pytest.fixture
def table(cluster, tmp_path):
    return StateTable(cluster, "tmdb", "seen", tmp_path)


async def written(cluster: Cluster, writes: list[Write]) -> int:
    """Write a committed transaction to the changelog; returns the offset behind its last record."""
    producer = cluster.transactional_producer(f"{cluster.topics.prefix}-lane")
    async with producer, producer.transaction():
        topic = cluster.topics.state("tmdb", "seen").name
        sent = [await producer.send(topic, write.value, key=write.key, partition=PARTITION) for write in writes]
        return [await future for future in sent][-1].offset + 1


A, B = Write(b"tmdb:a", b"1"), Write(b"tmdb:b", b"2")


async def test_a_worker_without_a_disk_reads_the_whole_changelog(cluster, table):
    await written(cluster, [A, B, Write(b"tmdb:a", None)])
    assert await table.recover(PARTITION) == 3
    assert (table.look_up(PARTITION, b"tmdb:a"), table.look_up(PARTITION, b"tmdb:b")) == (None, b"2")


async def test_a_worker_with_its_disk_reads_what_came_since(cluster, table, tmp_path):
    end = await written(cluster, [A])
    await table.recover(PARTITION)
    table.apply(PARTITION, [A], end)
    table.close(PARTITION)
    await written(cluster, [B])
    again = StateTable(cluster, "tmdb", "seen", tmp_path)
    assert await again.recover(PARTITION) == 1
    assert (again.look_up(PARTITION, b"tmdb:a"), again.look_up(PARTITION, b"tmdb:b")) == (b"1", b"2")


async def test_an_aborted_transaction_leaves_nothing(cluster, table):
    producer = cluster.transactional_producer(f"{cluster.topics.prefix}-lane")
    async with producer:
        await producer.begin_transaction()
        await producer.send_and_wait(table.changelog.name, b"1", key=b"tmdb:a", partition=PARTITION)
        await producer.abort_transaction()
    assert await table.recover(PARTITION) == 0
    assert table.look_up(PARTITION, b"tmdb:a") is None


async def test_a_store_that_may_have_missed_a_deletion_is_made_anew(cluster, table, tmp_path, monkeypatch):
    await table.recover(PARTITION)
    table.apply(PARTITION, [Write(b"tmdb:gone", b"x")], await written(cluster, [A]))
    table.close(PARTITION)
    now = tables.time.time()
    monkeypatch.setattr(tables.time, "time", lambda: now + TOMBSTONES_KEPT_MS / 1000)
    again = StateTable(cluster, "tmdb", "seen", tmp_path)
    assert await again.recover(PARTITION) == 1
    assert (again.look_up(PARTITION, b"tmdb:gone"), again.look_up(PARTITION, b"tmdb:a")) == (None, b"1")


async def test_a_store_of_a_topic_that_was_made_anew_is_made_anew_too(cluster, table):
    await table.recover(PARTITION)
    table.apply(PARTITION, [A], 1_000_000)
    table.close(PARTITION)
    assert await table.recover(PARTITION) == 0
    assert table.look_up(PARTITION, b"tmdb:a") is None


async def kept(cluster, table, folder):
    """A store that holds A, B and much besides, closed; the changelog holds A and B."""
    await table.recover(PARTITION)
    much = [Write(b"tmdb:c%05d" % number, Random(number).randbytes(100)) for number in range(5_000)]
    table.apply(PARTITION, [A, B, *much], await written(cluster, [A, B]))
    table.close(PARTITION)
    (store,) = folder.glob(f"*/{PARTITION}")
    return store


def damage(store):
    """Zeroes in the middle of its blocks."""
    for file in store.glob("*.sst"):
        damaged = bytearray(file.read_bytes())
        damaged[100_000:200_000] = bytes(100_000)
        file.write_bytes(damaged)


async def test_a_store_that_can_not_be_opened_is_made_anew(cluster, table, tmp_path):
    store = await kept(cluster, table, tmp_path)
    (store / "CURRENT").write_text("rubbish")
    again = StateTable(cluster, "tmdb", "seen", tmp_path)
    assert await again.recover(PARTITION) == 2
    assert (again.look_up(PARTITION, b"tmdb:a"), again.look_up(PARTITION, b"tmdb:b")) == (b"1", b"2")


async def test_a_store_that_can_not_be_read_ends_the_worker_once_and_is_then_made_anew(cluster, table, tmp_path):
    store = await kept(cluster, table, tmp_path)
    damage(store)
    again = StateTable(cluster, "tmdb", "seen", tmp_path)
    assert await again.recover(PARTITION) == 0
    with pytest.raises(Exception, match="Corruption"):
        again.look_up(PARTITION, b"tmdb:c01000")
    again.close(PARTITION)
    assert await again.recover(PARTITION) == 2
    assert again.look_up(PARTITION, b"tmdb:c01000") is None
    again.close(PARTITION)
    assert await again.recover(PARTITION) == 0, "it was made anew once, and is sound since"


async def test_a_scan_that_meets_damage_does_not_end_as_if_nothing_followed(cluster, table, tmp_path):
    store = await kept(cluster, table, tmp_path)
    damage(store)
    again = StateTable(cluster, "tmdb", "seen", tmp_path)
    assert await again.recover(PARTITION) == 0
    with pytest.raises(Exception, match="Corruption"):
        list(again.scan(PARTITION, b"tmdb:", b"", 10_000))
    again.close(PARTITION)
    assert await again.recover(PARTITION) == 2, "rebuilt from the changelog"


async def test_a_store_that_another_process_has_open_is_left_alone(cluster, table, tmp_path):
    await table.recover(PARTITION)
    table.apply(PARTITION, [A], await written(cluster, [A]))
    with pytest.raises(Exception, match="LOCK"):
        await StateTable(cluster, "tmdb", "seen", tmp_path).recover(PARTITION)
    assert table.look_up(PARTITION, b"tmdb:a") == b"1"


async def test_a_scan_goes_in_order_from_behind_a_key_and_stays_within_its_prefix(cluster, table):
    await table.recover(PARTITION)
    writes = [Write(b"pbs:1", b"x"), *(Write(b"tmdb:%d" % n, b"x") for n in range(5)), Write(b"tvdb:1", b"x")]
    table.apply(PARTITION, writes, 0)
    assert [key for key, _ in table.scan(PARTITION, b"tmdb:", b"", 2)] == [b"tmdb:0", b"tmdb:1"]
    assert [key for key, _ in table.scan(PARTITION, b"tmdb:", b"tmdb:1", 9)] == [b"tmdb:2", b"tmdb:3", b"tmdb:4"]


def test_the_size_of_what_a_worker_holds_is_one_line():
    partitions = [Statistics(10, 1_737_434_791_000, 2_000_000, 3_000_000, 1), Statistics(None, None, 0, 0, 0)]
    assert summary(partitions) == (
        "2 partitions, 10 ids known (2.0 MB, the oldest of 2025-01-21T04:46:31+00:00), 3.0 MB of snapshots, 1 event waiting"
    )
