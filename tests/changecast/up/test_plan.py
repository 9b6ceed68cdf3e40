import ipaddress
import socket
from pathlib import Path

import pytest

from changecast.up.plan import config_of_worker, last_sandbox_port, make_plan, sandbox_port, settled, with_free_port

CREDENTIALS = ("TMDB_TOKEN", "PBS_KEY", "PBS_SECRET", "TVDB_APIKEY")
ALL_PROVIDERS = """\
providers:
  tmdb: {token: "${TMDB_TOKEN}"}
  pbs: {key: "${PBS_KEY}", secret: "${PBS_SECRET}"}
  tvdb: {apikey: "${TVDB_APIKEY}"}
"""
TO_SANDBOX = """\
subscriptions:
  - name: all
    webhook: {url: "${SANDBOX_WEBHOOK_URL}", secret: "${SANDBOX_WEBHOOK_SECRET}"}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*CREDENTIALS, "CHANGECAST_SANDBOX", "CHANGECAST_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "changecast.yaml"
    path.write_text(ALL_PROVIDERS)
    return path


def test_without_any_credential_the_sandbox_is_watched_and_it_is_said(config: Path) -> None:
    plan = make_plan(config)

    assert plan.watches_sandbox
    assert plan.sandbox is not None
    assert plan.remarks == (
        "No provider is configured (TMDB_TOKEN, PBS_KEY, PBS_SECRET and TVDB_APIKEY are not set): watching the built-in sandbox.",
    )
    assert plan.config.providers.tmdb is not None
    assert plan.config.providers.tmdb.base_url.startswith(plan.sandbox.url)
    assert list(plan.config.providers.configured()) == ["tmdb", "pbs", "tvdb"]


def test_what_the_sandbox_tells_is_kept_apart(config: Path) -> None:
    assert make_plan(config).config.data_dir == config.parent / ".changecast" / "sandbox"
    assert make_plan(config, config.parent / "trial").config.data_dir == config.parent / "trial" / "sandbox"


def test_what_the_sandbox_tells_has_topics_of_its_own_on_a_cluster_of_others(config: Path) -> None:
    config.write_text(ALL_PROVIDERS + "kafka: {bootstrap_servers: 'kafka:9092', topic_prefix: news}\n")

    assert make_plan(config).config.kafka.topic_prefix == "news.sandbox"


def test_a_provider_without_credentials_is_named_when_others_have_theirs(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMDB_TOKEN", "t")
    monkeypatch.setenv("PBS_KEY", "k")

    plan = make_plan(config)

    assert not plan.watches_sandbox
    assert plan.sandbox is None
    assert plan.config.data_dir == config.parent / ".changecast"
    assert plan.remarks == (
        "pbs is not configured, and not polled: PBS_SECRET is not set.",
        "tvdb is not configured, and not polled: TVDB_APIKEY is not set.",
    )


def test_no_providers_at_all_are_meant_so(config: Path) -> None:
    config.write_text("providers: {}\n")

    plan = make_plan(config)

    assert plan.sandbox is None
    assert plan.remarks == ()


def test_a_sandbox_that_is_only_the_receiver_leaves_providers_and_data_alone(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text(ALL_PROVIDERS + TO_SANDBOX)
    monkeypatch.setenv("TMDB_TOKEN", "t")

    plan = make_plan(config)

    assert plan.sandbox is not None
    assert not plan.watches_sandbox
    assert plan.config.data_dir == config.parent / ".changecast"
    assert plan.config.providers.tmdb is not None
    assert "themoviedb" in plan.config.providers.tmdb.base_url
    assert ipaddress.ip_network("127.0.0.1/32") in plan.config.network.allow


@pytest.mark.parametrize("token", [None, "t"])
def test_a_worker_comes_to_the_same_config(config: Path, monkeypatch: pytest.MonkeyPatch, token: str | None) -> None:
    config.write_text(ALL_PROVIDERS + TO_SANDBOX)
    if token is not None:
        monkeypatch.setenv("TMDB_TOKEN", token)
    plan = make_plan(config, config.parent / "trial")
    environment = {**plan.environment, **({"TMDB_TOKEN": token} if token else {})}

    assert config_of_worker(config, environment) == plan.config


def test_a_worker_by_itself_knows_no_sandbox(config: Path) -> None:
    assert config_of_worker(config, {}).providers.configured() == {}


def test_the_sandbox_keeps_its_port_and_its_secret(config: Path) -> None:
    first = settled(make_plan(config))

    assert first.sandbox is not None
    assert settled(make_plan(config)).sandbox == first.sandbox
    assert make_plan(config).sandbox == first.sandbox


def test_a_port_that_was_taken_since_is_changed(config: Path) -> None:
    plan = settled(make_plan(config))
    assert plan.sandbox is not None
    assert with_free_port(plan) == plan

    with socket.socket() as other:
        other.bind(("127.0.0.1", plan.sandbox.port))
        other.listen()
        moved = with_free_port(plan)

    assert moved.sandbox is not None
    assert moved.sandbox.port != plan.sandbox.port
    assert moved.config.data_dir == plan.config.data_dir


def test_a_damaged_note_of_the_port_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "port").write_text("99999999")

    assert 0 < last_sandbox_port(tmp_path) < 65536
    assert 0 < sandbox_port(tmp_path) < 65536
