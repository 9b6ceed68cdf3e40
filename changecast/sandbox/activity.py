"""What happens in the sandbox, for whoever watches: one record an edit, a notification, or a note."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Activity:
    """`kind`: edit, webhook, slack or note. `time`: Unix seconds. `source`: the provider, or where it came in."""

    kind: str
    time: float
    source: str
    text: str
