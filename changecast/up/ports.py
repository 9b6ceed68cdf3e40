"""The ports that `changecast up` is told by its config: the embedded broker's, and those where its parts show their metrics.

Each part has a port of its own, the config's and the next two.

One page for all would need `up` to gather from its parts, and would hide which of them is away; Prometheus tells that of three targets by
itself. A worker started alone, as in a container, has the config's port as it stands.
"""

from __future__ import annotations

from schemas.config import Config, Kafka, Metrics

_PARTS = ("producers", "streams", "sinks")
"""In the order of an event's way."""


def embedded_port(settings: Kafka) -> int | None:
    """The port that the embedded broker must have; None where it may have any, or the cluster is elsewhere."""
    return None if settings.bootstrap_servers is not None else settings.embedded_port or None


def metrics_port(settings: Metrics, part: str) -> int | None:
    """None where metrics are off; 0 for any that is free."""
    return settings.port + _PARTS.index(part) if settings.port else settings.port


def with_metrics_at(config: Config, port: int) -> Config:
    """The same, with its metrics there."""
    return config.model_copy(update={"metrics": config.metrics.model_copy(update={"port": port})})


def metrics_words(settings: Metrics) -> str | None:
    """For the people who watch; None where metrics are off."""
    if settings.port is None:
        return None
    if settings.port == 0:
        return "at free ports, which the logs tell"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    first, *others = ((part, metrics_port(settings, part)) for part in _PARTS)
    return ", ".join([f"http://{host}:{first[1]}/metrics ({first[0]})", *(f":{port} ({part})" for part, port in others)])
