"""What is newest, read ahead while the feed is behind: an outage is walked oldest first, and new changes must not wait for its end.

Once an interval the entries made since the last time are listed. They can't be told as they are, since older ones of the same entity
may still wait in the walk. So the whole pending history of each entity named there is read, oldest first, with the changelog's `id`
parameter, and told in that order; the newest entries come out as its end. From then on the entity is known, and what the lists name
of it is told as it comes: the lists overlap, so nothing lies between them. The walk meets all of it again, and dedupe drops it.

Why the order holds: the walk and each history hand over the entity's entries from the walk's position on, in order and without a
hole, so at any time what has been told is a beginning of what there is. A page that can't be read would be a hole: then all that
is known is forgotten, and the rest is left to the walk, until the next interval.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from producers.pbs.client import ChangelogPage, PbsClient, first_query
from producers.pbs.entries import Entry
from runtime.http import BadResponse, ProviderUnavailable
from schemas.config import Pbs

log = logging.getLogger(__name__)

IDS_A_REQUEST = 40
"""Entities whose histories are read in one list. With 36 characters an id that is an address of 1.7 KB: servers take 4 and more."""
LONGEST_HISTORY = 500
"""Entries, 10 pages. An entity with more of them waiting is left to the walk: reading it would hold up the others."""
MOST_ENTITIES = 10_000
"""Entities remembered as known, as waiting, and as left to the walk: 1 MB each."""
LONGEST_HOLE = timedelta(minutes=10)
"""When no list has been read for longer (and for three intervals), what is known is forgotten: what is newest would have to wait for
a long list."""
_TICK = timedelta(microseconds=1)
"""A list that is begun again starts this much before an entry, which is right for an inclusive and an exclusive `since`."""


@dataclass(frozen=True)
class Turn:
    """What one request brought: entries to be told, in order. `take` is called when they have been written, and not before: what could
    not be written must not count as known."""

    entries: tuple[Entry, ...]
    take: Callable[[], None]


@dataclass(frozen=True)
class _Listing:
    """A list of the newest that is being read. `begun`: the provider's time at its first page."""

    query: str
    begun: datetime | None = None


@dataclass(frozen=True)
class _Histories:
    """Histories that are being read. `at`: up to where; `told`: what of them has been told, as event ids by entity."""

    ids: frozenset[str]
    query: str
    at: datetime
    told: Mapping[str, frozenset[str]] = field(default_factory=dict)


