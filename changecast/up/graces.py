"""How long each part may take to end, in seconds. Pure."""

from __future__ import annotations

from schemas.config import Config

_FIXED = {"producers": 4.0, "streams": 9.0, "sandbox": 2.0, "kafka": 5.0}
_SINKS_MARGIN_S = 6.0
"""Beside the calls in flight: to hand over the partitions, commit, and note the last answers."""
_RELOAD_AT_LEAST_S = 20.0
"""Nobody waits for us at a reload as at a stop."""
_ANEW_AT_LEAST_S = 14.0
"""A hung Faust leaves after 15 s, with an end of the process: a worker that reloads is to go on in the same one."""


def grace_of(part: str, config: Config) -> float:
    """From the request to end to the kill. Sinks wait for every call in flight, or its delivery would be repeated."""
    return _FIXED[part] if part in _FIXED else config.delivery.timeout.total_seconds() + _SINKS_MARGIN_S


def stop_within(config: Config) -> float:
    """All parts together, one after the other."""
    return sum(grace_of(part, config) for part in ("producers", "streams", "sinks", "sandbox", "kafka"))


def reload_grace_of(part: str, config: Config) -> float:
    """The same when `up` starts the part again with another config. `config`: that with which it runs."""
    return max(grace_of(part, config), _RELOAD_AT_LEAST_S)


def anew_within(part: str, config: Config) -> float:
    """From a good config to the start of a worker that reloads itself. `config`: that with which it runs."""
    return max(grace_of(part, config), _ANEW_AT_LEAST_S) if part == "sinks" else _ANEW_AT_LEAST_S
