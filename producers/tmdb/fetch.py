"""An entity's state for enrichment: details, all its images, and the names of what is above it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from producers.interface import Fetched, Refused
from producers.tmdb.cache import Cache
from producers.tmdb.client import Forbidden, NotFound, Read, TmdbClient
from producers.tmdb.models import NATIVE_TYPE, Details, Picture
from producers.tmdb.pictures import ImageHost
from producers.tmdb.place import (
    Place,
    episode_entity,
    episode_place,
    numbered,
    parent,
    place_of,
    season_entity,
    season_place,
    series_place,
)
from producers.volatile import without
from runtime.clock import Clock
from runtime.http import BadResponse, ProviderUnavailable
from schemas.config.models import Tmdb
from schemas.event import Entity, Image, Parent

log = logging.getLogger(__name__)

PARENTS_LIMIT = 2_000
"""Details of series and seasons kept: a recorded day names 370 series; the lists of their episodes' numbers come to a few MB."""

CONFIGURATION_KEPT_S = 86_400.0
"""TMDB asks clients to keep the configuration, and to look for changes every few days."""

_PRIMARY_KIND = {"episode": "still", "person": "profile"}


@dataclass(frozen=True)
class Found:
    """An entity with the numbers of now, and its details."""

    subject: Entity
    place: Place
    read: Read


class Moved(Exception):
    """Another season or episode has the numbers by which this one was asked for, and the lists above name it nowhere."""

    def __init__(self, read: Read) -> None:
        self.read = read


