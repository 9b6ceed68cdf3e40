"""A series' state now: the series, its images by kind, its episodes page by page, its actors. TheTVDB says only that it changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import quote

from producers.interface import BrokenItem, Fetched, Json, Refused
from producers.tvdb.client import TvdbClient
from producers.tvdb.document import (
    actor_fields,
    episode_fields,
    images_by_path,
    last_updated,
    primary_image,
    series_fields,
)
from producers.tvdb.models import Missing, Pictures, Record, Records
from producers.volatile import without
from runtime.http import BadResponse
from schemas import redaction
from schemas.event import Entity

log = logging.getLogger(__name__)

PARSER_VERSION = 2
"""2: an image's season, and its language by `languageId`. See `Fetched`."""

SITE = "https://www.thetvdb.com/series/"
_MOST_PAGES = 500
"""50,000 episodes. Only answers whose next pages never end come here."""


@dataclass(frozen=True)
class _State:
    """A series as it was read: in the primary language, and what is translated in the further ones."""

    series: Record
    translations: Mapping[str, Record]
    pictures: Sequence[Pictures]
    episodes: Records
    translated: Mapping[str, Records]
    actors: Records
    languages: Mapping[int, str]


class Fetcher:
    """Fetches series, in the languages of the settings, of which the first is the primary one.

    A series costs three requests (itself, actors, kinds of images), one for each kind of image and one for each hundred episodes;
    each further language costs as many, without the actors. They go side by side, within the provider's request budget.
    """

    def __init__(self, client: TvdbClient, languages: Sequence[str], volatile: Collection[str]) -> None:
        self._client = client
        self._volatile = frozenset(volatile)
        self._languages = tuple(dict.fromkeys(languages)) or ("en",)
        self._languages_by_id: dict[int, str] = {}

    async def fetch(self, entity: Entity) -> Fetched | Refused | None:
        """None for what is no series: its feed names nothing else.

        Raises ProviderUnavailable when it may work later, CredentialsRejected, and BadResponse for what can't be read.
        """
        if entity.type != "series":
            return None
        primary, *further = self._languages
        series_id = quote(entity.id, safe="")
        answer = await self._client.series(series_id, primary)
        if isinstance(answer, Missing):
            return Refused(entity, answer.forbidden, answer.date, cached=answer.cached)
        async with _side_by_side() as group:
            translations = [group.create_task(self._translation(series_id, language)) for language in further]
            pictures = [group.create_task(self._pictures(series_id, language)) for language in self._languages]
            episodes = [group.create_task(self._episodes(series_id, language)) for language in self._languages]
            actors = group.create_task(self._client.actors(series_id))
        listed = [pictures_of for task in pictures for pictures_of in task.result()]
        state = _State(
            series=answer.series,
            translations={language: task.result() for language, task in zip(further, translations, strict=True)},
            pictures=listed,
            languages=await self._language_names(listed),
            episodes=episodes[0].result(),
            translated={language: task.result() for language, task in zip(further, episodes[1:], strict=True)},
            actors=actors.result(),
        )
        return replace(
            _fetched(entity, state, answer.date, self._volatile),
            languages=self._languages,
            updated_at=last_updated(answer.series),
            cached=answer.cached,
            expires_in_s=answer.expires_in_s,
        )

    async def _language_names(self, listed: Sequence[Pictures]) -> Mapping[int, str]:
        """Abbreviations by id, asked for once, and only where a picture names its language by nothing else."""
        unnamed = any(picture.language is None and picture.language_id for pictures in listed for picture in pictures.pictures)
        if unnamed and not self._languages_by_id:
            self._languages_by_id = {language.id: language.abbreviation for language in await self._client.languages()}
        return self._languages_by_id

    async def _translation(self, series_id: str, language: str) -> Record:
        """The series in a further language; one without attributes where there is none."""
        answer = await self._client.series(series_id, language)
        return Record(series_id, {}) if isinstance(answer, Missing) else answer.series

    async def _pictures(self, series_id: str, language: str) -> list[Pictures]:
        kinds = await self._client.image_kinds(series_id, language)
        async with _side_by_side() as group:
            listed = [group.create_task(self._client.images(series_id, kind.key_type, language)) for kind in kinds]
        return [task.result() for task in listed]

    async def _episodes(self, series_id: str, language: str) -> Records:
        """All pages as one list. Pages are numbered, so an episode may stand on two of them when one was added meanwhile."""
        episodes: dict[str, Record] = {}
        broken: list[BrokenItem] = []
        page = 1
        for _ in range(_MOST_PAGES):
            records = await self._client.episodes(series_id, page, language)
            episodes.update((record.id, record) for record in records.records)
            broken += records.broken
            if records.next is None or records.next <= page:
                return Records(tuple(episodes.values()), tuple(broken))
            page = records.next
        raise BadResponse(f"series {series_id} has more than {_MOST_PAGES} pages of episodes", b"")


def _fetched(entity: Entity, state: _State, fetched_at: datetime, volatile: Collection[str]) -> Fetched:
    """What is compared. It is partial when an item could not be read: one that is not there then may not be gone."""
    series = state.series
    name = next((text for record in (series, *state.translations.values()) if (text := record.text("seriesName"))), None)
    slug = series.text("slug")
    external_ids = {key: text for key in ("imdbId", "zap2itId") if (text := series.text(key))}
    images = images_by_path((picture for listed in state.pictures for picture in listed.pictures), series, state.languages)
    broken = [*state.episodes.broken, *state.actors.broken, *(item for listed in state.pictures for item in listed.broken)]
    members = {"episodes": _episodes(state), "actors": {actor.id: actor_fields(actor) for actor in state.actors.records}}
    for item in broken:
        log.warning("series %s: %s: %s", entity.id, item.error, redaction.excerpt(item.body, 200))
    return Fetched(
        entity=Entity(
            type=entity.type,
            native_type=entity.native_type,
            id=entity.id,
            name=name,
            url=f"{SITE}{slug}" if slug else entity.url,
            external_ids=external_ids,
        ),
        fetched_at=fetched_at,
        fields=without(series_fields(series, state.translations), volatile),
        members=without(members, volatile),
        images=images,
        primary_image=primary_image(images, series),
        partial=bool(broken),
        parser_version=PARSER_VERSION,
    )


def _episodes(state: _State) -> dict[str, Json]:
    further = {language: {record.id: record for record in records.records} for language, records in state.translated.items()}
    return {
        episode.id: episode_fields(
            episode, {language: records.get(episode.id, Record(episode.id, {})) for language, records in further.items()}
        )
        for episode in state.episodes.records
    }


@asynccontextmanager
async def _side_by_side() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that fails with the first failure itself: callers ask for ProviderUnavailable, not for a group of it."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
