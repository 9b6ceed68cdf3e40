"""Who may look into the data directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runtime.data_dir import make_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is neither where we are nor a home."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setenv("HOME", str(elsewhere))
    return tmp_path


def test_a_new_directory_and_what_is_missing_above_it_is_ours_alone(place: Path) -> None:
    assert make_private(place / "a" / "b") is None
    assert (mode(place / "a"), mode(place / "a" / "b")) == (0o700, 0o700)


@pytest.mark.parametrize("before", [0o755, 0o775, 0o701, 0o2750])
def test_one_that_is_ours_is_tightened(place: Path, before: int) -> None:
    data_dir = place / "data"
    data_dir.mkdir()
    (data_dir / "kafka").mkdir()
    data_dir.chmod(before)
    assert make_private(data_dir) is None
    assert mode(data_dir) & 0o777 == 0o700


def test_one_that_is_private_already_is_left_alone(place: Path) -> None:
    data_dir = place / "data"
    data_dir.mkdir(mode=0o500)
    assert make_private(data_dir) is None
    assert mode(data_dir) == 0o500


def shared(path: Path) -> None:
    path.chmod(0o1777)


def holds_a_config(path: Path) -> None:
    (path / "changecast.yaml").touch()


def is_worked_in(path: Path) -> None:
    os.chdir(path)


@pytest.mark.parametrize("how", [shared, holds_a_config, is_worked_in])
def test_one_that_others_may_need_is_warned_of_and_left_as_it_is(place: Path, how) -> None:
    data_dir = place / "data"
    data_dir.mkdir()
    data_dir.chmod(0o755)
    how(data_dir)
    before = mode(data_dir)
    warning = make_private(data_dir)
    assert warning is not None
    assert f"chmod 700 {data_dir}" in warning
    assert mode(data_dir) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory somebody else's")
def test_one_that_belongs_to_another_user_is_warned_of(place: Path) -> None:
    data_dir = place / "data"
    data_dir.mkdir(mode=0o755)
    os.chown(data_dir, 4711, -1)
    assert "belongs to another user" in (make_private(data_dir) or "")
    assert mode(data_dir) == 0o755


def test_one_that_cannot_be_made_is_an_error(place: Path) -> None:
    (place / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_private(place / "file" / "data")
