"""The entities above one: asset -> episode or special -> season -> show -> franchise.

A document tells of its parents what it embeds: an asset its whole line (`parent_tree`), an episode its season and show.
What lies further up is asked for, and remembered for a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from producers.pbs.client import Denied, Document, PbsClient, entity_path
from producers.pbs.document import name_of, number_of
from producers.pbs.entries import shared_type
from runtime.clock import Clock
from runtime.http import BadResponse, ProviderUnavailable
from schemas.event import Parent

log = logging.getLogger(__name__)

KEPT_PARENTS = 10_000
"""One takes about 1 kB here: 10 MB at most. The least recently used is let go of first."""

_UPWARD = ("episode", "special", "season", "show", "franchise")
"""From the nearest to the outermost. An entity has at most one of each above it."""
_WORDS = tuple(shared_type(native_type) for native_type in _UPWARD)


@dataclass(frozen=True)
class Line:
    """Parents, outermost first. `whole` is False where the provider could not say now what is at the outer end."""

    parents: tuple[Parent, ...]
    whole: bool = True


@dataclass(frozen=True)
class Above:
    """What one document says of the entities above it, nearest first. `ends`: nothing is above the last of them."""

    nearest_first: tuple[Parent, ...]
    ends: bool


def above(attributes: Mapping[str, Any]) -> Above:
    """The parents that a document embeds. The line ends at a franchise, and at a show whose `franchise` is said to be null."""
    found: dict[str, Parent] = {}
    ends = True
    for native_type, entity in _embedded(attributes):
        inner = _attributes(entity)
        known = found.get(native_type)
        found[native_type] = Parent(
            type=shared_type(native_type),
            id=str(entity["id"]),
            name=name_of(inner) or (known.name if known else None),
            number=number_of(inner) if known is None or known.number is None else known.number,
        )
    line = [native_type for native_type in _UPWARD if native_type in found]
    if line and line[-1] != "franchise":
        outermost = (_attributes(entity) for native_type, entity in _embedded(attributes) if native_type == line[-1])
        ends = line[-1] == "show" and any("franchise" in inner for inner in outermost)
    return Above(tuple(found[native_type] for native_type in line), ends)


class Parents:
    """Completes lines of parents. Each parent is fetched once, however many ask for it, and again when it was `kept` for so long."""

    def __init__(self, client: PbsClient, clock: Clock, kept: timedelta) -> None:
        self._client = client
        self._clock = clock
        self._kept_s = kept.total_seconds()
        self._kept: OrderedDict[tuple[str, str], tuple[float, asyncio.Future[_Known | None]]] = OrderedDict()

    async def line(self, attributes: Mapping[str, Any]) -> Line:
        """The parents above a document. One that may not be read (403) or is gone stays as the document below tells it.

        Raises CredentialsRejected; any other trouble leaves the line as far as it is known, with `whole` False.
        """
        here = above(attributes)
        parents = list(here.nearest_first)
        while not here.ends:
            try:
                known = await self._known(parents[-1])
            except (ProviderUnavailable, BadResponse) as problem:
                log.info("the parents above %s %s are not known now: %s", parents[-1].type, parents[-1].id, problem)
                return Line(tuple(reversed(parents)), whole=False)
            if known is None:
                break
            parents[-1] = _completed(parents[-1], known.parent)
            here = _further_up(known.above, known.parent)
            parents += here.nearest_first
        return Line(tuple(reversed(parents)))

    def remember(self, entity_type: str, document: Document) -> None:
        """Keep what a document that was just fetched says of itself: it need not be asked for as a parent."""
        if entity_type in _WORDS:
            future: asyncio.Future[_Known | None] = asyncio.get_running_loop().create_future()
            future.set_result(_known(entity_type, document))
            self._keep((entity_type, document.id), future)

    async def _known(self, parent: Parent) -> _Known | None:
        key = (parent.type, parent.id)
        kept = self._kept.get(key)
        if kept is not None and self._clock.monotonic() - kept[0] < self._kept_s:
            self._kept.move_to_end(key)
            future = kept[1]
        else:
            future = asyncio.ensure_future(self._fetch(parent))
            future.add_done_callback(partial(self._forget_if_failed, key))
            self._keep(key, future)
        # shielded: one asker that gives up must not fail the others
        return await asyncio.shield(future)

    def _forget_if_failed(self, key: tuple[str, str], future: asyncio.Future[_Known | None]) -> None:
        """The next one asks again. Runs also when no asker is left to be told."""
        failed = future.cancelled() or future.exception() is not None
        if failed and key in self._kept and self._kept[key][1] is future:
            del self._kept[key]

    async def _fetch(self, parent: Parent) -> _Known | None:
        path = entity_path(parent.type, parent.id)
        assert path is not None, f"{parent.type} has no route"
        document = await self._client.entity(path, parent.id)
        return None if isinstance(document, Denied) else _known(parent.type, document)

    def _keep(self, key: tuple[str, str], future: asyncio.Future[_Known | None]) -> None:
        self._kept[key] = (self._clock.monotonic(), future)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT_PARENTS:
            self._kept.popitem(last=False)


@dataclass(frozen=True)
class _Known:
    parent: Parent
    above: Above


def _known(entity_type: str, document: Document) -> _Known:
    attributes = document.attributes
    itself = Parent(type=entity_type, id=document.id, name=name_of(attributes), number=number_of(attributes))
    return _Known(itself, above(attributes))


def _completed(said: Parent, itself: Parent) -> Parent:
    """A parent as the document below tells it, which is newer than what is kept, with what only its own document tells."""
    number = itself.number if said.number is None else said.number
    return said.model_copy(update={"name": said.name or itself.name, "number": number})


def _further_up(said: Above, parent: Parent) -> Above:
    """Of what a parent's document says, what may be above it: a line that leads back ends there."""
    further = _WORDS[_WORDS.index(parent.type) + 1 :]
    nearest_first = tuple(above for above in said.nearest_first if above.type in further)
    return Above(nearest_first, ends=said.ends or not nearest_first)


def _embedded(attributes: Mapping[str, Any], deep: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every entity above that stands in the attributes, with those that stand in it in turn."""
    if deep == len(_UPWARD):
        return
    tree = attributes.get("parent_tree")
    named = [(key, attributes.get(key)) for key in _UPWARD]
    if isinstance(tree, dict):
        named.append((str(tree.get("type")), tree))
    for native_type, entity in named:
        if native_type in _UPWARD and isinstance(entity, dict) and entity.get("id"):
            yield native_type, entity
            yield from _embedded(_attributes(entity), deep + 1)


def _attributes(entity: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = entity.get("attributes")
    return inner if isinstance(inner, dict) else {}
