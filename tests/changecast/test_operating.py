"""What operators' commands find, or say when they don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from changecast import operating
from changecast.cli import run


@pytest.mark.parametrize(
    "arguments",
    [
        ("deliveries", "list"),
        ("endpoints", "list"),
        ("match",),
        ("provider", "list"),
        ("provider", "resync", "tmdb:movie:550"),
        ("dead", "list"),
    ],
    ids=" ".join,
)
def test_a_cluster_that_is_down_is_told_in_the_words_of_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(operating, "KAFKA_WAIT_S", 0.3)
    config = tmp_path / "changecast.yaml"
    config.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\nproviders: {tmdb: {token: t}}\n")

    assert run([*arguments, "-c", str(config)]) == 1

    assert capfd.readouterr().err == (
        "Error: no Kafka at 127.0.0.1:1 within 0.3 s: is it running? "
        "(kafka.bootstrap_servers in the config; `changecast kafka start` runs one here)\n"
    )
