"""What a read_committed consumer finds, held against what was reported. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.config.providers import VOTES
from schemas.event import ENTITY_KEY, Action, Change, ChangeEvent, Status
from streams.diff import IMAGES_KEY
from streams.snapshots import State

Parts = dict[tuple[str, str | None], Any]
"""An entity's state in the parts that are compared: (field, None), (key, member's id), ("images", path)."""

_MISSING = object()
_READ = (Status.COMPLETE, Status.PARTIAL)


@dataclass
class Verdict:
    """Each list names what is wrong; all of them are empty where the guarantees held."""

    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misordered: list[str] = field(default_factory=list)
    unlike: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    states: int = 0
    chained: int = 0

    @property
    def good(self) -> bool:
        return not any((self.lost, self.repeated, self.unexpected, self.misordered, self.unlike, self.left))

    def told(self) -> dict[str, list[str]]:
        names = ("lost", "repeated", "unexpected", "misordered", "unlike", "left")
        return {name: getattr(self, name) for name in names}


def judge(
    reported: Mapping[str, Sequence[str]],
    published: Iterable[ChangeEvent],
    baselines: Mapping[str, State],
    last: Mapping[str, State],
) -> Verdict:
    """`reported`: ids by subject, as they were first written. `published`: in the order of each partition. `baselines`: the states before
    the first edit, `last`: after the last; by subject, of the providers whose changes are worked out by comparing."""
    verdict = Verdict()
    by_subject: dict[str, list[ChangeEvent]] = {}
    times: Counter[str] = Counter()
    for event in published:
        by_subject.setdefault(event.subject, []).append(event)
        times[event.id] += 1
        verdict.statuses[event.data.enrichment.status] += 1
    expected = {identity for ids in reported.values() for identity in ids}
    verdict.lost = sorted(expected - times.keys())
    verdict.unexpected = sorted(times.keys() - expected)
    verdict.repeated = sorted(identity for identity, count in times.items() if count > 1)
    for subject, ids in reported.items():
        first_seen = list(dict.fromkeys(event.id for event in by_subject.get(subject, [])))
        if first_seen != [identity for identity in ids if identity in times]:
            verdict.misordered.append(subject)
    for subject, events in by_subject.items():
        if subject.split(":", 1)[0] in ("pbs", "tvdb"):
            _follow(subject, events, baselines.get(subject), last.get(subject), verdict)
    return verdict


def _follow(subject: str, events: Sequence[ChangeEvent], baseline: State | None, last: State | None, verdict: Verdict) -> None:
    """Apply the changes one after the other: each must begin where the last one ended, and together they must end at the last state."""
    known: Parts = parts(baseline) if baseline is not None else {}
    whole, based = baseline is not None, False
    for event in events:
        data = event.data
        if len(data.changes) == 1 and data.changes[0].key == ENTITY_KEY and data.changes[0].action is Action.DELETED and based:
            known, whole, based = {}, False, False
            continue
        if data.enrichment.status not in _READ:
            continue
        if data.enrichment.baseline:
            if based:
                verdict.unlike.append(f"{event.id}: a baseline again")
            based = True
            continue
        based = True
        for change in data.changes:
            if (wrong := _apply(change, known, whole=whole)) is not None:
                verdict.unlike.append(f"{event.id}: {wrong}")
    if not based:
        return
    verdict.chained += 1
    verdict.states += whole
    now = parts(last) if last is not None else {}
    for address in now.keys() | known.keys() if whole else known.keys():
        if known.get(address, _MISSING) != now.get(address, _MISSING):
            verdict.unlike.append(
                f"{subject} ends with {_named(address)} {_short(known.get(address, _MISSING))}, the provider has "
                f"{_short(now.get(address, _MISSING))}"
            )


def _apply(change: Change, known: Parts, *, whole: bool) -> str | None:
    address = (change.key, change.native_id)
    before, after = (_comparable(change.key, value) for value in (change.before, change.after))
    wrong = None
    if address in known or whole:
        expected = known.get(address, _MISSING)
        found = _MISSING if change.action is Action.ADDED else before
        if expected != found:
            wrong = f"{_named(address)} begins at {_short(found)}, and was {_short(expected)}"
    known[address] = _MISSING if change.action is Action.DELETED else after
    if known[address] is _MISSING and whole:
        del known[address]
    return wrong


def parts(state: State) -> Parts:
    images = {path: image.model_dump(mode="json") for path, image in state.images.items()}
    document = orjson.loads(orjson.dumps({"fields": state.fields, "members": state.members, "images": images}))
    found: Parts = {(key, None): value for key, value in document["fields"].items()}
    found |= {(key, number): member for key, members in document["members"].items() for number, member in members.items()}
    found |= {(IMAGES_KEY, path): _comparable(IMAGES_KEY, image) for path, image in document["images"].items()}
    return found


def _comparable(key: str, value: Any) -> Any:
    if key != IMAGES_KEY or not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name not in VOTES}


def _named(address: tuple[str, str | None]) -> str:
    return address[0] if address[1] is None else f"{address[0]} {address[1]}"


def _short(value: Any) -> str:
    return "missing" if value is _MISSING else orjson.dumps(value).decode()[:120]
