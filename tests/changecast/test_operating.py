"""What operators' commands find, or say when they don't."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from changecast import operating
from changecast.cli import run
from changecast.sandbox.credentials import load_environment
from changecast.up.plan import SANDBOX_FOLDER
from sinks.guard import refused


@pytest.mark.parametrize(
    "arguments",
    [
        ("deliveries", "list"),
        ("endpoints", "list"),
        ("match",),
        ("provider", "list"),
        ("provider", "resync", "tmdb:movie:550"),
        ("dead", "list"),
    ],
    ids=" ".join,
)
def test_a_cluster_that_is_down_is_told_in_the_words_of_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(operating, "KAFKA_WAIT_S", 0.3)
    config = tmp_path / "changecast.yaml"
    config.write_text("kafka: {bootstrap_servers: '127.0.0.1:1'}\nproviders: {tmdb: {token: t}}\n")

    assert run([*arguments, "-c", str(config)]) == 1

    assert capfd.readouterr().err == (
        "Error: no Kafka at 127.0.0.1:1 within 0.3 s: is it running? "
        "(kafka.bootstrap_servers in the config; `changecast kafka start` runs one here)\n"
    )


@pytest.mark.parametrize("providers", ["{tmdb: {token: t}}", "{tmdb: {}}"], ids=["receiver only", "watched"])
def test_the_sandbox_of_the_data_directory_is_the_one_that_commands_use(tmp_path: Path, providers: str) -> None:
    """Its address and secret, so that `changecast endpoints test` reaches it."""
    folder = tmp_path / "data" / SANDBOX_FOLDER
    expected = load_environment(folder, 4711)
    (folder / "port").write_text("4711")
    config = tmp_path / "changecast.yaml"
    config.write_text(
        f"data_dir: data\nproviders: {providers}\n"
        "subscriptions: [{name: a, webhook: {url: '${SANDBOX_WEBHOOK_URL}', secret: '${SANDBOX_WEBHOOK_SECRET}'}}]\n"
    )

    found = operating.operating_config(config)

    webhook = found.subscriptions[0].webhook
    assert webhook is not None
    assert webhook.url == expected["SANDBOX_WEBHOOK_URL"] == "http://127.0.0.1:4711/webhook"
    assert [secret.get_secret_value() for secret in webhook.secret] == [expected["SANDBOX_WEBHOOK_SECRET"]]
    assert refused(ip_address("127.0.0.1"), found.network.allow) is None
