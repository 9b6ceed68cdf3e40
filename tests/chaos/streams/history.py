"""A history of edits at the sandbox's providers, made while it is read, as the events that the producers would write.

The producers themselves are not run: their polling waits for intervals, and TMDB's request budget would set the pace. What they make of
an item, an entry or an update is their own code here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from changecast.sandbox import Edit, Proposal, Sandbox
from changecast.sandbox.pbs.catalogue import PLURALS, PbsCatalogue, pbs_time
from changecast.sandbox.tmdb.catalogue import Entity as TmdbEntity
from changecast.sandbox.tmdb.catalogue import TmdbCatalogue, grouped
from changecast.sandbox.tvdb.catalogue import TvdbCatalogue
from producers.pbs.entries import Entry, parse_entry
from producers.pbs.poll import observed as pbs_observed
from producers.tmdb import events as tmdb
from producers.tmdb.parse import parse_changes
from producers.tmdb.place import episode_entity, season_entity
from producers.tvdb.models import Update
from producers.tvdb.poll import observed as tvdb_observed
from schemas.event import Entity, ObservedEvent

SHARES = {"tmdb": 12, "pbs": 2, "tvdb": 3}
"""Of the edits. One at PBS makes seven entries of its changelog, and those at one series within a second are one update."""


class History:
    """`edit` makes one edit and gives the events that report it, in the feed's order."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._random = Random(f"history:{seed}")

    def first_touch(self) -> dict[str, list[ObservedEvent]]:
        """One event of each entity of PBS and TheTVDB, without any change: its answer is the state that later ones are compared with."""
        touched = []
        for entity in self._pbs.of_type(*PLURALS):
            entry = {"type": entity.type, "id": entity.id, "action": "update"}
            touched.append(("pbs", Proposal(f"pbs:{entity.type}:{entity.id}", entity.id, "touched", {"entries": [entry]})))
        for series in self._tvdb.every():
            touched.append(("tvdb", Proposal(f"tvdb:series:{series.id}", series.name, "touched", {"series": series.id})))
        events: dict[str, list[ObservedEvent]] = {"pbs": [], "tvdb": []}
        for provider, proposal in touched:
            events[provider] += self._reported(self._sandbox.catalogue.record(provider, "touched", proposal))
        return events

    last_touch = first_touch
    """At the end: what was changed without a word (TheTVDB does so) is told too."""

    def edit(self) -> tuple[str, list[ObservedEvent]]:
        provider = self._random.choices(list(SHARES), list(SHARES.values()))[0]
        return provider, self._reported(self._sandbox.catalogue.edit(provider))

    def entities(self) -> list[Entity]:
        """Those of PBS and TheTVDB, as they are asked for."""
        pbs = [self._pbs_entry(entity.type, entity.id, "update", 0.0, None).entity for entity in self._pbs.of_type(*PLURALS)]
        tvdb = [Entity(type="series", native_type="series", id=str(series.id)) for series in self._tvdb.every()]
        return pbs + tvdb

    @property
    def _pbs(self) -> PbsCatalogue:
        catalogue = self._sandbox.catalogue.of("pbs")
        assert isinstance(catalogue, PbsCatalogue)
        return catalogue

    @property
    def _tvdb(self) -> TvdbCatalogue:
        catalogue = self._sandbox.catalogue.of("tvdb")
        assert isinstance(catalogue, TvdbCatalogue)
        return catalogue

    def _reported(self, edit: Edit) -> list[ObservedEvent]:
        return {"tmdb": self._tmdb_items, "pbs": self._pbs_entries, "tvdb": self._tvdb_update}[edit.provider](
            edit, datetime.now(UTC)
        )

    def _tmdb_items(self, edit: Edit, now: datetime) -> list[ObservedEvent]:
        catalogue = self._sandbox.catalogue.of("tmdb")
        assert isinstance(catalogue, TmdbCatalogue)
        entity = next(e for e in catalogue.of_kind(edit.data["entity"]) if e.id == edit.data["id"])
        items = parse_changes({"changes": grouped(entity.changes[-len(edit.data["items"]) :])}).items
        return [tmdb.observed(_placed(catalogue, entity), item, now) for item in items]

    def _pbs_entries(self, edit: Edit, now: datetime) -> list[ObservedEvent]:
        entries = [
            self._pbs_entry(
                entry["type"], entry["id"], entry["action"], edit.time + entry.get("offset", 0.0), entry.get("updated_fields")
            )
            for entry in edit.data["entries"]
        ]
        return [pbs_observed(entry, now) for entry in sorted(entries, key=lambda entry: entry.time)]

    def _pbs_entry(self, kind: str, number: str, action: str, time: float, fields: list[str] | None) -> Entry:
        link = f"{self._sandbox.url}/pbs/api/v1/{PLURALS[kind]}/{number}/" if kind in PLURALS else None
        attributes: dict[str, Any] = {"action": action, "timestamp": pbs_time(round(time, 6)), "updated_fields": fields}
        entry = parse_entry({"type": kind, "id": number, "attributes": attributes, "links": {"self": link}})
        assert isinstance(entry, Entry)
        return entry

    def _tvdb_update(self, edit: Edit, now: datetime) -> list[ObservedEvent]:
        if not edit.data.get("touched", True):
            return []
        return [tvdb_observed(Update(str(edit.data["series"]), int(edit.time)), now)]


def _placed(catalogue: TmdbCatalogue, entity: TmdbEntity) -> Entity:
    """The entity as the producers' descent names it."""
    above = catalogue.lineage(entity)
    numbers: Mapping[str, Any] = entity.details
    if entity.kind == "season":
        return season_entity(str(above[-1].id), entity.id, numbers["season_number"])
    if entity.kind == "episode":
        return episode_entity(str(above[-1].id), above[0].id, numbers["season_number"], entity.id, numbers["episode_number"])
    return tmdb.entity(entity.kind, entity.id)