class Ahead:
    """What is known of the newest while the feed is behind. It is in memory only: after a restart it begins anew, and the cursor is the
    walk's at all times."""

    def __init__(self, client: PbsClient, settings: Pbs, types: tuple[str, ...]) -> None:
        self._client = client
        self._interval = settings.interval
        self._overlap = settings.overlap
        self._types = types
        self._listed_at: datetime | None = None  # when the newest list was last begun
        self._forget()

    def _forget(self) -> None:
        self._listed_to: datetime | None = None  # the lists have no hole up to this
        self._listing: _Listing | None = None
        self._histories: _Histories | None = None
        self._known: OrderedDict[str, None] = OrderedDict()
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._left: OrderedDict[str, None] = OrderedDict()

    def caught_up(self) -> None:
        """The walk has come to its end: nothing is ahead of it."""
        self._listed_at = None
        self._forget()

    async def turn(self, walked_to: datetime, begun: datetime, read_to: datetime, now: datetime) -> Turn | None:
        """One request at most, so that the walk moves on in turns with it. None when there is nothing to be read.

        `walked_to`: the walk's position. `begun`: nothing older is told. `read_to`: up to when the feed is read, by which it is known to
        be behind. `now`: the provider's clock. Raises ProviderUnavailable when the provider names a time to wait.
        """
        try:
            if self._listing is None and self._due(read_to, now):
                self._listed_at = now
                if self._listed_to is not None and now - self._listed_to > max(LONGEST_HOLE, 3 * self._interval):
                    self._forget()
                since = (self._listed_to or now - self._interval) - self._overlap
                self._listing = _Listing(first_query(max(since, begun), self._types))
            if self._listing is not None:
                return await self._list_on(self._listing)
            if self._histories is None and self._waiting:
                self._histories = self._next_histories(walked_to, begun)
            if self._histories is not None:
                return await self._read_on(self._histories)
        except (BadResponse, ProviderUnavailable) as problem:
            if isinstance(problem, ProviderUnavailable) and problem.retry_after is not None:
                raise
            # the walk asks on: if the provider is away, it says so
            log.warning("pbs:changelog: what is newest can't be read ahead: %s; left to the walk for now", problem)
            self._forget()
        return None

    def _due(self, read_to: datetime, now: datetime) -> bool:
        """Once an interval; for the first time when the feed is an interval further behind than between two polls."""
        if self._listed_at is None:
            return now - read_to >= 2 * self._interval
        return now - self._listed_at >= self._interval

    async def _list_on(self, listing: _Listing) -> Turn:
        page = await self._client.changelog(listing.query)
        begun = listing.begun or page.date

        def take() -> None:
            self._wait_for(entry for entry in page.entries if not self._at_hand(entry))
            if page.next is not None:
                self._listing = _Listing(page.next, begun)
            else:
                self._listing, self._listed_to = None, begun

        return Turn(tuple(entry for entry in page.entries if entry.id in self._known), take)

    def _at_hand(self, entry: Entry) -> bool:
        """Whether it has been told, is about to be, or is left to the walk. One that came late, behind the place to which its entity's
        history is being read, is not: then the history is read once more."""
        if entry.id in self._known:
            self._known.move_to_end(entry.id)
            return True
        reading = self._histories
        if reading is not None and entry.id in reading.ids:
            return entry.time > reading.at or entry.event_id in reading.told.get(entry.id, ())
        return entry.id in self._left

    def _wait_for(self, entries: Iterable[Entry]) -> None:
        ids = {entry.id: None for entry in entries if entry.id not in self._waiting}
        room = MOST_ENTITIES - len(self._waiting)
        if len(ids) > room:
            log.warning("pbs:changelog: %d entities' newest changes are left to the walk: too many wait", len(ids) - room)
        self._waiting.update(dict.fromkeys(list(ids)[:room]))

    def _next_histories(self, walked_to: datetime, begun: datetime) -> _Histories:
        ids = [self._waiting.popitem(last=False)[0] for _ in range(min(IDS_A_REQUEST, len(self._waiting)))]
        # from as far back as late entries are looked for, behind the walk as behind the lists
        since = max(min(walked_to, self._listed_to or walked_to) - self._overlap, begun)
        return _Histories(frozenset(ids), first_query(since, self._types, ids), since)

    async def _read_on(self, reading: _Histories) -> Turn:
        page = await self._client.changelog(reading.query)
        entries = tuple(entry for entry in page.entries if entry.id in reading.ids)
        told = dict(reading.told)
        for entry in entries:
            told[entry.id] = told.get(entry.id, frozenset()) | {entry.event_id}
        behind = replace(reading, told=told, at=max([reading.at, *(entry.time for entry in entries)]))
        return Turn(entries, lambda: self._take(behind, page))

    def _take(self, reading: _Histories, page: ChangelogPage) -> None:
        """The page was written. An entity with too many entries is let go of, and the others are read on without it."""
        self._histories = None
        if page.next is None:
            _remember(self._known, (cid for cid in reading.ids if cid not in self._waiting))
            return
        sizes = Counter({cid: len(told) for cid, told in reading.told.items()})
        long = {cid for cid, size in sizes.items() if size > LONGEST_HISTORY}
        if not long:
            self._histories = replace(reading, query=page.next)
            return
        log.info(
            "pbs:changelog: left to the walk, with more than %d changes waiting: %s", LONGEST_HISTORY, ", ".join(sorted(long))
        )
        _remember(self._left, long)
        if rest := reading.ids - long:
            query = first_query(reading.at - _TICK, self._types, sorted(rest))
            self._histories = replace(reading, ids=rest, query=query)


def _remember(remembered: OrderedDict[str, None], ids: Iterable[str]) -> None:
    """The newest `MOST_ENTITIES` of them. One that is forgotten has its history read again."""
    for cid in ids:
        remembered[cid] = None
        remembered.move_to_end(cid)
    while len(remembered) > MOST_ENTITIES:
        remembered.popitem(last=False)
