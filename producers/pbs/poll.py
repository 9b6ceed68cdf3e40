"""The changelog feed: oldest first from the cursor, with an overlap, and the last day read again once an hour.

Entries arrive late: a client of a public television station rewinds `since` by 5 minutes on each read. Whether `since`
is inclusive is not documented. Both are met by reading more than is needed, and dedupe drops the repeats.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

from producers.gap import gap_event
from producers.interface import BrokenItem, Page
from producers.pbs.ahead import Ahead
from producers.pbs.client import ChangelogPage, PbsClient, first_query, page_after
from producers.pbs.entries import ACTIONS, PROVIDER, Entry, native_type
from producers.pbs.position import Position, due_reread, first_since, oldest_read, reread_before_outage
from runtime.clock import Clock
from runtime.http import BadResponse
from schemas.config import Pbs
from schemas.cursor import Cursor
from schemas.event import ObservedData, ObservedEvent, event_type, source

log = logging.getLogger(__name__)

FEED = "changelog"

_OUTAGE = timedelta(hours=1)
"""Behind by more than this, a poll asks first whether the changelog still holds what is to be read (recorded totals suggest that it
holds some weeks), and does the re-read that is due before the walk."""
_TICK = timedelta(microseconds=1)
"""A resumed re-read starts this much before the last entry it saw, which is right for an inclusive and an exclusive `since`."""


class ChangelogFeed:
    """`changelog`. A poll reads to the end of the list, then spends the rest of its interval on a re-read that is due. An outage is
    walked in one poll, however long, and what is newest is read ahead meanwhile."""

    name = FEED

    def __init__(self, client: PbsClient, settings: Pbs, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._types = () if settings.types == "all" else tuple(native_type(word) for word in settings.types)
        self._ahead = Ahead(client, settings, self._types)

    @property
    def interval_s(self) -> float:
        return self._settings.interval.total_seconds()

    def reads_from(self, cursor: Cursor) -> datetime:
        return oldest_read(Position.from_json(cursor.position), self._settings)

    async def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        started = self._clock.monotonic()
        if cursor is None:
            begun = first_since(self._settings.since, self._clock.now())
            position = Position(newest=begun, begun=begun, reread_at=self._clock.now())
            cursor = self._cursor(None, position, begun)
            # kept before anything is asked: a first start that fails for a day still begins where it began
            yield Page((), cursor)
        async for page in self._newest(cursor):
            cursor = page.cursor
            yield page
        self._ahead.caught_up()

        position, read_to = due_reread(Position.from_json(cursor.position), self._settings, cursor.read_to), cursor.read_to
        if position.reread is None:
            return
        # one page at least: slow newest pages must not keep the re-read from ever coming to its end
        until = position.reread.until
        async for changelog in self._pages(position.reread.at - _TICK):
            position = position.reread_on(changelog)
            cursor = self._cursor(cursor, position, read_to)
            yield self._page(changelog, cursor, until)
            if position.reread is None or self._clock.monotonic() - started >= self.interval_s:
                return

    async def _newest(self, cursor: Cursor) -> AsyncIterator[Page]:
        """From the cursor to the end of the list; after an outage with the re-read that it has kept from being done, before all else.
        While it lasts, what is newest is read ahead."""
        position, read_to = Position.from_json(cursor.position), cursor.read_to
        now = self._clock.now()
        # where nothing was read yet nothing is missing: what is older was not asked for
        if read_to > position.begun and now - read_to >= _OUTAGE:
            if (gap := await self._gap(read_to, now)) is not None:
                oldest, event = gap
                position, read_to = replace(position, newest=max(position.newest, oldest)), oldest
                cursor = self._cursor(cursor, position, read_to)
                yield Page((event,), cursor)
            position = reread_before_outage(position, self._settings, now)
            if position.reread is not None:
                until = position.reread.until
                async for changelog in self._pages(position.reread.at - _TICK):
                    position = position.reread_on(changelog)
                    cursor = self._cursor(cursor, position, read_to)
                    yield self._page(changelog, cursor, until)
                    if position.reread is None:
                        break
                    async for page in self._read_ahead(position, cursor, changelog.date):
                        yield page

        async for changelog in self._pages(max(position.newest - self._settings.overlap, position.begun)):
            position = position.on(changelog)
            # at the end of the list all is read that the provider has; before that, all up to the newest entry
            read_to = max(read_to, changelog.date if changelog.next is None else position.newest)
            cursor = self._cursor(cursor, position, read_to)
            yield self._page(changelog, cursor)
            if changelog.next is not None:
                async for page in self._read_ahead(position, cursor, changelog.date):
                    yield page

    async def _read_ahead(self, position: Position, cursor: Cursor, now: datetime) -> AsyncIterator[Page]:
        """One request for what is newest, when it is due: in turns with the pages of the walk. The cursor stays the walk's. What can't
        be read of it is left to the walk, which meets it."""
        turn = await self._ahead.turn(position.passed, position.begun, cursor.read_to, now)
        if turn is None:
            return
        if turn.entries:
            observed_at = self._clock.now()
            yield Page(tuple(observed(entry, observed_at, out_of_turn=True) for entry in turn.entries), cursor)
        turn.take()

    async def _gap(self, read_to: datetime, now: datetime) -> tuple[datetime, ObservedEvent] | None:
        """After an outage: what the changelog has let go of since, with its oldest entry's time. None when it reaches back far enough."""
        oldest = await self._client.changelog_oldest()
        if oldest is None or oldest <= read_to:
            return None
        oldest = min(oldest, now)
        return oldest, gap_event(PROVIDER, FEED, read_to, oldest, "the changelog's oldest entry is newer", now)

    async def _pages(self, since: datetime) -> AsyncIterator[ChangelogPage]:
        """The pages from `since` to the end. Raises BadResponse for one that can't be read and is not passed."""
        query: str | None = first_query(since, self._types)
        while query is not None:
            page = await self._read(query)
            yield page
            query = page.next

    async def _read(self, query: str) -> ChangelogPage:
        """The page; when it can't be read twice over, the page behind it, with the unreadable one as a broken item. The hourly
        re-read meets its entries on other pages. The last page is not passed: the next poll asks for it again."""
        try:
            return await self._client.changelog(query)
        except BadResponse as problem:
            log.info("%s; asked for again", problem)
        try:
            return await self._client.changelog(query)
        except BadResponse as problem:
            try:
                behind = await self._client.changelog(page_after(query))
            except BadResponse:
                raise problem from None
            if not behind.entries:
                raise
            unread = BrokenItem("bad-page", f"pbs changelog: {problem}", problem.body, identity=query)
            return replace(behind, broken=(unread, *behind.broken))

    def _page(self, changelog: ChangelogPage, cursor: Cursor, until: datetime | None = None) -> Page:
        """`until`: where a re-read ends. What its last page holds beyond that is out of turn: the walk has yet to come there."""
        now = self._clock.now()
        events = (observed(entry, now, out_of_turn=until is not None and entry.time > until) for entry in changelog.entries)
        return Page(tuple(events), cursor, changelog.broken)

    def _cursor(self, before: Cursor | None, position: Position, read_to: datetime) -> Cursor:
        """The cursor before, as it is, when nothing has moved: a page that brings nothing new need not be written."""
        document = position.as_json()
        if before is not None and before.position == document and before.read_to == read_to:
            return before
        return Cursor(provider=PROVIDER, feed=FEED, read_to=read_to, position=document, saved_at=self._clock.now())


def observed(entry: Entry, observed_at: datetime, *, out_of_turn: bool = False) -> ObservedEvent:
    """The event of an entry. Its type ends in the action: the changelog names fields, not what happened to each."""
    action = ACTIONS[entry.action]
    entity = entry.entity
    data = ObservedData(
        provider=PROVIDER,
        entity=entity,
        action=action,
        updated_fields=list(entry.updated_fields),
        out_of_turn=out_of_turn,
        observed_at=observed_at,
    )
    return ObservedEvent(
        id=entry.event_id,
        source=source(PROVIDER),
        type=event_type(PROVIDER, entity.type, [], action),
        subject=str(entry.urn),
        time=entry.time,
        data=data,
    )
