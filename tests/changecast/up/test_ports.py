from __future__ import annotations

import pytest
from pydantic import ValidationError

from changecast.up.ports import metrics_port, metrics_words, with_metrics_at
from schemas.config import Config, Metrics


def ports(settings: Metrics) -> list[int | None]:
    return [metrics_port(settings, part) for part in ("producers", "streams", "sinks")]


@pytest.mark.parametrize(("port", "expected"), [(None, [None, None, None]), (9464, [9464, 9465, 9466]), (0, [0, 0, 0])])
def test_each_part_has_a_port_of_its_own(port: int | None, expected: list[int | None]) -> None:
    assert ports(Metrics(port=port)) == expected


def test_the_last_part_has_a_port_too() -> None:
    assert ports(Metrics(port=65533)) == [65533, 65534, 65535]
    with pytest.raises(ValidationError):
        Metrics(port=65534)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Metrics(), None),
        (Metrics(port=0), "at free ports, which the logs tell"),
        (Metrics(port=9464), "http://127.0.0.1:9464/metrics (producers), :9465 (streams), :9466 (sinks)"),
        (Metrics(port=1, host="::1"), "http://[::1]:1/metrics (producers), :2 (streams), :3 (sinks)"),
    ],
)
def test_people_are_told_where_they_are(settings: Metrics, words: str | None) -> None:
    assert metrics_words(settings) == words


def test_a_port_of_the_command_line_changes_nothing_else() -> None:
    config = Config(metrics=Metrics(port=9464, host="0.0.0.0"))
    assert with_metrics_at(config, 7).metrics == Metrics(port=7, host="0.0.0.0")
    assert config.metrics.port == 9464
