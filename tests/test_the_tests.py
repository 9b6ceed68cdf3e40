"""What a wait that failed shows."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.eventually import eventually, until

ROOT = Path(__file__).parents[1]
FIVE = 5


async def test_a_failed_wait_shows_its_condition_the_last_value_and_what_was_compared():
    offsets = {"raw": 4}
    with pytest.raises(AssertionError) as failure:
        await until(lambda: offsets["raw"] == FIVE, 0.1, "five events committed")
    shown = str(failure.value)
    assert shown.startswith("not within 0.1 s: five events committed")
    assert "condition   offsets['raw'] == FIVE (tests/test_the_tests.py:" in shown
    assert "last value  False" in shown
    assert "with        offsets['raw'] = 4" in shown and "with        FIVE = 5" in shown


async def test_a_coroutine_function_is_awaited_and_what_it_compares_is_read_once_more():
    async def committed() -> int:
        return 4

    async def all_committed() -> bool:
        return await committed() == FIVE

    with pytest.raises(AssertionError, match=r"with +await committed\(\) = 4"):
        await until(all_committed, 0.1)


def test_of_several_conditions_in_a_line_the_one_that_failed_is_shown():
    conditions = [lambda: True, lambda: FIVE < 3, lambda: FIVE < 4]
    with pytest.raises(AssertionError, match="FIVE < 3 "):
        for condition in conditions:
            eventually(condition, 0.05)


def test_an_exception_that_means_not_yet_is_the_last_value_and_any_other_ends_the_wait(tmp_path):
    with pytest.raises(AssertionError, match=r"last value  FileNotFoundError: .*missing"):
        eventually(lambda: (tmp_path / "missing").read_text(), 0.05, not_yet=FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        eventually(lambda: (tmp_path / "missing").read_text())


def test_a_condition_is_evaluated_after_its_deadline_however_long_the_process_was_off_the_cpu(monkeypatch):
    now = iter([0.0, *[100.0] * 20])  # the deadline passes between the first evaluation and the second
    monkeypatch.setattr("tests.eventually.time.monotonic", lambda: next(now))
    answers = iter([False, True])
    eventually(lambda: next(answers), 1)


FAILING = """
import subprocess, sys
from tests.eventually import eventually
from tests.evidence import shown_on_failure

def test_fails(tmp_path):
    (tmp_path / "data" / "logs").mkdir(parents=True)
    (tmp_path / "data" / "logs" / "streams.log").write_text("".join(f"line {number}\\n" for number in range(100)))
    (tmp_path / "data" / "00000000000000000000.log").write_text("SEGMENT"[::-1])
    shown_on_failure("changecast up", lambda: ["started"])
    eventually(lambda: False, 0.1)
"""


@pytest.fixture
def failing(tmp_path):
    """A test of its own with this conftest, run as a whole pytest."""
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")

    def run(source: str, *arguments: str, before: Callable[[], object] | None = None, **environ: str) -> str:
        (tmp_path / "test_failing.py").write_text(source)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            str(tmp_path),
            *arguments,
            str(tmp_path),
        ]
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, preexec_fn=before, env=os.environ | environ
        ).stdout

    return run


def test_a_failed_test_shows_the_last_lines_of_the_logs_of_its_processes(failing):
    shown = failing(FAILING)
    assert "data/logs/streams.log" in shown and "line 99" in shown and "line 59" not in shown.split("streams.log")[1]
    assert "output of changecast up" in shown and "started" in shown
    assert "TNEMGES" not in shown


def test_a_test_whose_kafka_is_gone_fails_at_once_and_names_it(failing):
    shown = failing("def test_it(bootstrap_servers): ...\ndef test_other(): ...", "--kafka", "127.0.0.1:9", "-n", "1")
    assert "The Kafka of this run is gone: the cluster that was named at 127.0.0.1:9 (127.0.0.1:9: Connection refused)" in shown
    assert re.search(r"1 passed, .*1 error", shown)


def test_without_a_kafka_the_tests_that_need_one_are_left_out(failing):
    assert "1 passed, 1 deselected" in failing("def test_it(bootstrap_servers): ...\ndef test_other(): ...", "--kafka", "none")


CRASHING = """
import ast, gc

def parsed(depth):
    return parsed(depth - 1) if depth else ast.parse("f(1) + 2")

def test_fails():
    gc.callbacks.append(lambda *_: parsed(50))  # as for the traceback that a destructor logs
    gc.set_threshold(1)
    assert [1] == [2]
"""


def test_a_failure_does_not_end_the_process_when_garbage_is_collected_while_it_is_reported(failing):
    shown = failing(CRASHING)
    assert "assert [1] == [2]" in shown and "INTERNALERROR" not in shown


INTERRUPTING = """
import signal, subprocess, sys

def test_a_process_is_interrupted():
    code = "import signal; raise SystemExit(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 1
"""


def test_a_run_in_the_background_of_a_shell_starts_processes_that_can_be_interrupted(failing):
    assert "1 passed" in failing(INTERRUPTING, before=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert "1 passed" in failing(INTERRUPTING, "-n", "1", before=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))


SKIPPING = """
import pytest

def test_needs_node():
    pytest.skip("node is not on the PATH")
"""


def test_what_can_not_run_here_is_named_in_the_last_lines_and_fails_a_full_run(failing):
    assert "test_failing.py::test_needs_node: node is not on the PATH" in failing(SKIPPING, CI_FULL="").splitlines()[-2]
    shown = failing(SKIPPING, CI_FULL="1")
    assert "1 failed" in shown and "CI_FULL=1, and this did not run: node is not on the PATH" in shown
