"""Filters that can match nothing, or nothing by one of their words. They are allowed, so these are warnings, and only what is certain is
told: a provider's field names are free text, and of PBS nobody knows all entity types."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.config.document import Path, Value
from schemas.config.fields import listed
from schemas.config.providers import PROVIDER_NAMES, SETTINGS, Provider, Providers
from schemas.event import ENTITY_KEY, FEED_TYPE, GAP_KEY
from schemas.urn import ENTITY_TYPES, Urn

Finding = tuple[Path, str]

_LANGUAGE = re.compile(r"[a-z]{2}")
_SPELT = {
    "en": "english eng",
    "de": "german deutsch ger deu",
    "fr": "french fre fra",
    "es": "spanish spa",
    "it": "italian ita",
    "pt": "portuguese por",
    "nl": "dutch dut nld",
    "ja": "japanese jpn",
    "zh": "chinese chi zho",
    "ko": "korean kor",
    "ru": "russian rus",
    "pl": "polish pol",
    "sv": "swedish swe",
}
_LANGUAGES = {word: code for code, words in _SPELT.items() for word in words.split()}
"""What people write for a language, beside its two letters."""
_ALL = ("all", "any", "*")
_EVERYWHERE = ("images", ENTITY_KEY, GAP_KEY)
"""Keys that all providers share."""


def idle_filters(value: Value, providers: Providers) -> Iterator[Finding]:
    """What in the subscriptions' filters can match nothing. `value`: the whole config, as it was written; `providers`: its own."""
    subscriptions = value.get("subscriptions") if isinstance(value, dict) else None
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, list) else []):
        match = subscription.get("match") if isinstance(subscription, dict) else None
        if isinstance(match, dict):
            yield from _Filter(match, ("subscriptions", index, "match"), providers).findings()


@dataclass(frozen=True)
class _Word:
    place: Path
    text: str


