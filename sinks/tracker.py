"""Which offsets of one partition are settled, and how a commit says so.

A commit is an offset and a text. The offset is the first with a delivery still open; the text names the open ones behind it and how far
reading has come. So what a killed worker leaves behind is exactly what was in flight, for each subscription of each event.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

MAX_METADATA_CHARS = 4000
"""Brokers take 4096 bytes of metadata by default (offset.metadata.max.bytes)."""
MOST_OPEN = 600
"""As many open records of one subscription each fit into the metadata, wherever they stand: at most 5 bytes each, less than 2^28 offsets
apart, in 3,183 bytes."""
_FORM = "1"


def short(subscription: str) -> int:
    """A subscription in four bytes, the same after a restart with another config."""
    return zlib.crc32(subscription.encode())


@dataclass(frozen=True, slots=True)
class Position:
    """Where reading goes on. Offsets from `offset` up to `upto` are settled but for those in `open`: by subscription (see `short`),
    or for all of them where the set is empty."""

    offset: int
    upto: int
    open: Mapping[int, frozenset[int]] = field(default_factory=dict)

    def leaves_open(self, offset: int, subscription: str) -> bool:
        """Whether this subscription's delivery of the event at `offset` is still to be made."""
        if offset >= self.upto:
            return True
        who = self.open.get(offset)
        return who is not None and (not who or short(subscription) in who)

    def passes(self, offset: int) -> bool:
        """Whether nothing of this event is open."""
        return offset < self.upto and offset not in self.open

    def of(self, subscription: str) -> Position:
        """The same for one subscription alone."""
        key = short(subscription)
        return Position(self.offset, self.upto, {at: frozenset() for at, who in self.open.items() if not who or key in who})

    def followed_by(self, other: Position) -> Position:
        """Up to `upto` as it stands here, from there on as it stands in `other`."""
        later = {at: who for at, who in other.open.items() if at >= self.upto}
        return Position(self.offset, max(self.upto, other.upto), {**self.open, **later})


