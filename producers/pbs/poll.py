"""The changelog feed: oldest first from the cursor, with an overlap, and the last day read again once an hour.

Entries arrive late: a client of a public television station rewinds `since` by 5 minutes on each read. Whether `since`
is inclusive is not documented. Both are met by reading more than is needed, and dedupe drops the repeats.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from producers.gap import gap_event
from producers.interface import BrokenItem, Page
from producers.pbs.client import ChangelogPage, PbsClient, first_query, page_after
from producers.pbs.entries import ACTIONS, PROVIDER, Entry, native_type, parse_time
from runtime.clock import Clock
from runtime.http import BadResponse
from schemas.config import Pbs
from schemas.cursor import Cursor
from schemas.event import ObservedData, ObservedEvent, event_type, source

log = logging.getLogger(__name__)

FEED = "changelog"

_OUTAGE = timedelta(hours=1)
"""Behind by more than this, a poll asks first whether the changelog still holds what is to be read. Recorded totals suggest that
it holds some weeks."""
_TICK = timedelta(microseconds=1)
"""A resumed re-read starts this much before the last entry it saw, which is right for an inclusive and an exclusive `since`."""


@dataclass(frozen=True)
class Reread:
    """A re-read under way: it goes on at `at` and ends with what is newer than `until`, which the newest poll has read."""

    at: datetime
    until: datetime


@dataclass(frozen=True)
class Position:
    """`newest`: the newest entry seen. `begun`: where the first start began; what is older is never reported.
    `reread_at`: when the last re-read began. On the provider's clock."""

    newest: datetime
    begun: datetime
    reread_at: datetime
    reread: Reread | None = None

    def as_json(self) -> dict[str, Any]:
        position: dict[str, Any] = {
            "newest": self.newest.isoformat(),
            "begun": self.begun.isoformat(),
            "reread_at": self.reread_at.isoformat(),
        }
        if self.reread is not None:
            position["reread"] = {"at": self.reread.at.isoformat(), "until": self.reread.until.isoformat()}
        return position

    @classmethod
    def from_json(cls, position: dict[str, Any]) -> Self:
        reread = position.get("reread")
        return cls(
            newest=parse_time(position["newest"]),
            begun=parse_time(position["begun"]),
            reread_at=parse_time(position["reread_at"]),
            reread=Reread(parse_time(reread["at"]), parse_time(reread["until"])) if reread else None,
        )


class ChangelogFeed:
    """`changelog`. A poll reads what is newest to its end, then spends the rest of its interval on a re-read that is due."""

    name = FEED

    def __init__(self, client: PbsClient, settings: Pbs, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._types = () if settings.types == "all" else tuple(native_type(word) for word in settings.types)

    @property
    def interval_s(self) -> float:
        return self._settings.interval.total_seconds()

    async def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        started = self._clock.monotonic()
        if cursor is None:
            begun = first_since(self._settings.since, self._clock.now())
            position = Position(newest=begun, begun=begun, reread_at=self._clock.now())
            cursor = self._cursor(None, position, begun)
            # kept before anything is asked: a first start that fails for a day still begins where it began
            yield Page((), cursor)
        position, read_to = Position.from_json(cursor.position), cursor.read_to
        since = max(position.newest - self._settings.overlap, position.begun)

        # where nothing was read yet nothing is missing: what is older was not asked for
        if read_to > position.begun and (gap := await self._gap(read_to)) is not None:
            oldest, event = gap
            position, read_to = replace(position, newest=max(position.newest, oldest)), oldest
            cursor = self._cursor(cursor, position, read_to)
            yield Page((event,), cursor)

        async for changelog in self._pages(since):
            position = replace(position, newest=max(position.newest, _newest(changelog)))
            # at the end of the list all is read that the provider has; before that, all up to the newest entry
            read_to = max(read_to, changelog.date if changelog.next is None else position.newest)
            cursor = self._cursor(cursor, position, read_to)
            yield self._page(changelog, cursor)

        position = due_reread(position, self._settings, read_to)
        if position.reread is None:
            return
        # one page at least: slow newest pages must not keep the re-read from ever coming to its end
        async for changelog in self._pages(position.reread.at - _TICK):
            position = _reread_on(position, changelog)
            cursor = self._cursor(cursor, position, read_to)
            yield self._page(changelog, cursor)
            if position.reread is None or self._clock.monotonic() - started >= self.interval_s:
                return

    async def _gap(self, read_to: datetime) -> tuple[datetime, ObservedEvent] | None:
        """After an outage: what the changelog has let go of since, with its oldest entry's time. None when it reaches back far enough."""
        now = self._clock.now()
        if now - read_to < _OUTAGE:
            return None
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
            unread = BrokenItem("bad-page", f"pbs changelog: {problem}", problem.body)
            return replace(behind, broken=(unread, *behind.broken))

    def _page(self, changelog: ChangelogPage, cursor: Cursor) -> Page:
        observed_at = self._clock.now()
        return Page(tuple(observed(entry, observed_at) for entry in changelog.entries), cursor, changelog.broken)

    def _cursor(self, before: Cursor | None, position: Position, read_to: datetime) -> Cursor:
        """The cursor before, as it is, when nothing has moved: a page that brings nothing new need not be written."""
        document = position.as_json()
        if before is not None and before.position == document and before.read_to == read_to:
            return before
        return Cursor(provider=PROVIDER, feed=FEED, read_to=read_to, position=document, saved_at=self._clock.now())


def first_since(since: timedelta | datetime, now: datetime) -> datetime:
    """Where a first start begins: at a time, or so far back from now."""
    if not isinstance(since, datetime):
        return now - since
    return since.replace(tzinfo=UTC) if since.tzinfo is None else since


def due_reread(position: Position, settings: Pbs, now: datetime) -> Position:
    """The position with a re-read begun when none is under way and the last began `reread_every` ago."""
    if position.reread is not None or now - position.reread_at < settings.reread_every:
        return position
    # from the last re-read on, so that what came late just before an outage is not missed after it
    begin = max(min(now, position.reread_at) - settings.reread, position.begun)
    return replace(position, reread_at=now, reread=Reread(begin, position.newest))


def observed(entry: Entry, observed_at: datetime) -> ObservedEvent:
    """The event of an entry. Its type ends in the action: the changelog names fields, not what happened to each."""
    action = ACTIONS[entry.action]
    entity = entry.entity
    data = ObservedData(
        provider=PROVIDER,
        entity=entity,
        action=action,
        updated_fields=list(entry.updated_fields),
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


def _newest(changelog: ChangelogPage) -> datetime:
    """No later than the provider's clock: one entry dated next year must not hide all until then."""
    newest = max((entry.time for entry in changelog.entries), default=datetime.min.replace(tzinfo=UTC))
    return min(newest, changelog.date)


def _reread_on(position: Position, changelog: ChangelogPage) -> Position:
    assert position.reread is not None
    at = max(position.reread.at, _newest(changelog))
    done = changelog.next is None or at > position.reread.until
    return replace(position, reread=None if done else replace(position.reread, at=at))
