import io
import logging
import subprocess
import sys

import pytest

from runtime.logs import OneLine, brief, parse_line, unheard
from schemas.redaction import Redactor


def logged(message: str, *arguments: object, error: BaseException | None = None, secrets: tuple[str, ...] = ()) -> str:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    handler.setFormatter(OneLine(redactor))
    exc_info = (type(error), error, error.__traceback__) if error else None
    handler.emit(logging.LogRecord("producers.tmdb", logging.ERROR, "f.py", 1, message, arguments, exc_info))
    return output.getvalue()


def raised() -> Exception:
    try:
        try:
            {}["id"]
        except KeyError as error:
            raise ValueError("no id in\nthe entry") from error
    except ValueError as error:
        return error


def test_an_event_is_one_line_that_can_be_taken_apart_again() -> None:
    line = logged("page %d of %s is broken\n\n  badly", 3, "movie/changes")

    assert line.count("\n") == 1
    parsed = parse_line(line)
    assert parsed is not None
    assert (parsed.level, parsed.logger) == (logging.ERROR, "producers.tmdb")
    assert parsed.message == "page 3 of movie/changes is broken ⏎ badly"


def test_an_exception_with_its_cause_and_places_is_in_the_same_line() -> None:
    line = logged("the poll failed", error=raised())

    assert line.count("\n") == 1
    assert "the poll failed: ValueError: no id in ⏎ the entry [at test_logs.py:" in line
    assert "after KeyError: 'id' [at " in line


def test_each_error_of_a_group_is_told() -> None:
    line = logged("", error=ExceptionGroup("unhandled", [raised(), OSError("disk full")]))

    assert "ValueError" in line
    assert "disk full" in line


def test_people_who_watch_see_it_without_places() -> None:
    parsed = parse_line(logged("ended by an error", error=raised()))
    assert parsed is not None

    assert brief(parsed.message) == "ValueError: no id in ⏎ the entry"


def test_secrets_are_hidden_wherever_they_come_from() -> None:
    secret = "whsec_c2VjcmV0IHNlY3JldA=="

    line = logged("POST with %s", secret, error=ValueError(f"refused: {secret}"), secrets=(secret, "abc"))

    assert secret not in line
    assert line.count("***") == 2


def test_an_error_that_ends_the_process_is_one_line_on_stderr() -> None:
    code = """
from runtime.logs import set_up
from schemas import redaction

set_up()
redaction.PROCESS.add("hunter22")
raise ValueError("no hunter22")
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert shown.returncode == 1
    assert len(shown.stderr.splitlines()) == 1
    assert "CRITICAL changecast: ended by an error: ValueError: no *** [at " in shown.stderr


def test_a_library_is_unheard_only_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    library = logging.getLogger("chatterbox.client")
    with unheard("chatterbox"):
        library.critical("told in better words")
    library.critical("heard again")
    assert [record.message for record in caplog.records] == ["heard again"]


UNCAUGHT_ANYWHERE = """
import sys, threading
from runtime.logs import redact_uncaught, set_up
from schemas import redaction

HOW
redaction.PROCESS.add("hunter2hunter2")

class Broken:
    def __del__(self):
        raise ValueError("no hunter2hunter2 at the end")

def run():
    raise ValueError("no hunter2hunter2 in a thread")

thread = threading.Thread(target=run)
thread.start()
thread.join()
Broken()
raise ValueError("no hunter2hunter2") from OSError("hunter2hunter%32")
"""


@pytest.mark.parametrize(("how", "lines"), [("set_up()", 3), ("redact_uncaught()", None)])
def test_an_error_that_nobody_caught_shows_no_secret_wherever_it_was_raised(how: str, lines: int | None) -> None:
    code = UNCAUGHT_ANYWHERE.replace("HOW", how)
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)

    assert shown.returncode == 1
    assert "hunter" not in shown.stdout + shown.stderr
    for message in ("no *** in a thread", "no *** at the end", "no ***", "OSError: ***"):
        assert message in shown.stderr
    assert lines in (None, len(shown.stderr.splitlines()))
