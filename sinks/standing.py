"""Whether a subscription is served, and what is kept of one that the config does not have. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from schemas.delivery import EndpointState


class Standing(Enum):
    SERVED = "served"
    """It is in this worker's config."""
    KEPT = "kept"
    """Another worker has it, or none since less than the grace period: its retries wait, and its place in the changes is kept."""
    REMOVED = "removed"
    """No worker has had it for the grace period: its retries go to the dead topic."""
    FORGOTTEN = "forgotten"
    """Nothing is known of it, by an operator's wish: all is dropped."""


def standing(state: EndpointState | None, now: datetime, grace: timedelta) -> Standing:
    """Of a subscription that the config does not have."""
    if state is None:
        return Standing.FORGOTTEN
    return Standing.REMOVED if has_expired(state, now, grace) else Standing.KEPT


def has_expired(state: EndpointState, now: datetime, grace: timedelta) -> bool:
    return state.removed_at is not None and now - state.removed_at >= grace
