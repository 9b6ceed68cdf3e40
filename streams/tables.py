"""State of one provider, by partition: a changelog topic that tells it, and a RocksDB store beside it that spares the reading.

A partition's changelog has one writer: its lane's transactional producer, in the transaction that publishes and commits the offset.
So it holds what was committed and nothing else, and a worker that has lost the partition is fenced before it can add to it.
A lane brings the store up to date after that fence; from then on the store takes each transaction's writes once it is committed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import TopicPartition
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteBufferManager

from runtime.kafka import Cluster
from schemas.topics import TOMBSTONES_KEPT_MS

log = logging.getLogger(__name__)

_NEXT_OFFSET = b"\0next-offset"
"""Where in the changelog the store stands; written in one batch with what it holds. Sorts before all keys, which are printable."""
_READ_AT = b"\0read-at"
"""When the store last stood at the changelog's end, in seconds of the wall clock."""
_OLDEST_S = TOMBSTONES_KEPT_MS / 1000 / 2
"""A store that is older may have missed a deletion, whose tombstone is gone from the changelog: it is made anew. Half the time that
tombstones are kept leaves room for clocks that differ."""
_MIB = 1024 * 1024
_WRITE_BUFFER_BYTES = 8 * _MIB
_WRITE_BUFFERS = WriteBufferManager(32 * _MIB, False)
_CACHE = Cache(16 * _MIB)
"""Both are for all stores of the process together, indexes and filters included: memory stays flat however many ids are known, and
however many partitions are owned."""
_OPEN_FILES = 256
_RECOVERY_BATCH = 2_000
_IN_USE = "LOCK"
"""What RocksDB's error says where another process has the store open: that is no damage."""


@dataclass(frozen=True, slots=True)
class Write:
    """One key of a table set to `value`; None deletes it."""

    key: bytes
    value: bytes | None


class StateTable:
    """Bytes to bytes, partitioned like the provider's raw topic."""

    def __init__(self, cluster: Cluster, provider: str, name: str, folder: Path) -> None:
        self._cluster = cluster
        self._folder = folder / f"{provider}-{name}"
        self._stores: dict[int, Rdict] = {}
        self.changelog = cluster.topics.state(provider, name)

    async def recover(self, partition: int) -> int:
        """Open the partition's store and bring it up to the changelog's end; returns how many records that took. The partition's last
        writer must be fenced before."""
        store = self._open(partition)
        tp = TopicPartition(self.changelog.name, partition)
        consumer = self._cluster.consumer(group_id=None, max_partition_fetch_bytes=_MIB)
        await consumer.start()
        try:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            position = self._number(partition, _NEXT_OFFSET)
            if position > end:
                log.warning("%s/%d ends at %d, behind the local store, which is of another topic and made anew", *tp, end)
                store, position = self._anew(partition), 0
            elif position and time.time() - self._number(partition, _READ_AT) > _OLDEST_S:
                log.info("%s/%d: the local store is too old to learn of all deletions, and made anew", *tp)
                store, position = self._anew(partition), 0
            consumer.seek(tp, position)
            read = 0
            while position < end:
                records = (await consumer.getmany(tp, timeout_ms=200, max_records=_RECOVERY_BATCH)).get(tp, [])
                position = await consumer.position(tp)
                _write(store, [Write(record.key, record.value) for record in records], position)
                read += len(records)
            _write(store, [], position)
            return read
        finally:
            await consumer.stop()

    def close(self, partition: int) -> None:
        """Let the partition go: its next owner may be this process again."""
        if (store := self._stores.pop(partition, None)) is not None:
            store.close()

    def look_up(self, partition: int, key: bytes) -> bytes | None:
        """The key's value in a partition that this worker owns. Raises what RocksDB does when the disk has spoilt it."""
        store = self._stores[partition]
        try:
            value: bytes | None = store.get(key)
        except Exception:
            # this ends the worker; its next start must not meet the same
            self._spoilt(partition).touch()
            raise
        return value

    def bytes_on_disk(self, partition: int) -> int:
        """What the partition's keys and values take, as RocksDB estimates it."""
        return int(self._stores[partition].property_int_value("rocksdb.estimate-live-data-size") or 0)

    def scan(self, partition: int, prefix: bytes, after: bytes, limit: int) -> Iterator[tuple[bytes, bytes]]:
        """Up to `limit` keys that begin with `prefix`, in order, from behind `after` on (empty: from the first). Raises what RocksDB does
        when the disk has damaged it; the next start then rebuilds the store."""
        found = 0
        rows: Any = self._stores[partition].iter()
        rows.seek(max(prefix, after))
        while found < limit and rows.valid():
            key: bytes = rows.key()
            if not key.startswith(prefix):
                break
            if key != after:
                found += 1
                yield key, rows.value()
            rows.next()
        try:
            # an iterator that meets a damaged block ends as if that were the end
            rows.status()
        except Exception:
            self._spoilt(partition).touch()
            raise

    def apply(self, partition: int, writes: Sequence[Write], next_offset: int) -> None:
        """Take a committed transaction's writes; `next_offset`: behind its last record in the changelog."""
        _write(self._stores[partition], writes, next_offset)

    def _open(self, partition: int) -> Rdict:
        if partition not in self._stores:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._stores[partition] = self._opened(partition)
        return self._stores[partition]

    def _opened(self, partition: int) -> Rdict:
        if self._spoilt(partition).exists():
            return self._anew(partition)
        try:
            return Rdict(self._path(partition), _options())
        except Exception as error:
            if _IN_USE in str(error):
                raise
            log.warning("%s/%d: the local store can't be opened, and is made anew: %s", self.changelog.name, partition, error)
            return self._anew(partition)

    def _anew(self, partition: int) -> Rdict:
        self.close(partition)
        Rdict.destroy(self._path(partition), _options())
        store = self._stores[partition] = Rdict(self._path(partition), _options())
        self._spoilt(partition).unlink(missing_ok=True)
        return store

    def _path(self, partition: int) -> str:
        return str(self._folder / str(partition))

    def _spoilt(self, partition: int) -> Path:
        """A file that says that the store can't be read and is to be made anew."""
        return self._folder / f"{partition}.spoilt"

    def _number(self, partition: int, key: bytes) -> int:
        return int(self.look_up(partition, key) or 0)


def _write(store: Rdict, writes: Iterable[Write], next_offset: int) -> None:
    batch = WriteBatch(raw_mode=True)
    for write in writes:
        if write.value is None:
            batch.delete(write.key)
        else:
            batch.put(write.key, write.value)
    batch.put(_NEXT_OFFSET, b"%d" % next_offset)
    batch.put(_READ_AT, b"%d" % time.time())
    store.write(batch)


def _options() -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_write_buffer_manager(_WRITE_BUFFERS)
    options.set_max_write_buffer_number(2)
    options.set_max_open_files(_OPEN_FILES)
    options.set_keep_log_file_num(1)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(_CACHE)
    # most look-ups are of ids never seen: the filter answers them without a read
    blocks.set_bloom_filter(10, False)
    blocks.set_cache_index_and_filter_blocks(True)
    options.set_block_based_table_factory(blocks)
    return options
