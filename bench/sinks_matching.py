"""What it costs to find the subscriptions that want an event, of ten, a thousand, ten thousand."""

from __future__ import annotations

import time

from bench.sinks_events import PROVIDER, SECRET, body, config, sample
from runtime.clock import SystemClock
from schemas.config import Config
from sinks.directory import Directory
from sinks.event import read_event

SUBSCRIPTIONS = (10, 1_000, 10_000)
_WANTED = 5
"""Subscriptions that want each event, however many there are."""


def directory_of(count: int) -> Directory:
    """Each names a series, a key and some languages, every second one an action; a tenth has a `when`. The first few are of the series
    of the events."""
    subscriptions = [
        {
            "name": f"s{number}",
            "match": {
                "provider": PROVIDER,
                "entity": "asset",
                "key": ["title", "images"],
                "language": ["en", None],
                "within": f"{PROVIDER}:series:{1399 if number < _WANTED else 100_000 + number}",
                **({"action": ["added", "updated"]} if number % 2 else {}),
            },
            "when": 'event.data.entity.name != ""' if number % 10 == 0 else None,
            "webhook": {"url": "https://hooks.example/", "secret": SECRET},
        }
        for number in range(count)
    ]
    return Directory(Config.model_validate(config(*subscriptions)).subscriptions, SystemClock())


def microseconds_an_event(count: int, events: int, rounds: int) -> float:
    """Reading the event included; the best of so many rounds."""
    directory = directory_of(count)
    assert len(directory.wanting(read_event(sample("1", "e").to_json()))) == _WANTED
    bodies = [body(number) for number in range(events)]
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for value in bodies:
            directory.wanting(read_event(value))
        best = min(best, (time.perf_counter() - began) / events)
    return best * 1e6
