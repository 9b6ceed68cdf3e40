"""What no single value shows: names that occur twice; and, as warnings, since they are not wrong, secrets whose time is over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from schemas.config.document import Path, Value
from schemas.config.durations import format_duration, parse_moment
from schemas.config.fields import listed
from schemas.config.providers import Providers

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


def short_windows(value: Value, providers: Providers) -> Iterator[Finding]:
    """Providers that would publish changes twice: what a poll reads again must still be known. Of a config that is valid by itself."""
    for name, settings in providers.named().items():
        reread = getattr(settings, "reread", timedelta()) + getattr(settings, "reread_every", timedelta())
        needed, reason = max((settings.overlap, "overlap"), (reread, "reread + reread_every"))
        if settings.dedupe_window >= needed:
            continue
        written = _keys_at(value, "providers", name)
        key = next((key for key in ("dedupe_window", "overlap", "reread", "reread_every") if key in written), None)
        yield (
            ("providers", name, *((key,) if key else ())),
            f"dedupe_window ({format_duration(settings.dedupe_window)}) is shorter than {reason} ({format_duration(needed)}): what is "
            "read again would be published twice",
        )


def _keys_at(value: Value, *path: str) -> set[str]:
    """The keys of the section at this place; none where there is no section."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return set(value) if isinstance(value, dict) else set()


def _subscriptions(value: Value) -> Iterator[tuple[int, dict[str, Value]]]:
    subscriptions = value.get("subscriptions") if isinstance(value, dict) else None
    for index, subscription in enumerate(subscriptions if isinstance(subscriptions, list) else []):
        if isinstance(subscription, dict):
            yield index, subscription
