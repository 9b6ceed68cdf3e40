"""One entity's events and the answer to what it is now: what changed, and what to remember. Pure: the reading is done elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from producers.interface import Fetched, Provider, Refused
from schemas.event import ENTITY_KEY, Action, Change, ChangeEvent, ObservedEvent, Status
from streams import assemble
from streams.diff import appearance, differences
from streams.reading import Answer, Failed
from streams.snapshots import State
from streams.tables import Write

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sighting:
    """A raw event, the offset it stands at, and its bytes as they came."""

    event: ObservedEvent
    offset: int
    raw: bytes = field(repr=False)

    @property
    def id(self) -> str:
        return self.event.id


@dataclass(frozen=True)
class Enriched:
    """The change events, one for each sighting in the same order, and the snapshot to write. `differs`: whether the answer differs from
    the last state, or there was none."""

    events: list[ChangeEvent]
    snapshot: Write | None = None
    differs: bool = True


def covered(provider: Provider, sightings: Sequence[Sighting], state: State) -> Enriched:
    """Events that are older than the last state by more than the settling margin: it holds them already, and nothing differs."""
    observed = [sighting.event for sighting in sightings]
    return Enriched([assemble.read(provider, event, state, _own(event, state)) for event in observed])


def enriched(
    provider: Provider,
    sightings: Sequence[Sighting],
    before: State | None,
    answer: Answer,
    volatile: Collection[str] = (),
) -> Enriched:
    """The events of one entity with the provider's answer. One answer tells of all of them: the first carries what changed.
    `volatile`: see `differences`."""
    observed = [sighting.event for sighting in sightings]
    known = before.entity if before else None
    if answer is None:
        return Enriched([assemble.unread(event, Status.SKIPPED, known) for event in observed])
    if isinstance(answer, Failed):
        log.warning("%s: %s; published with status failed", observed[0].subject, answer.reason)
        return Enriched([assemble.unread(event, Status.FAILED, known) for event in observed])
    if isinstance(answer, Refused):
        return _refused(observed, before, answer)
    if not answer.comparable:
        state = State.of(answer)
        return Enriched([assemble.read(provider, event, state, _own(event, state), partial=answer.partial) for event in observed])
    return _compared(provider, observed, before, answer, volatile)


def unshown(provider: Provider, sightings: Sequence[Sighting], answer: Fetched) -> Enriched:
    """Events of which the provider shows only a state of before, and has for as long as is waited: something changed, and what is not
    known. That state is not kept."""
    observed = [sighting.event for sighting in sightings]
    state = State.of(answer)
    return Enriched([assemble.read(provider, event, state, assemble.own_changes(event), partial=True) for event in observed])


def _compared(
    provider: Provider, observed: list[ObservedEvent], before: State | None, fetched: Fetched, volatile: Collection[str]
) -> Enriched:
    after = State.of(fetched)
    first, *later = observed
    if before is not None and before.deleted:
        differing = None
        changes = [Change(key=ENTITY_KEY, action=Action.CREATED)]
    else:
        if fetched.partial and before is not None:
            after = after.filled_from(before)
        differing = differences(before, after, volatile) if before is not None else None
        changes = _changes(first, differing, after)
    events = [
        assemble.read(provider, first, after, changes, baseline=differing is None, partial=fetched.partial),
        *(assemble.read(provider, event, after, _own(event, after), partial=fetched.partial) for event in later),
    ]
    return Enriched(events, Write(first.subject.encode(), after.pack()), differs=differing is None or bool(differing))


def _changes(first: ObservedEvent, differing: list[Change] | None, after: State) -> list[Change]:
    """What differs, behind what the event itself brings: a resync is published even where nothing differs. `differing` is None where
    there is no state to compare with."""
    own = _own(first, after)
    if differing is None:
        return own or appearance(first.data.action, first.data.updated_fields, after)
    return [*own, *differing]


def _own(event: ObservedEvent, state: State) -> list[Change]:
    """The changes that the event brings. A resync brings one of the entity as a whole, with its state."""
    if event.data.resync:
        return [Change(key=ENTITY_KEY, action=event.data.action, after=state.document())]
    return event.data.changes


def _refused(observed: list[ObservedEvent], before: State | None, answer: Refused) -> Enriched:
    if before is None or before.deleted:
        known = before.entity if before else None
        return Enriched([assemble.refused(event, answer, assemble.own_changes(event), known) for event in observed])
    first, *later = observed
    events = [
        assemble.refused(first, answer, assemble.deletion(before.document()), before.entity),
        *(assemble.refused(event, answer, assemble.own_changes(event), before.entity) for event in later),
    ]
    return Enriched(events, Write(first.subject.encode(), before.as_deleted(answer.fetched_at).pack()))
