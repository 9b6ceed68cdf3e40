from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changecast.kafka import processes
from changecast.kafka.errors import BrokerFailed
from changecast.kafka.home import Home, LastStart, Process, escape_property, new_cluster_id


def unescape(text: str) -> str:
    """What java.util.Properties makes of a value."""
    units: list[int] = []
    at = 0
    while at < len(text):
        if text[at] != "\\":
            units.append(ord(text[at]))
            at += 1
        elif text[at + 1] == "u":
            units.append(int(text[at + 2 : at + 6], 16))
            at += 6
        else:
            units.append(ord(text[at + 1]))
            at += 2
    return b"".join(unit.to_bytes(2, "big") for unit in units).decode("utf-16-be")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_path_reaches_java_unchanged(path: str) -> None:
    escaped = escape_property(path)
    assert escaped.isascii()
    assert unescape(escaped) == path


def test_cluster_ids_are_kafkas_form() -> None:
    ids = {new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(each) == 22 and not each.startswith("-") for each in ids)


def test_what_was_noted_is_read_back_and_a_torn_file_says_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    assert home.last_start() is None
    home.write_last_start(LastStart("4.2.0", 1234))
    home.write_process(Process(1, 2.0, 3, "4.2.0"))
    assert home.last_start() == LastStart("4.2.0", 1234)
    assert home.process() == Process(1, 2.0, 3, "4.2.0")
    (home.root / "process.json").write_text('{"pid": 1,')
    (home.root / "last.json").write_text('{"other": 1}')
    assert home.process() is None
    assert home.last_start() is None


def test_a_noted_pid_that_belongs_to_another_program_now_is_no_broker(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    pid, created = processes.this_process()
    home.write_process(Process(pid, created, 9092, "4.2.0"))
    assert processes.find_running(home) is None


def test_the_properties_listen_on_loopback_only(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.make()
    home.write_properties(19092, 19093)
    lines = home.properties.read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert settings["listeners"] == "CLIENT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert settings["advertised.listeners"] == "CLIENT://127.0.0.1:19092"
    assert settings["log.dirs"] == str(home.data)
    assert settings["offsets.retention.minutes"] == str(30 * 24 * 60)
    assert "$" not in home.properties.read_text()


def test_a_comma_in_the_path_is_refused_since_kafka_would_read_two(tmp_path: Path) -> None:
    with pytest.raises(BrokerFailed, match="comma"):
        Home(tmp_path / "a,b").make()


def test_a_data_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BrokerFailed, match="file") as caught:
        Home(tmp_path / "file").make()
    assert "--data-dir" in caught.value.remedy
