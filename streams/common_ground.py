"""What of two states can be compared when they were fetched in different languages or by different versions of the parser.

    before: parser 1, [en]         after: parser 2, [en, de]           compared
    title: "A"                     title: "B"                          title
                                   tagline: "new in parser 2"          (not: the parser before did not know it)
                                   title@de: "C"                       (not: German was not asked for before)
    episodes: {7: {name}}          episodes: {7: {name, runtime}, 8}   7 by its name; 8 is new

Without this each entity of a catalogue would be published as changed after an upgrade or an edit of `languages`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from producers.interface import LANGUAGE_MARK
from schemas.event import Image
from streams.snapshots import State

_NO_VALUE = object()


def same_primary_language(before: State, after: State) -> bool:
    """Fields without a language in their name are in the primary one."""
    return not (before.languages and after.languages) or before.languages[0] == after.languages[0]


def comparable(before: State, after: State) -> tuple[State, State]:
    """Both states with what the other can't have taken out; the same objects where that is nothing."""
    if before.parser_version == after.parser_version and before.languages == after.languages:
        return before, after
    only_before, only_after = _languages_of_one(before, after)
    before, after = _without_languages(before, only_before), _without_languages(after, only_after)
    if before.parser_version == after.parser_version:
        return before, after
    return _known_to(before, after), _known_to(after, before)


def _languages_of_one(before: State, after: State) -> tuple[set[str], set[str]]:
    """The languages that only the state before was asked in, and those that only the one after was."""
    if not after.languages or before.languages == ():  # the provider is not asked in a language
        return set(), set()
    asked_after = set(after.languages)
    asked_before = {after.languages[0], *_languages_in(before)} if before.languages is None else set(before.languages)
    return asked_before - asked_after, asked_after - asked_before


def _languages_in(state: State) -> set[str]:
    """Those that occur in a snapshot which does not say in which it was fetched."""
    found = {image.language for image in state.images.values() if image.language}
    return found | set(_marked([state.fields, *(member for group in state.members.values() for member in group.values())]))


def _marked(values: list[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, dict):
            yield from (key.partition(LANGUAGE_MARK)[2] for key in value if LANGUAGE_MARK in key)


def _without_languages(state: State, languages: set[str]) -> State:
    if not languages:
        return state

    def in_others(fields: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in fields.items() if key.partition(LANGUAGE_MARK)[2] not in languages}

    return replace(
        state,
        fields=in_others(state.fields),
        members={
            key: {identity: in_others(member) if isinstance(member, dict) else member for identity, member in group.items()}
            for key, group in state.members.items()
        },
        images={path: image for path, image in state.images.items() if image.language not in languages},
    )


def _known_to(state: State, other: State) -> State:
    """The state with the fields, groups of members and attributes that the other has too. Members and images come and go by their
    identity as ever."""
    return replace(
        state,
        fields={key: value for key, value in state.fields.items() if key in other.fields},
        members={
            key: {identity: _shared(member, other.members[key].get(identity)) for identity, member in group.items()}
            for key, group in state.members.items()
            if key in other.members
        },
        images={path: _attributes_shared(image, other.images.get(path)) for path, image in state.images.items()},
    )


def _shared(member: Any, other: Any) -> Any:
    if isinstance(member, dict) and isinstance(other, dict):
        return {key: value for key, value in member.items() if key in other}
    return member


def _attributes_shared(image: Image, other: Image | None) -> Image:
    """The image with the attributes that are known of both: which of two parsers leaves one empty does not matter."""
    if other is None:
        return image
    unknown = {name: None for name, value in image if value is not None and getattr(other, name) is None}
    return image.model_copy(update=unknown) if unknown else image