class _Filter:
    """One subscription's `match`."""

    def __init__(self, match: Mapping[str, Value], path: Path, providers: Providers) -> None:
        self._match = match
        self._path = path
        self._named = providers.named()
        self._chosen = [word.text for word in self._words("provider")]
        self._meant = self._chosen or list(self._named) or list(PROVIDER_NAMES)
        """The providers whose events may match."""
        self._entities = [word.text for word in self._words("entity")]
        self._keys = [word.text for word in self._words("key")]

    def findings(self) -> Iterator[Finding]:
        for key in ("provider", "entity", "key", "action", "language", "id", "within"):
            if self._match.get(key) == []:
                yield (*self._path, key), f"an empty list matches nothing: leave `{key}` out to match all"
        checks: tuple[tuple[str, Callable[[str], str | None]], ...] = (
            ("provider", self._why_no_provider),
            ("entity", self._why_no_entity),
            ("key", self._why_no_key),
            ("language", self._why_no_language),
            ("id", self._why_no_urn),
            ("within", self._why_nothing_within),
        )
        for key, check in checks:
            for word in self._words(key):
                if why := check(word.text):
                    yield word.place, why

    def _words(self, key: str) -> Iterator[_Word]:
        written = self._match.get(key)
        items = listed(written)
        for index, text in enumerate(items if isinstance(items, list) else []):
            if isinstance(text, str):
                yield _Word((*self._path, key, index) if isinstance(written, list) else (*self._path, key), text)

    def _why_no_provider(self, name: str) -> str | None:
        """With `providers: {}` other machines poll, and nobody knows here whom."""
        if not self._named:
            return None
        if (settings := self._named.get(name)) is not None:
            unwatched = [settings.why_unwatched(entity) for entity in settings.entity_types]
            return (
                f"matches nothing: {' and '.join(dict.fromkeys(map(str, unwatched)))}" if unwatched and all(unwatched) else None
            )
        return f"matches nothing that this config polls: add {name} under `providers`, or take it out here"

    def _why_no_entity(self, word: str) -> str | None:
        if word == FEED_TYPE:
            named = GAP_KEY in self._keys
            return None if named else f"matches nothing: only a gap is of a feed; add `key: {GAP_KEY}`"
        if why := self._why_no_type(self._meant, word):
            return f"matches nothing: {why}"
        near = _near(word, ENTITY_TYPES)
        usual = {*ENTITY_TYPES, *(entity for name in self._meant for entity in SETTINGS[name].entity_types)}
        if word not in usual and near:
            return f'not one of the usual entity types, so it may match nothing; did you mean "{near}"?'
        return None

    def _why_no_type(self, names: Sequence[str], word: str, entity_id: str | None = None, *, below: bool = False) -> str | None:
        """Why no event of these providers is of this type, or of this entity, or of what is below it; None where one may be."""
        if word != word.lower():
            return f"types are written in small letters{_meaning(_near(word.lower(), ENTITY_TYPES))}"
        lacking: list[str] = []
        reasons: list[str] = []
        for name in names:
            kind, settings = SETTINGS[name], self._named.get(name)
            if word in kind.member_keys:
                reasons.append(f"{name} tells it as a change of a series: `entity: series, key: {kind.member_keys[word]}`")
            elif word in kind.other_types or (kind.entity_types and word not in kind.entity_types):
                lacking.append(name)
            elif settings is not None and (unwatched := settings.why_unwatched(word, entity_id, below=below)):
                reasons.append(f"{unwatched}, so none is asked for")
            else:
                return None
        if not lacking:
            return "; ".join(reasons)
        kinds = [SETTINGS[name] for name in lacking]
        types = list(dict.fromkeys(entity for kind in kinds for entity in kind.entity_types))
        right = next((kind.other_types[word] for kind in kinds if word in kind.other_types), None) or _near(word, types)
        known = _meaning(right) if right else f": there is {_listed(types)}"
        return "; ".join([*reasons, f"{_listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no such type{known}"])

    def _why_no_key(self, word: str) -> str | None:
        if word == GAP_KEY and self._entities and FEED_TYPE not in self._entities:
            return f"matches nothing: a gap is of the entity type `{FEED_TYPE}`; add it to `entity`, or give it a subscription of its own"
        small = word.lower()
        if small in _EVERYWHERE:
            return None if word == small else f"no change has this key{_meaning(small)}"
        rights = [SETTINGS[name].other_keys.get(small) for name in self._meant]
        if None in rights:
            return None
        right = " or ".join(f'"{key}"' for key in dict.fromkeys(rights))
        return f"no change has this key; did you mean {right}?"

    def _why_no_language(self, word: str) -> str | None:
        if not any(SETTINGS[name].has_languages for name in self._meant):
            return f"matches nothing: changes of {_listed(self._meant)} have no language; leave `language` out"
        asked_for = (word in getattr(self._named.get(name), "languages", ()) for name in self._meant)
        if _LANGUAGE.fullmatch(word) or any(asked_for):
            return None
        small = word.strip().lower()
        if small in _ALL:
            return "matches nothing: leave `language` out to match all"
        if small in ("none", "null", ""):
            return "matches nothing: for changes without a language write null, without quotes"
        head = re.split(r"[-_]", small, maxsplit=1)[0]
        code = _LANGUAGES.get(small) or (head if _LANGUAGE.fullmatch(head) else None)
        hint = _meaning(code) or ", as en"
        return f"matches nothing: a language is two small letters (ISO 639-1){hint}"

    def _why_no_urn(self, text: str) -> str | None:
        urn = Urn.parse(text)
        if why := self._why_no_such_urn(urn):
            return why
        if self._entities and urn.type not in self._entities:
            return "matches nothing: its type is not one that `entity` names"
        return None

    def _why_nothing_within(self, text: str) -> str | None:
        urn = Urn.parse(text)
        if why := self._why_no_such_urn(urn, below=True):
            return why
        if self._entities and not any(_may_be_within(entity, urn) for entity in self._entities):
            return "matches nothing: nothing that `entity` names is below it"
        return None

    def _why_no_such_urn(self, urn: Urn, *, below: bool = False) -> str | None:
        if urn.provider not in SETTINGS:
            near = _near(urn.provider.lower(), PROVIDER_NAMES)
            hint = f'did you mean "{near}"?' if near else f"there are {_listed(PROVIDER_NAMES)}"
            return f"matches nothing: there is no such provider; {hint}"
        if self._chosen and urn.provider not in self._chosen:
            return f"matches nothing: `provider` here is {', '.join(self._chosen)} only"
        if why := self._why_no_provider(urn.provider):
            return why
        if urn.type == FEED_TYPE:
            return None if GAP_KEY in self._keys else f"matches nothing: only a gap is of a feed; add `key: {GAP_KEY}`"
        kind = SETTINGS[urn.provider]
        if kind.numbered and urn.type in kind.entity_types and not _is_number(urn.id):
            told = f"`changecast fetch {urn.provider}:…` prints it as `subject`"
            return f"matches nothing: an id of {urn.provider} is a whole number here; {told}"
        why_no_type = self._why_no_type([urn.provider], urn.type, urn.id, below=below)
        return f"matches nothing: {why_no_type}" if why_no_type else None


def _may_be_within(entity: str, above: Urn) -> bool:
    """Whether an entity of this type can be the one above, or below it."""
    kind: type[Provider] = SETTINGS[above.provider]
    if entity == above.type:
        return True
    if entity in kind.depths and above.type in kind.depths:
        return kind.depths[entity] > kind.depths[above.type]
    return not kind.entity_types and entity not in (FEED_TYPE,)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text == str(int(text))


def _near(word: str, choices: Iterable[str]) -> str | None:
    """`season` is near to `seasons`, not to `station`."""
    return next(iter(difflib.get_close_matches(word, sorted(choices), n=1, cutoff=0.7)), None)


def _meaning(right: str | None) -> str:
    return f'; did you mean "{right}"?' if right else ""


def _listed(words: Iterable[str]) -> str:
    *others, last = dict.fromkeys(words)
    return f"{', '.join(others)} and {last}" if others else last
