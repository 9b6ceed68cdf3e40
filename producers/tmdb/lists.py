"""A day's list of changed entities, all its pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from producers.interface import BrokenItem
from producers.tmdb.client import LAST_PAGE, Refusal, TmdbClient
from producers.tmdb.models import Kind
from producers.tmdb.windows import one_day
from runtime.http import BadResponse

_MOST_PASSES = 3


@dataclass
class DayList:
    """The ids of a day, each once. `missing`: those that TMDB marks as no longer existing.

    `complete` is False where a page could not be read; `cut` where there are more pages than TMDB gives."""

    day: date
    ids: dict[int, None] = field(default_factory=dict)
    missing: set[int] = field(default_factory=set)
    broken: list[BrokenItem] = field(default_factory=list)
    complete: bool = True
    cut: bool = False


async def read_list(client: TmdbClient, kind: Kind, day: date) -> DayList:
    """One pass over the pages. What moves to an earlier page between two requests is missed: a day is read more than once.

    Raises ProviderUnavailable, CredentialsRejected, and Refusal where TMDB does not give this day.
    """
    found = DayList(day)
    page = pages = 1
    while page <= min(pages, LAST_PAGE):
        try:
            listed = await client.changed(kind, one_day(day), page)
        except Refusal:
            raise
        except BadResponse as problem:
            found.broken.append(BrokenItem("bad-response", str(problem), problem.body))
            found.complete = False
        else:
            found.ids.update(dict.fromkeys(listed.ids))
            found.missing |= listed.missing
            found.broken += listed.broken
            pages = listed.total_pages
        page += 1
    found.cut = pages > LAST_PAGE
    return found


async def read_list_until_stable(client: TmdbClient, kind: Kind, day: date) -> DayList:
    """A day that will not be read again: passes until one brings nothing new."""
    found = await read_list(client, kind, day)
    for _ in range(_MOST_PASSES - 1):
        known = len(found.ids)
        again = await read_list(client, kind, day)
        found.ids.update(again.ids)
        found.missing |= again.missing
        found.complete = found.complete or again.complete
        if len(found.ids) == known:
            break
    return found
