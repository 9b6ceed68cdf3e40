"""A `changecast worker` that is started by hand: what it says, and how it ends where there is no Kafka."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.logs import LogLine, parse_line
from tests.scraping import free_port

SHORT_WAIT = "from changecast.up import worker; worker.KAFKA_WAIT_S = 1.0; from changecast.cli import main; main()"
CONFIG = """\
kafka: {{bootstrap_servers: "127.0.0.1:{port}"}}
providers: {{tmdb: {{token: t}}}}
subscriptions:
  - {{name: a, match: {{key: image}}, slack: {{webhook_url: "https://example.org/hunter2"}}}}
"""


def worker(folder: Path, part: str, port: int) -> tuple[int, list[LogLine]]:
    """The exit code, and the log of a worker that waits a second for Kafka."""
    config = folder / "changecast.yaml"
    config.write_text(CONFIG.format(port=port))
    command = [sys.executable, "-c", SHORT_WAIT, "worker", part, "-c", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout == ""
    lines = [parse_line(line) for line in ended.stderr.splitlines()]
    assert None not in lines, ended.stderr
    return ended.returncode, [line for line in lines if line is not None]


@pytest.mark.parametrize("part", ["producers", "streams", "sinks"])
def test_a_kafka_that_is_down_is_told_at_once_and_in_one_line_at_the_end(tmp_path: Path, part: str) -> None:
    port = free_port()
    code, lines = worker(tmp_path, part, port)
    assert code == 1
    told = [line for line in lines if line.level > logging.INFO and "match.key" not in line.message]
    remedy = "is it running? (kafka.bootstrap_servers in the config; `changecast kafka start` runs one here)"
    assert [(line.level, line.message) for line in told] == [
        (logging.WARNING, f"no Kafka at 127.0.0.1:{port} yet, waiting up to 1 s for it: {remedy}"),
        (logging.ERROR, f"{part} ends, to be started again: no Kafka at 127.0.0.1:{port} within 1 s: {remedy}"),
    ]


@pytest.mark.parametrize(("part", "count"), [("sinks", 1), ("streams", 0)])
def test_the_worker_that_the_subscriptions_concern_warns_of_them_once(tmp_path: Path, part: str, count: int) -> None:
    _, lines = worker(tmp_path, part, free_port())
    warned = [line.message for line in lines if "subscriptions[0].match.key: no change has this key" in line.message]
    assert len(warned) == count
    assert all(message.startswith(f"{tmp_path}/changecast.yaml:4:") and "hunter2" not in message for message in warned)