class Fetcher:
    """Fetches entities. Holds the details of series and seasons, and the configuration, for a while."""

    def __init__(self, client: TmdbClient, clock: Clock, settings: Tmdb) -> None:
        self._client = client
        self._volatile = frozenset(settings.volatile)
        self._clock = clock
        self._above: Cache[str, Details] = Cache(settings.parents_kept.total_seconds(), PARENTS_LIMIT, clock)
        self._hosts: Cache[str, ImageHost] = Cache(CONFIGURATION_KEPT_S, 1, clock)

    @property
    def host(self) -> ImageHost:
        """Where pictures are, as far as it is known."""
        return self._hosts.kept("") or ImageHost()

    async def fetch(self, subject: Entity) -> Fetched | Refused | None:
        """The entity now. What it is called by may have moved: an episode of another id at its numbers is looked for by its own.

        A season or an episode without numbers can't be asked for; what is known of it comes back as partial. None for a feed.
        Raises ProviderUnavailable, CredentialsRejected, BadResponse.
        """
        if subject.type not in NATIVE_TYPE:
            return None
        try:
            named = numbered(subject)
            if named is not None:
                subject = await self._by_numbers(*named)
            found = await self._found(subject)
        except Moved as moved:
            return Refused(subject, forbidden=False, fetched_at=moved.read.at, cached=moved.read.cached)
        except (NotFound, Forbidden) as refusal:
            return Refused(subject, isinstance(refusal, Forbidden), refusal.at, cached=refusal.cached)
        if found is None:
            return Fetched(subject, self._clock.now(), partial=True, comparable=False)
        return await self._fetched(found)

    async def _found(self, subject: Entity) -> Found | None:
        """The entity where it is now; None where it can't be asked for. Raises NotFound, Forbidden."""
        place, missing, elsewhere = place_of(subject), None, None
        if place is not None:
            try:
                read = await self._client.details(place.path)
            except NotFound as refusal:
                missing = refusal
            else:
                if str(read.details.id) == subject.id:
                    return Found(subject, place, read)
                if not subject.parents:
                    raise ProviderUnavailable(f"tmdb: {place.path} was answered with {read.details.id}")
                # renumbered since the change: what is at these numbers now is another
                elsewhere = read
        moved = await self._relocated(subject) if subject.parents else None
        place = place_of(moved) if moved is not None else None
        if moved is not None and place is not None:
            return Found(moved, place, await self._client.details(place.path))
        if missing is not None:
            raise missing
        if elsewhere is not None:
            raise Moved(elsewhere)
        return None

    async def _fetched(self, found: Found) -> Fetched:
        subject, place, details = found.subject, found.place, found.read.details
        host = await self._host()
        partial = False
        try:
            pictures = await self._client.images(place.path)
        except (NotFound, Forbidden):
            pictures, partial = (), True
        parents, known = await self._parents(subject)
        entity = subject.model_copy(
            update={
                "name": details.name,
                "url": place.url,
                "number": details.number if subject.type in ("season", "episode") else None,
                "parents": parents,
                "external_ids": details.external_ids,
            }
        )
        return Fetched(
            entity=entity,
            fetched_at=found.read.at,
            cached=found.read.cached,
            fields=without(details.fields, self._volatile),
            images=_images(host, pictures, subject.type, details.primary_image),
            primary_image=details.primary_image,
            partial=partial or not known,
            comparable=False,
        )

    async def _parents(self, subject: Entity) -> tuple[list[Parent], bool]:
        """The parents with their names, and whether all of them were found."""
        above, complete = [], True
        series = parent(subject, "series")
        for link in subject.parents:
            details = None
            if link.type == "series":
                details = await self._details_above(series_place(link.id))
            elif link.type == "season" and series is not None and link.number is not None:
                details = await self._details_above(season_place(series.id, link.number))
            if details is None or str(details.id) != link.id:
                complete = False
                above.append(link)
            else:
                above.append(link.model_copy(update={"name": details.name}))
        return above, complete

    async def _details_above(self, place: Place) -> Details | None:
        """A series' or a season's details, kept for an hour; None where there is none (any more, or yet)."""

        async def read() -> Details:
            return (await self._client.details(place.path)).details

        try:
            return await self._above.get(place.path, read)
        except (NotFound, Forbidden):
            return None

    async def _host(self) -> ImageHost:
        """Where pictures are: yesterday's answer will do when today's can't be had."""
        try:
            return await self._hosts.get("", self._client.configuration)
        except (ProviderUnavailable, BadResponse) as problem:
            known = self._hosts.kept("")
            if known is None:
                raise
            log.warning("tmdb: %s; the configuration of before is used", problem)
            return known

    async def _relocated(self, subject: Entity) -> Entity | None:
        """The season or episode with its numbers of now, looked up by its id in the lists above it; None where it is in none."""
        series, season = parent(subject, "series"), parent(subject, "season")
        if series is None:
            return None
        seasons = (await self._client.details(series_place(series.id).path)).details.children
        if subject.type == "season":
            number = seasons.get(int(subject.id))
            return None if number is None else season_entity(series.id, int(subject.id), number)
        season_number = seasons.get(int(season.id)) if season is not None else None
        if season is None or season_number is None:
            return None
        episodes = (await self._client.details(season_place(series.id, season_number).path)).details.children
        number = episodes.get(int(subject.id))
        return None if number is None else episode_entity(series.id, int(season.id), season_number, int(subject.id), number)

    async def _by_numbers(self, series_id: str, season: int, episode: int | None) -> Entity:
        """The season or episode that is at these numbers. Raises NotFound."""
        season_id = (await self._client.details(season_place(series_id, season).path)).details.id
        if episode is None:
            return season_entity(series_id, season_id, season)
        episode_id = (await self._client.details(episode_place(series_id, season, episode).path)).details.id
        return episode_entity(series_id, season_id, season, episode_id, episode)


def _images(host: ImageHost, pictures: tuple[Picture, ...], shared_type: str, primary: str | None) -> dict[str, Image]:
    """By path. The primary one is among them even when the images route has not caught up with it."""
    images = {picture.path: host.image(picture) for picture in pictures}
    if primary is not None and primary not in images:
        images[primary] = host.bare(_PRIMARY_KIND.get(shared_type, "poster"), primary)
    return images