class Tracker:
    """Offsets of one partition in the order of reading. `position`: the next to be read. `restored`: what an earlier process had settled
    from there on. It stays so in each commit until it has been read again: a second kill would else repeat what came before the first."""

    def __init__(self, start: int, restored: Position | None = None) -> None:
        self.position = start
        self.restored = restored or Position(start, start)
        self._open: dict[int, set[str]] = {}
        self._all: dict[int, int] = {}
        self._committed: tuple[int, str] | None = None
        self._changes = self._offered = 1
        self._written = 0

    @property
    def open_count(self) -> int:
        return sum(len(who) for who in self._open.values())

    @property
    def first_open(self) -> int:
        first = next(iter(self._open), None)
        return next(iter(self._unread()), self._upto) if first is None else first

    @property
    def crowded(self) -> bool:
        """Whether a commit could hardly name all that is open: what it leaves out is delivered again after a kill."""
        return len(self._open) > MOST_OPEN and decode(*self.commit(MAX_METADATA_CHARS * 19 // 20)).upto < self._upto

    @property
    def rereads(self) -> bool:
        """Whether what comes has been read by an earlier process."""
        return self.position < self.restored.upto

    @property
    def _upto(self) -> int:
        return max(self.position, self.restored.upto)

    def _unread(self) -> Mapping[int, frozenset[int]]:
        """What an earlier process had left open, and is yet to be read again."""
        return {at: who for at, who in self.restored.open.items() if at >= self.position} if self.rereads else {}

    def passed(self, offset: int, subscriptions: Iterable[str] = (), matched: int = 0) -> None:
        """The record at `offset` has been read; it leads to a delivery for each of these, out of `matched` that want the event
        (some may have had it before a restart, or have a cursor of their own). Offsets only grow."""
        self.position = offset + 1
        self._changes += 1
        if who := set(subscriptions):
            self._open[offset] = who
            self._all[offset] = max(matched, len(who))

    def settle(self, offset: int, subscription: str) -> bool:
        """One delivery has ended, or is durable elsewhere. Settling twice is harmless. Whether it was open."""
        who = self._open.get(offset)
        if who is None or subscription not in who:
            return False
        who.remove(subscription)
        self._changes += 1
        if not who:
            del self._open[offset]
            del self._all[offset]
        return True

    def open_of(self, subscription: str) -> list[int]:
        return [offset for offset, who in self._open.items() if subscription in who]

    def by_open(self) -> list[str]:
        """The subscriptions, the one that holds back the most first."""
        counts = Counter(name for who in self._open.values() for name in who)
        return [name for name, _ in counts.most_common()]

    def adopt(self, offsets: Iterable[int], subscription: str) -> None:
        """Takes over open deliveries that another tracker had, read before `position`."""
        self._changes += 1
        for offset in offsets:
            self._open.setdefault(offset, set()).add(subscription)
            self._all[offset] = len(self._open[offset])
        self._open = dict(sorted(self._open.items()))

    def commit(self, limit: int = MAX_METADATA_CHARS) -> tuple[int, str]:
        """The offset to commit, and its metadata of at most `limit` characters. What does not fit counts as not read yet."""
        first = self.first_open
        return first, encode(first, self._upto, {**self._named(), **self._unread()}, limit)

    def _named(self) -> dict[int, Collection[int]]:
        """Who is open at each offset, as in `Position.open`."""
        return {at: () if len(who) == self._all[at] else [short(name) for name in who] for at, who in self._open.items()}

    def uncommitted(self) -> tuple[int, str] | None:
        """A commit that differs from the last one, or None. Asked many times a second, so nothing is encoded where nothing has changed."""
        if self._written == self._changes:
            return None
        self._offered = self._changes
        commit = self.commit()
        if commit != self._committed:
            return commit
        self._written = self._changes
        return None

    def committed(self, commit: tuple[int, str]) -> None:
        """What `uncommitted` gave last has been written."""
        self._committed = commit
        self._written = self._offered

    @property
    def last_committed(self) -> int | None:
        return None if self._committed is None else self._committed[0]


def encode(offset: int, upto: int, opened: Mapping[int, Collection[int]], limit: int) -> str:
    """`1` and base85 of: the subscriptions that occur, then for each open offset its distance from the last and who (0: all).
    `opened` as in `Position.open`, in order."""
    if offset == upto:
        return ""
    names: dict[int, int] = {}
    body = bytearray()
    last = offset
    room = (limit - len(_FORM)) * 4 // 5 - 16
    end = upto
    for at, who in opened.items():
        entry = bytearray()
        _varint(entry, at - last)
        fresh: list[int] = []
        _varint(entry, len(who))
        for key in who:
            if key not in names:
                names[key] = len(names)
                fresh.append(key)
            _varint(entry, names[key])
        if len(body) + len(entry) + 4 * len(names) > room:
            for key in fresh:
                del names[key]
            end = at
            break
        body += entry
        last = at
    packed = bytearray()
    _varint(packed, end - offset)
    _varint(packed, len(names))
    for key in names:
        packed += key.to_bytes(4, "big")
    return _FORM + base64.b85encode(bytes(packed + body)).decode()


def decode(offset: int, metadata: str | None) -> Position:
    """What a commit said. Metadata of another program, or none, means that all from `offset` on is to be read."""
    if not metadata or not metadata.startswith(_FORM):
        return Position(offset, offset)
    try:
        packed = base64.b85decode(metadata[len(_FORM) :])
        return _unpack(offset, packed)
    except (ValueError, IndexError, binascii.Error):
        return Position(offset, offset)


def _unpack(offset: int, packed: bytes) -> Position:
    upto, at = _read(packed, 0)
    count, at = _read(packed, at)
    if 4 * count > len(packed) - at:
        raise ValueError("more names than there are bytes")
    names = [int.from_bytes(packed[at + 4 * n : at + 4 * n + 4], "big") for n in range(count)]
    at += 4 * count
    opened: dict[int, frozenset[int]] = {}
    last = offset
    while at < len(packed):
        step, at = _read(packed, at)
        size, at = _read(packed, at)
        who = []
        for _ in range(size):
            name, at = _read(packed, at)
            who.append(names[name])
        last += step
        opened[last] = frozenset(who)
    return Position(offset, offset + upto, opened)


def _varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _read(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
