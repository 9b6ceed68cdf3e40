"""What it costs to find the subscriptions that want an event, of ten, a thousand, ten thousand."""

from __future__ import annotations

import gc
import time

from bench.sinks.events import PROVIDER, SECRET, body, config, sample
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


def microseconds_an_event(events: int, rounds: int) -> dict[int, float]:
    """By the number of subscriptions: processor time, reading the event included; the best of so many rounds, which take turns."""
    directories = {count: directory_of(count) for count in SUBSCRIPTIONS}
    for directory in directories.values():
        assert len(directory.wanting(read_event(sample("1", "e").to_json()))) == _WANTED
    # as the worker does: what was made at the start is not gone through again and again
    gc.collect()
    gc.freeze()
    bodies = [body(number) for number in range(events)]
    best = dict.fromkeys(SUBSCRIPTIONS, float("inf"))
    for _ in range(rounds):
        for count, directory in directories.items():
            began = time.process_time()
            for value in bodies:
                directory.wanting(read_event(value))
            best[count] = min(best[count], (time.process_time() - began) / events * 1e6)
    gc.unfreeze()
    return best
