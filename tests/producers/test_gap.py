"""A window that a provider no longer serves is told: an event like any other, published without a fetch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from changecast.sandbox import sandbox_providers
from producers.gap import gap_event
from producers.registry import REGISTRY
from runtime.rate import RateLimit
from schemas.config import Providers
from tests.streams.partition import Partition, changes

NOON = datetime(2025, 1, 21, 12, tzinfo=UTC)
START, END = NOON - timedelta(days=9), NOON - timedelta(days=2)


def test_the_same_window_is_the_same_gap_whenever_it_is_found():
    first, again = (gap_event("pbs", "changelog", START, END, "too old", at) for at in (NOON, NOON + timedelta(hours=1)))
    assert first.id == again.id
    assert first.id != gap_event("pbs", "changelog", START, NOON, "too old", NOON).id


@pytest.mark.parametrize("name", REGISTRY)
async def test_a_gap_is_published_as_it_is_without_asking_the_provider(name):
    settings = Providers.model_validate(sandbox_providers("http://127.0.0.1:1")).configured()[name]
    provider = REGISTRY[name](settings, rate := RateLimit(1))
    try:
        (event,) = changes(await Partition(provider).feed(gap_event(name, "all", START, END, "too old", NOON)))
    finally:
        await provider.aclose()
    assert rate.spent == 0
    assert event.subject == f"{name}:feed:all"
    assert event.type == f"changecast.{name}.feed.gap.created"
    assert event.data.enrichment.status == "skipped"
    (change,) = event.data.changes
    assert (change.key, change.after) == (
        "gap",
        {"from": "2025-01-12T12:00:00Z", "to": "2025-01-19T12:00:00Z", "reason": "too old"},
    )
