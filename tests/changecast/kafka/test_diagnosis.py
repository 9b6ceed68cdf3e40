from __future__ import annotations

from pathlib import Path

import pytest

from changecast.kafka.diagnosis import diagnose, has_errors, read_since, telling_lines

DATA = Path("/data")
ERROR = "2026-01-01 10:00:02.000 ERROR Kafka$: Exiting Kafka due to fatal exception\n"
ORDERLY = [
    "2026-01-01 10:00:00.000 INFO  BrokerLifecycleManager: cluster.id and meta.properties are fine",
    "2026-01-01 10:00:00.500 INFO  QuorumController: registerController: failed",
    "org.apache.kafka.common.errors.NotControllerException: No controller appears to be active.",
    "2026-01-01 10:00:01.000 INFO  KafkaRaftServer: Kafka Server started",
]


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        (
            "2026-01-01 10:00:02.000 ERROR LogDirFailureChannel: Error while writing (java.io.IOException: No space left on device)",
            "disk is full",
        ),
        (
            "2026-01-01 10:00:02.000 ERROR Failed to acquire lock on file .lock in /data. A Kafka instance is using this directory.",
            "Another Kafka",
        ),
        (ERROR + "Caused by: java.net.BindException: Address already in use", "port was taken"),
        ("Terminating due to java.lang.OutOfMemoryError: Java heap space", "memory is not enough"),
        ("Error: Invalid maximum heap size: -Xmxlots", "heap size"),
        (ERROR + "java.lang.RuntimeException: No readable meta.properties files found.", "damaged"),
        (ERROR + "java.nio.file.AccessDeniedException: /data/kafka/data/meta.properties", "cannot be written"),
        ("# A fatal error has been detected by the Java Runtime Environment: SIGSEGV (0xb)", "Java runtime crashed"),
    ],
)
def test_a_known_trouble_is_named_with_its_way_out(line: str, meaning: str) -> None:
    found, remedy = diagnose([*line.splitlines(), *ORDERLY], DATA)
    assert meaning in found
    assert remedy
    assert "{" not in remedy


def test_an_orderly_log_is_not_taken_for_trouble() -> None:
    assert not has_errors(ORDERLY)
    meaning, remedy = diagnose(ORDERLY, DATA)
    assert meaning == ""
    assert "broker.log" in remedy


def test_errors_and_causes_are_shown_without_their_stack() -> None:
    lines = [
        *ORDERLY,
        "2026-01-01 10:00:02.000 ERROR Exiting Kafka due to fatal exception",
        "java.lang.IllegalStateException: outer",
        "\tat kafka.Kafka.main(Kafka.scala:1)",
        "Caused by: java.io.IOException: inner",
        "\t... 12 more",
    ]
    assert telling_lines(lines) == [lines[4], lines[5], lines[7]]


def test_without_errors_the_last_lines_are_shown_and_long_ones_cut() -> None:
    assert telling_lines([*ORDERLY, "x" * 1000])[:4] == ORDERLY
    assert len(telling_lines(["x" * 1000])[0]) == 300
    assert telling_lines([]) == []


def test_only_what_was_written_since_the_start_is_read(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    assert read_since(log, 0) == []
    log.write_text("old\nnew\n")
    assert read_since(log, 4) == ["new"]
    assert read_since(log, 400) == ["old", "new"]  # rolled meanwhile: all of the new file counts
