import logging
from pathlib import Path

from changecast.up.logtail import LogTail, last_error, worth_showing
from runtime.logs import LogLine, bound, older, parse_line

INFO = "2025-01-21T04:46:31.250Z INFO streams.app: assigned 4 partitions"
ERROR = "2025-01-21T04:46:32.250Z ERROR streams.app: the batch was refused: ValueError: no [at app.py:3 run]"


def test_only_whole_new_lines_are_told(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    log.write_text("of an earlier run\n")
    tail = LogTail(log)

    with log.open("a") as file:
        file.write("one\ntw")
        file.flush()
        assert tail.new_lines() == ["one"]
        file.write("o\n")
        file.flush()
        assert tail.new_lines() == ["two"]
        assert tail.new_lines() == []


def test_a_log_that_comes_later_is_read_from_its_beginning(tmp_path: Path) -> None:
    tail = LogTail(tmp_path / "sinks.log")
    assert tail.new_lines() == []

    (tmp_path / "sinks.log").write_text("first\n")

    assert tail.new_lines() == ["first"]


def test_a_log_that_is_cut_is_read_on(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    tail = LogTail(log)
    with log.open("a") as writer:
        writer.write("a long line of the old log\n" * 10)
        writer.flush()
        assert len(tail.new_lines()) == 10

        assert bound(log, limit=50)
        writer.write("new\n")
        writer.flush()

    assert tail.new_lines() == ["new"]
    assert older(log).read_text().count("old log") == 10


def test_a_small_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    assert not bound(log)
    log.write_text("small\n")

    assert not bound(log)
    assert log.read_text() == "small\n"


def test_the_last_error_is_the_last_line_of_that_level_without_code_places(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    log.write_text(f"{INFO}\n{ERROR}\n{INFO}\n")

    assert last_error(log) == "the batch was refused: ValueError: no"


def test_the_last_error_of_a_bare_traceback_is_its_last_line(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    log.write_text(f"{INFO}\nTraceback (most recent call last):\n  File \"x.py\", line 3, in run\n    ^^^^\nKeyError: 'id'\n")

    assert last_error(log) == "KeyError: 'id'"


def test_the_last_error_of_a_run_is_not_that_of_the_one_before(tmp_path: Path) -> None:
    log = tmp_path / "streams.log"
    log.write_text(f"{ERROR}\n")
    begins = log.stat().st_size
    with log.open("a") as file:
        file.write(f"{INFO}\n")

    assert last_error(log, begins) is None


def test_a_log_that_is_not_there_has_no_error(tmp_path: Path) -> None:
    assert last_error(tmp_path / "none.log") is None


def test_our_warnings_are_worth_showing_and_libraries_are_not() -> None:
    def shown(logger: str, level: int) -> bool:
        return worth_showing(LogLine("", level, logger, "something"))

    assert shown("producers.tmdb.poll", logging.WARNING)
    assert not shown("producers.tmdb.poll", logging.INFO)
    assert not shown("aiokafka.consumer", logging.ERROR)
    assert not shown("producersx", logging.WARNING)


def test_lines_of_others_are_not_taken_for_ours() -> None:
    assert parse_line("INFO: something") is None
    assert parse_line("2025-01-21T04:46:31.250Z LOUD a.b: c") is None
