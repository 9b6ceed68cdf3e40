"""What no single value shows: names that occur twice; and, as warnings, since they are not wrong, filters that can match nothing and
secrets whose time is over."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import datetime

from schemas.config.document import Path, Value
from schemas.config.durations import parse_moment
from schemas.config.fields import listed
from schemas.urn import ENTITY_TYPES

Finding = tuple[Path, str]


def duplicate_names(value: Value, line_of: dict[Path, int]) -> Iterator[Finding]:
    """Each subscription whose name an earlier one has. `line_of`: lines from 1."""
    first: dict[str, int] = {}
    for index, subscription in _subscriptions(value):
        name = subscription.get("name")
        path: Path = ("subscriptions", index, "name")
        if not isinstance(name, str) or path not in line_of:
            continue
        if name in first:
            yield path, f"the subscription on line {first[name]} has this name already: each needs its own"
        else:
            first[name] = line_of[path]


def idle_filters(value: Value) -> Iterator[Finding]:
    """Filters that are allowed, and that look like a slip."""
    for index, subscription in _subscriptions(value):
        match = subscription.get("match")
        if not isinstance(match, dict):
            continue
        path: Path = ("subscriptions", index, "match")
        for place, word in _words(match, path, "entity"):
            near = difflib.get_close_matches(word.lower(), sorted(ENTITY_TYPES), n=1)
            if word not in ENTITY_TYPES and near:
                yield place, f'not one of the usual entity types, so it may match nothing; did you mean "{near[0]}"?'
        providers = [word for _, word in _words(match, path, "provider")]
        for key in ("id", "within"):
            for place, urn in _words(match, path, key):
                if providers and urn.split(":", 1)[0] not in providers:
                    yield place, f"matches nothing: `provider` here is {', '.join(providers)} only"


def ended_secrets(value: Value, now: datetime) -> Iterator[Finding]:
    """Previous secrets that can be taken out: their time is over, or they are still the secret of today. Of a config that is good."""
    for index, subscription in _subscriptions(value):
        webhook = subscription.get("webhook")
        previous = listed(webhook.get("previous_secrets")) if isinstance(webhook, dict) else None
        if not isinstance(webhook, dict) or not isinstance(previous, list):
            continue
        is_list = isinstance(webhook["previous_secrets"], list)
        current = listed(webhook.get("secret"))
        for number, one in enumerate(previous):
            path: Path = ("subscriptions", index, "webhook", "previous_secrets", *((number,) if is_list else ()))
            if not isinstance(one, dict):
                continue
            if isinstance(current, list) and one.get("secret") in current:
                yield (*path, "secret"), "this is a secret of today too: the new one goes into `secret`"
            elif (until := parse_moment(one.get("until"))) <= now:
                yield (*path, "until"), f"this secret signs no more since {until:%Y-%m-%d %H:%M %Z}: it can be taken out"


def _words(match: dict[str, Value], path: Path, key: str) -> Iterator[tuple[Path, str]]:
    written = match.get(key)
    items = listed(written)
    for index, word in enumerate(items if isinstance(items, list) else []):
        if isinstance(word, str):
            yield ((*path, key, index) if isinstance(written, list) else (*path, key)), word


def _subscriptions(value: Value) -> Iterator[tuple[int, dict[str, Value]]]:
    subscriptions = value.get("subscriptions") if isinstance(value, dict) else None
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, list) else []):
        if isinstance(subscription, dict):
            yield index, subscription
