"""Deciding on a reload, and telling whoever asked: with files as an operator edits them."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from changecast.up.answer import Answer, ask, leave
from changecast.up.lock import UpLock, running
from changecast.up.plan import Plan, make_plan, settled
from changecast.up.reload import Refused, TakenOver, decide
from schemas.config import data_dir_of, read_source

CONFIG = """\
providers:
  tmdb: {token: "${TMDB_TOKEN}"}
  pbs: {key: "${PBS_KEY}", secret: "${PBS_SECRET}"}
subscriptions:
  - name: news
    webhook: {url: "https://example.org/hook", secret: "${NEWS_SECRET}"}
"""
DOTENV = "TMDB_TOKEN=t\nNEWS_SECRET=whsec_Y2hhbmdlY2FzdC1yZWxvYWQtdGVzdC1rZXktMDAwMQ==\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("TMDB_TOKEN", "PBS_KEY", "PBS_SECRET", "NEWS_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".env").write_text(DOTENV)
    path = tmp_path / "changecast.yaml"
    path.write_text(CONFIG)
    return path


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def taken_over(plan: Plan) -> TakenOver:
    decision = decide(plan, plan.sandbox)
    assert isinstance(decision, TakenOver), decision
    return decision


def refused(plan: Plan) -> Refused:
    decision = decide(plan, plan.sandbox)
    assert isinstance(decision, Refused), decision
    return decision


def test_a_file_that_is_as_it_was_changes_nothing(config: Path) -> None:
    plan = make_plan(config)

    decision = taken_over(plan)

    assert (decision.words, decision.parts, decision.plan) == ("nothing has changed", (), plan)


def test_an_edited_file_is_taken_over_with_what_it_concerns(config: Path) -> None:
    plan = make_plan(config)
    edit(config, "/hook", "/other")

    decision = taken_over(plan)

    assert (decision.words, decision.parts) == ("subscription news has another webhook.url", ("sinks",))
    assert "/other" in decision.plan.source.text


def test_the_env_file_is_read_again_and_what_it_lacks_is_said(config: Path) -> None:
    plan = make_plan(config)
    (config.parent / ".env").write_text(DOTENV.replace("TMDB_TOKEN=t", "TMDB_TOKEN=other\nPBS_KEY=k"))

    decision = taken_over(plan)

    assert (decision.words, decision.parts) == ("provider tmdb has another token", ("producers", "streams"))
    assert decision.remarks == ("pbs is not configured, and not polled: PBS_SECRET is not set.",)


def test_a_variable_of_the_environment_stays_as_it_is(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_TOKEN", "from the environment")
    plan = make_plan(config)
    (config.parent / ".env").write_text(DOTENV.replace("TMDB_TOKEN=t", "TMDB_TOKEN=other"))

    assert taken_over(plan).words == "nothing has changed"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("name: news", "nam: news", "changecast.yaml:5:5: subscriptions[0].nam: "),
        ("    webhook", "\twebhook", "changecast.yaml:6:1: "),
        ("${NEWS_SECRET}", "${NEWS_SECRETS}", "changecast.yaml:6:56: "),
    ],
)
def test_mistakes_change_nothing_and_are_told_with_their_places(config: Path, old: str, new: str, place: str) -> None:
    plan = make_plan(config)
    edit(config, old, new)

    decision = refused(plan)

    assert decision.code == 78
    assert place in decision.details
    assert "goes on" in decision.why


def test_a_file_that_has_gone_changes_nothing(config: Path) -> None:
    plan = make_plan(config)
    config.unlink()

    assert "there is no config file here" in refused(plan).details


def test_what_needs_a_restart_is_named_and_nothing_of_the_rest_is_taken_over(config: Path) -> None:
    plan = make_plan(config)
    config.write_text("data_dir: elsewhere\nkafka: {partitions: 8}\n" + CONFIG.replace("/hook", "/other"))

    decision = refused(plan)

    assert decision.why == "data_dir, kafka.partitions can't change while changecast runs"
    assert "start it again" in decision.details
    assert decision.code == 1


def test_credentials_that_come_while_the_sandbox_is_watched_need_a_restart(config: Path) -> None:
    (config.parent / ".env").write_text(DOTENV.replace("TMDB_TOKEN=t", ""))
    plan = make_plan(config)
    assert plan.watches_sandbox
    (config.parent / ".env").write_text(DOTENV)

    assert "kept apart" in refused(plan).why


def test_a_reload_leaves_the_running_sandbox_its_port(config: Path) -> None:
    (config.parent / ".env").write_text(DOTENV.replace("TMDB_TOKEN=t", ""))
    plan = settled(make_plan(config))
    assert plan.sandbox is not None
    note = plan.sandbox.data_dir / "port"
    before = note.stat().st_mtime_ns
    edit(config, "/hook", "/other")

    assert taken_over(plan).plan.sandbox == plan.sandbox
    assert note.stat().st_mtime_ns == before


def test_a_sandbox_that_does_not_run_is_not_started_by_a_reload(config: Path) -> None:
    plan = make_plan(config)
    edit(config, "https://example.org/hook", "${SANDBOX_WEBHOOK_URL}")

    assert "sandbox" in refused(plan).why


def test_a_sandbox_that_is_not_needed_any_more_may_not_be_reached_any_more(config: Path) -> None:
    edit(config, "https://example.org/hook", "${SANDBOX_WEBHOOK_URL}")
    plan = make_plan(config)
    edit(config, "${SANDBOX_WEBHOOK_URL}", "https://example.org/hook")

    decision = taken_over(plan)

    assert decision.parts == ("sinks",)
    assert decision.plan.config.network.allow == []
    edit(config, "https://example.org/hook", "${SANDBOX_WEBHOOK_URL}")
    assert isinstance(decide(decision.plan, plan.sandbox), TakenOver), "it still runs, and can be used again"


def test_where_a_config_keeps_its_data_is_known_also_when_the_rest_is_wrong(config: Path) -> None:
    config.write_text("data_dir: here\nsubscriptions: [{name: '${UNSET}'}]\nnonsense: 1\n")
    assert data_dir_of(read_source(config)) == config.parent / "here"
    config.write_text("nonsense: 1\n")
    assert data_dir_of(read_source(config)) == config.parent / ".changecast"


def test_who_runs_on_a_data_directory_is_known_while_it_runs(tmp_path: Path) -> None:
    config = tmp_path / "changecast.yaml"
    assert running(tmp_path) is None
    lock = UpLock(tmp_path, config)
    lock.acquire()

    who = running(tmp_path)

    assert who is not None
    assert (who.pid, who.config) == (os.getpid(), config)
    lock.release()
    assert running(tmp_path) is None


def test_one_that_was_killed_does_not_count_as_running(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from changecast.up.lock import UpLock
UpLock(Path({str(tmp_path)!r}), Path("changecast.yaml")).acquire()
print(flush=True)
input()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        who = running(tmp_path)
        assert who is not None
        assert who.pid == process.pid
        process.send_signal(signal.SIGKILL)
        process.wait()

        assert running(tmp_path) is None


def test_only_an_answer_to_what_was_asked_counts(tmp_path: Path) -> None:
    earlier = Answer(read_at=time.monotonic(), code=0, text="to another")
    leave(tmp_path, earlier)

    def answer_late() -> None:
        leave(tmp_path, earlier)
        leave(tmp_path, Answer(read_at=time.monotonic(), code=78, text="to this one"))

    answer = ask(tmp_path, threading.Timer(0.3, answer_late).start, within=20)

    assert answer is not None
    assert (answer.code, answer.text) == (78, "to this one")


def test_who_asks_in_vain_is_not_kept_for_ever(tmp_path: Path) -> None:
    assert ask(tmp_path, lambda: None, within=0.2) is None
