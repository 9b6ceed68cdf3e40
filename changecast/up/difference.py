"""What a new config changes of the one in force, and which parts that concerns. Pure: two configs in, a difference out.

Each part reads some sections of the config and no others, so one whose sections are as before need not start anew. A section that is
not named here concerns every part: to start one in vain costs seconds, to leave one on an old config would go unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from schemas.config import Config

PARTS = ("producers", "streams", "sinks")
"""In the order of the stream."""

_FIXED = ("data_dir", "kafka")
"""State, topics and offsets lie there: with another, the parts would begin from nothing, beside those that still use this one."""
_CONCERNED = {"providers": ("producers", "streams"), "delivery": ("sinks",), "subscriptions": ("sinks",)}
_SINKS_ALONE = frozenset({"network.allow", "network.nameservers"})
"""Of a section that concerns every part, what only deliveries are made by."""


@dataclass(frozen=True)
class Change:
    """Something of the config that is not as before, in words that follow a colon, and the parts that must start anew for it."""

    words: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """`fixed`: settings that can't change while changecast runs, as `kafka.partitions`."""

    changes: tuple[Change, ...] = ()
    fixed: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[str, ...]:
        """All that are concerned, in the order of the stream."""
        concerned = {part for change in self.changes for part in change.parts}
        return tuple(part for part in PARTS if part in concerned)

    @property
    def words(self) -> str:
        return "; ".join(change.words for change in self.changes)


def difference(old: Config, new: Config) -> Difference:
    """What `new` changes of `old`. Providers without credentials are none; the order of subscriptions says nothing."""
    fixed = tuple(name for section in _FIXED for name in _differing(section, getattr(old, section), getattr(new, section)))
    changes: list[Change] = []
    for section in type(old).model_fields:
        if section in _FIXED:
            continue
        before, after = _named(old, section), _named(new, section)
        if before is not None and after is not None:
            parts = _CONCERNED.get(section, PARTS)
            changes += [Change(words, parts) for words in _members(_SINGULAR[section], before, after)]
        elif keys := list(_differing(section, getattr(old, section), getattr(new, section))):
            parts = ("sinks",) if _SINKS_ALONE.issuperset(keys) else _CONCERNED.get(section, PARTS)
            changes.append(Change(f"{', '.join(keys)} changed", parts))
    return Difference(tuple(changes), fixed)


_SINGULAR = {"providers": "provider", "subscriptions": "subscription"}


def _named(config: Config, section: str) -> Mapping[str, BaseModel] | None:
    """The members of a section that is a set of things with names; None for one that isn't."""
    match section:
        case "providers":
            return config.providers.configured()
        case "subscriptions":
            return {subscription.name: subscription for subscription in config.subscriptions}
    return None


def _members(kind: str, old: Mapping[str, BaseModel], new: Mapping[str, BaseModel]) -> Iterator[str]:
    for name in dict.fromkeys((*old, *new)):
        if name not in old:
            yield f"{kind} {name} is new"
        elif name not in new:
            yield f"{kind} {name} is gone"
        elif keys := list(_differing("", old[name], new[name])):
            yield f"{kind} {name} has another {', '.join(keys)}"


def _differing(path: str, old: object, new: object) -> Iterator[str]:
    """The settings that differ, by the names that they have in the file. Their values are not told: some are secrets."""
    if old == new:
        return
    if isinstance(old, BaseModel) and type(old) is type(new):
        for field, info in type(old).model_fields.items():
            name = info.alias or field
            yield from _differing(f"{path}.{name}" if path else name, getattr(old, field), getattr(new, field))
    else:
        yield path
