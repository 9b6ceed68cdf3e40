"""What a provider is to the rest: feeds that are polled page by page, and entities that are fetched for enrichment."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from schemas.cursor import Cursor
from schemas.event import Change, Entity, Image, ObservedEvent

Json = Any
"""A JSON value: None, bool, int, float, str, list or dict."""

LANGUAGE_MARK = "@"
"""`overview@de` is the field `overview` in German: a change of it has the key `overview` and the language `de`."""


@dataclass(frozen=True)
class BrokenItem:
    """Something of a page that could not be read: it goes to the dead topic as it came, and the rest goes on.

    `reason` is a word (`bad-json`, `no-entity-id`, `bad-item`), `error` a sentence, `body` the provider's bytes.
    `time`: the item's own, where it has one. `identity`: by what it is known as the same item when it comes again, its bytes where
    there is none. A page that can't be read may have other bytes each time, such as the id of the request.
    """

    reason: str
    error: str
    body: bytes
    time: datetime | None = None
    identity: str | None = None

    @property
    def digest(self) -> str:
        same = self.body if self.identity is None else self.identity.encode()
        return hashlib.sha256(b"%b:%b" % (self.reason.encode(), same)).hexdigest()[:32]

    def of(self, context: object) -> BrokenItem:
        """The item as one of `context` (an entity, a day's list): equal bytes of another are another item."""
        same = "" if self.reason == "bad-response" else self.digest
        return replace(self, identity=f"{context}:{same}")


@dataclass(frozen=True)
class Page:
    """What is written in one transaction. `cursor` is the position AFTER these events: a restart goes on behind them."""

    events: tuple[ObservedEvent, ...]
    cursor: Cursor
    broken: tuple[BrokenItem, ...] = ()


class Feed(Protocol):
    """One list of changes of a provider, with a cursor of its own."""

    name: str

    @property
    def interval_s(self) -> float:
        """Seconds from the start of one poll to the start of the next."""

    def poll(self, cursor: Cursor | None) -> AsyncIterator[Page]:
        """Read from the cursor (None: the first start) up to now. Each page must leave a cursor from which nothing is lost:
        resume on the last item rather than behind it, where the two can't be told apart; dedupe drops the repeat.

        A poll that may last longer than the interval (an outage is walked) reads what is newest in between, or ends after the
        interval and goes on in the next poll: the newest changes wait no longer than one interval more than usual.
        Memory: no more than one window's or list's ids and one page's events at a time.

        Raises ProviderUnavailable, CredentialsRejected or BadResponse when the rest can't be had now.
        """


@runtime_checkable
class Telling(Protocol):
    """A feed that has something to tell about itself, beside how far it has been read."""

    def statistics(self) -> Mapping[str, float]:
        """Names and numbers for the status; `sweep_age_s` is the age of a sweep in seconds."""


@runtime_checkable
class Rereading(Protocol):
    """A feed that says how far back it may read again. Without it, a week before the cursor's time is taken."""

    def reads_from(self, cursor: Cursor) -> datetime:
        """Nothing older than this is read from the cursor, by an overlap or a re-read, now or later."""


@runtime_checkable
class Ranged(Protocol):
    """A feed that reads a range of the past otherwise than it polls: with `reads_range` set it publishes no deletions, which take time and
    are for the feed that polls, and an entity that is not found any more is no reason to ask again."""

    reads_range: bool


@dataclass(frozen=True)
class Fetched:
    """An entity's state as the provider gives it now, in the parts that are compared.

    `fields`: plain fields by name. `members`: things that belong to the entity and have an identity
    of their own, as {"episodes": {"184602": {…}}}: they are added, updated and deleted one by one. `images` by path.
    `partial`: something could not be had or read; what is missing then is taken to be as it was, not deleted.
    A field in another language than the first has it in its name (see `LANGUAGE_MARK`).
    `comparable` is False where the provider names the changes itself (TMDB): nothing is diffed or kept then.
    `parser_version`: raise it when the same answer gives other fields, members or images than before. Between two versions only what
    both know is compared, so an upgrade is not published as a change of every entity. `languages`: those that were asked for, the
    primary one first; what is in a new one is likewise no change.
    `fetched_at`: the time of this state on the provider's clock, older than the receipt where a cache had kept the answer (`cached`);
    that cache asks again in `expires_in_s`, where it says so. `updated_at`: when the record says that it was last changed, None where
    it does not say.
    """

    entity: Entity
    fetched_at: datetime
    fields: Mapping[str, Json] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    primary_image: str | None = None
    partial: bool = False
    comparable: bool = True
    parser_version: int = 1
    languages: tuple[str, ...] = ()
    updated_at: datetime | None = None
    cached: bool = False
    expires_in_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """The provider's answer is that this entity can't be read: 403 (`forbidden` True), or 404 and 410, in the provider's own words.
    An answer, not a fault. `cached`: a cache on the way had kept it, so it is no witness of what is now."""

    entity: Entity
    forbidden: bool
    fetched_at: datetime
    cached: bool = False


class Provider(Protocol):
    """A provider, polled by the producers worker and asked for entities by the streams workers.

    It is made of its settings, a request budget and a clock (see `registry.py`). A first start begins at `settings.since`, and
    "now" is what the clock says: a range is read again by a first start at its beginning with a clock that stands at its end.
    """

    name: str

    names_changes: bool
    """Whether its feed says what changed. Then nothing is compared, and no event waits for the entity to show it."""

    @property
    def feeds(self) -> tuple[Feed, ...]: ...

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """The entity's state now, with parents up the chain; None where the provider has nothing to fetch for its type.

        Raises ProviderUnavailable when it may work later (an answer in other words than the provider's own is of that kind), BadResponse
        and CredentialsRejected as the client does.
        """

    async def probe(self) -> None:
        """Ask a route that always answers, past every cache. Returns when it did as it should; raises as `fetch` does."""

    def pictured(self, change: Change, images: Mapping[str, Image]) -> list[Image]:
        """The pictures that a change names, found by their path in `images`; one that is gone from there is made from its path."""

    async def aclose(self) -> None: ...
