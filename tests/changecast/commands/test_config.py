"""`changecast config` and `changecast schema`, as an operator calls them."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from ruamel.yaml import YAML

from changecast.cli import run

CONFIG = """\
providers:
  tmdb: {token: "${TMDB_TOKEN}"}
  pbs: {key: k-hunter2, secret: s-hunter2}
kafka: {sasl_plain_password: hunter2}
subscriptions:
  - {name: stills, webhook: {url: "https://user:hunter2@example.org", secret: "${SANDBOX_WEBHOOK_SECRET}", headers: {A: hunter2}}}
  - {name: newsroom, match: {provider: pbs, entity: episod}, slack: {webhook_url: "https://example.org/hunter2"}}
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TMDB_TOKEN", raising=False)
    monkeypatch.delenv("SANDBOX_WEBHOOK_SECRET", raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "changecast.yaml"
    file.write_text(CONFIG)
    return file


def test_check_says_who_is_polled_and_who_is_told(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines() == [
        "changecast.yaml is good.",
        "  provider      tmdb      not configured (TMDB_TOKEN is not set)",
        "  provider      pbs       polled every 30s",
        "  subscription  stills    to webhook",
        "  subscription  newsroom  to slack",
    ]
    assert output.err.startswith("warning: changecast.yaml:7:53: subscriptions[1].match.entity: not one of the usual")


ROTATING = """\
providers: {}
subscriptions:
  - name: hook
    webhook:
      url: https://example.org
      secret: "${SANDBOX_WEBHOOK_SECRET}"
      previous_secrets:
        - {secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0, until: 2099-12-01T18:00Z}
        - {secret: whsec_b2xkIG9sb2xkIG9sb2xkIG9sb2xkIG9sb2xkIG9s, until: 2025-12-01}
  - {name: ops, alerts: true, slack: {webhook_url: "https://example.org/hunter2"}}
  - {name: both, alerts: true, match: {provider: pbs}, slack: {webhook_url: "https://example.org/hunter3"}}
"""


def test_check_tells_of_rotations_and_of_alerts_and_show_keeps_alerts_only(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(ROTATING)
    assert run(["config", "check"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[2:] == [
        "  subscription  hook  to webhook, also signed with a previous secret until 2099-12-01 18:00 UTC",
        "  subscription  ops   to slack, alerts only",
        "  subscription  both  to slack, with alerts",
    ]
    assert "this secret signs no more since 2025-12-01 00:00 UTC: it can be taken out" in output.err
    assert "whsec_" not in output.err
    assert run(["config", "show"]) == 0
    shown = YAML(typ="safe", pure=True).load(capsys.readouterr().out)["subscriptions"]
    assert "match" not in shown[1]
    assert shown[2]["match"]["provider"] == ["pbs"]
    assert shown[0]["webhook"]["previous_secrets"][0] == {"secret": "**********", "until": "2099-12-01T18:00:00Z"}


def test_check_of_a_wrong_config_ends_with_78(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("kafka: {partitions: 0}")
    assert run(["config", "check", "-c", str(path)]) == 78
    assert capsys.readouterr().err == (
        f"{path}:1:21: kafka.partitions: must be at least 1\n    1 | kafka: {{partitions: 0}}\n      |                     ^\n"
    )


def test_check_without_a_file_says_how_to_make_one(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.unlink()
    assert run(["config", "check"]) == 78
    assert "cp changecast.example.yaml changecast.yaml" in capsys.readouterr().err


def test_show_fills_in_the_defaults_and_masks_the_secrets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show"]) == 0
    output = capsys.readouterr().out
    shown = YAML(typ="safe", pure=True).load(output)
    assert shown["delivery"]["timeout"] == "15s"
    assert shown["providers"]["pbs"]["key"] == "**********"
    assert shown["subscriptions"][0]["webhook"]["url"] == "https://***@example.org"
    assert "language" not in shown["subscriptions"][1]["match"]
    assert "hunter2" not in output


@pytest.mark.parametrize(
    ("arguments", "name"), [([], "ChangeEvent"), (["change"], "ChangeEvent"), (["config"], "Config"), (["alert"], "AlertEvent")]
)
def test_schema_prints_the_json_schema(arguments: list[str], name: str, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["schema", *arguments]) == 0
    assert orjson.loads(capsysbinary.readouterr().out)["title"] == name


FROM_FILES = """\
providers: {pbs: {key: k-hunter2, secret_file: s}}
subscriptions:
  - name: hook
    webhook:
      url: https://example.org
      secret_file: [s, s]
      headers: {Authorization_file: s}
      previous_secrets: {secret_file: s, until: 2099-12-01}
"""


def test_show_names_the_files_of_secrets(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.with_name("s").write_text("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\n")
    path.write_text(FROM_FILES)
    assert run(["config", "show"]) == 0
    shown = YAML(typ="safe", pure=True).load(capsys.readouterr().out)
    assert (shown["providers"]["pbs"]["key"], shown["providers"]["pbs"]["secret_file"]) == ("**********", "s")
    assert "secret" not in shown["providers"]["pbs"]
    webhook = shown["subscriptions"][0]["webhook"]
    assert webhook["secret_file"] == ["s", "s"]
    assert webhook["headers"] == {"Authorization_file": "s"}
    assert webhook["previous_secrets"][0]["secret_file"] == "s"


ADDRESSES = """\
subscriptions:
  - name: a
    webhook: {url: "https://me:pw-hunter2@example.org:8443/hooks/hunter2?sig=x", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0}
  - {name: b, slack: {webhook_url: "https://hooks.slack.com/services/T0/B0/hunter2"}}
  - {name: c, webhook: {url: "https://example.org/", secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0}}
"""


def test_show_prints_of_a_webhooks_address_its_scheme_and_host(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(ADDRESSES)
    assert run(["config", "show"]) == 0
    output = capsys.readouterr().out
    a, b, c = YAML(typ="safe", pure=True).load(output)["subscriptions"]
    assert a["webhook"]["url"] == "https://***@example.org:8443/***"
    assert b["slack"]["webhook_url"] == "https://hooks.slack.com/***"
    assert c["webhook"]["url"] == "https://example.org"
    assert "hunter2" not in output


def test_show_names_a_proxy_without_its_password(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.with_name("p").write_text("http://us:hunter2@file.lan:3128\n")
    path.write_text('providers: {}\nnetwork: {proxy: "http://us:hunter2@proxy.lan:3128"}\ndelivery: {proxy_file: p}\n')
    assert run(["config", "show"]) == 0
    output = capsys.readouterr().out
    shown = YAML(typ="safe", pure=True).load(output)
    assert (shown["network"]["proxy"], shown["delivery"]["proxy_file"]) == ("http://***@proxy.lan:3128", "p")
    assert "hunter2" not in output
