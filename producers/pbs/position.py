"""How far the changelog has been read: what its cursor holds, on the provider's clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from producers.pbs.client import ChangelogPage
from producers.pbs.entries import parse_time
from schemas.config import Pbs

_MARGIN = timedelta(seconds=1)
"""A list is begun a little before its time, since it is not documented whether `since` is inclusive."""


@dataclass(frozen=True)
class Reread:
    """A re-read under way: it goes on at `at` and ends with what is newer than `until`, which the newest poll has read."""

    at: datetime
    until: datetime


@dataclass(frozen=True)
class Position:
    """`newest`: the newest entry seen. `begun`: where the first start began; what is older is never reported.
    `reread_at`: when the last re-read began."""

    newest: datetime
    begun: datetime
    reread_at: datetime
    reread: Reread | None = None

    @property
    def passed(self) -> datetime:
        """All entries up to this that the provider showed when they were read have been handed over, and no re-read is owed."""
        return self.newest if self.reread is None else min(self.newest, self.reread.at)

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

    def on(self, changelog: ChangelogPage) -> Self:
        """Behind a page of what is newest."""
        return replace(self, newest=max(self.newest, _newest(changelog)))

    def reread_on(self, changelog: ChangelogPage) -> Self:
        """Behind a page of the re-read."""
        assert self.reread is not None
        at = max(self.reread.at, _newest(changelog))
        done = changelog.next is None or at > self.reread.until
        return replace(self, reread=None if done else replace(self.reread, at=at))


def first_since(since: timedelta | datetime, now: datetime) -> datetime:
    """Where a first start begins: at a time, or so far back from now."""
    if not isinstance(since, datetime):
        return now - since
    return since.replace(tzinfo=UTC) if since.tzinfo is None else since


def due_reread(position: Position, settings: Pbs, now: datetime) -> Position:
    """The position with a re-read begun when none is under way and the last began `reread_every` ago."""
    if position.reread is not None or now - position.reread_at < settings.reread_every:
        return position
    return replace(position, reread_at=now, reread=Reread(_reread_from(position, settings, now), position.newest))


def reread_before_outage(position: Position, settings: Pbs, now: datetime) -> Position:
    """The position with the re-read begun that was due when an outage began: what came late just before it must not be missed.

    It comes before the walk, not after it. Dedupe keeps an id for `dedupe_window` of the feed's own time; when the outage has been
    walked, that of a day before it may be over. What the walk reads needs no re-read but for the last `reread`, since the rest has
    had its time to come late: so the re-read behind the walk begins that long before the walk did.
    """
    begin = _reread_from(position, settings, now)
    if position.reread is not None:
        begin = min(begin, position.reread.at)
    if begin >= position.newest:
        return replace(position, reread=None)
    return replace(position, reread_at=now, reread=Reread(begin, position.newest))


def _reread_from(position: Position, settings: Pbs, now: datetime) -> datetime:
    return max(min(now, position.reread_at) - settings.reread, position.begun)


def oldest_read(position: Position, settings: Pbs) -> datetime:
    """Nothing older is read from this position, by the overlap, the re-read under way or the next one."""
    under_way = position.newest if position.reread is None else position.reread.at
    return min(position.newest - settings.overlap, under_way, position.reread_at - settings.reread) - _MARGIN


def _newest(changelog: ChangelogPage) -> datetime:
    """No later than the provider's clock: one entry dated next year must not hide all until then."""
    newest = max((entry.time for entry in changelog.entries), default=datetime.min.replace(tzinfo=UTC))
    return min(newest, changelog.date)
