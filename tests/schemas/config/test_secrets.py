"""No secret, and nothing from the environment, stands in an error, a repr or a dump."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.config import ConfigError, load_config
from tests.schemas.config.samples import SECRET, load, rendered

HUNTER = "hunter2-Zq81-xxyyzz"

PLACES = [
    "providers: {tmdb: {token: SECRET, intervall: 5s}}",
    "providers: {pbs: {key: SECRET, secret: SECRET, intervall: 5s}}",
    "providers: {tvdb: {apikey: SECRET, userkey: [SECRET]}}",
    "providers: {tmdb: {tokn: SECRET}}",
    "providers: {pbs: SECRET}",
    "providers: {tmdb: SECRET, pbs: {rate: x}}",
    "kafka: {sasl_plain_password: SECRET, partitions: 0}",
    "kafka: {password: SECRET}",
    "kafka:\n  ssl_password: >\n    SECRET\n    more\n  partitions: 0",
    "subscriptions: [{name: a, webhook: {url: x, secret: SECRET}}]",
    "subscriptions: [{name: a, webhook: {url: x, secret: [SECRET, SECRET]}}]",
    "subscriptions: [{name: a, webhook: {url: x, secret: {a: SECRET}}}]",
    "subscriptions: [{name: a, webhook: {url: x, secret:SECRET}}]",
    "subscriptions: [{name: a, webhook: {url: x, previous_secrets: {secret: SECRET, until: soon}}}]",
    "subscriptions: [{name: a, webhook: {url: x, previous_secrets: [{secret: [SECRET], until: 2026-12-01}, SECRET]}}]",
    "subscriptions: [{name: a, webhook: {url: x, headers: {Authorization: Bearer SECRET}}}]",
    "subscriptions: [{name: a, webhook: {url: 'ftp://user:SECRET@example.org'}}]",
    "subscriptions: [{name: a, webhook: SECRET}]",
    "subscriptions: [{name: a, slack: {webhook_url: 'https//hooks.slack.com/SECRET'}}]",
    "subscriptions: [{name: a, slack: 'https://hooks.slack.com/services/SECRET'}]",
    "subscriptions: [{name: a, slack: {token: SECRET}, when: 5}]",
    "providers: {pbs: {secret: 'SECRET}}",
    "providers:\n  pbs:\n    secret: SECRET\n   key: x",
    "providers:\n  pbs:\n    secret:SECRET\n    key: SECRET: x",
    "SECRET: &x [*y]",
    "secret=SECRET: 1",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_written_in_the_file_is_masked_in_errors(tmp_path: Path, place: str) -> None:
    secrets = (HUNTER, SECRET) if "SECRET: &x" not in place else (SECRET,)
    for secret in secrets:
        text = rendered(tmp_path, place.replace("SECRET", secret))
        assert text
        assert secret not in text
        assert secret[8:] not in text


@pytest.mark.parametrize(
    "text",
    [
        "data_dir: ${V}\nkafka: {partitions: 0}",
        "kafka: {partitions: '${V}', topic_prefix: '${V}!'}",
        "network: {allow: '${V}'}",
        "delivery: {timeout: '${V}'}",
        "providers: {tmdb: {since: '${V}', watch: {tv: '${V}'}, base_url: '${V}'}}",
        "subscriptions: [{name: '${V}', when: '${V}', match: {provider: '${V}', id: '${V}'}, from: '${V}'}]",
        "subscriptions: [{name: '${V}', slack: {}}, {name: '${V}', slack: {}}]",
        "subscriptions: [{name: a, when: 'event.x == ${V}', webhook: {url: '${V}', secret: '${V}', headers: {A: '${V}\n'}}}]",
        "kafka: '${V}'",
        "subscriptions: '${V}'",
    ],
)
@pytest.mark.parametrize("value", [HUNTER, "172.16.1.2/12", "tmbd", "event.hunter", "a b"])
def test_a_value_of_the_environment_is_in_no_error(tmp_path: Path, text: str, value: str) -> None:
    report = rendered(tmp_path, text, {"V": value})
    assert report
    assert value not in report
    assert "172.16.0.0" not in report
    assert "hunter2" not in report


def test_the_error_holds_no_input_in_its_causes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"providers: {{pbs: {{secret: {HUNTER}, rate: x}}}}")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert HUNTER not in repr(caught.value)


def test_secrets_are_in_no_repr_and_no_dump(tmp_path: Path) -> None:
    text = f"""\
providers: {{tmdb: {{token: {HUNTER}}}, pbs: {{key: {HUNTER}, secret: {HUNTER}}}, tvdb: {{apikey: {HUNTER}, userkey: {HUNTER}}}}}
kafka: {{sasl_plain_password: {HUNTER}, ssl_password: {HUNTER}}}
subscriptions:
  - {{name: a, webhook: {{url: 'http://x', secret: {SECRET}, headers: {{Authorization: {HUNTER}}}}}}}
  - {{name: b, slack: {{webhook_url: 'https://x/{HUNTER}'}}}}
  - {{name: c, slack: {{token: {HUNTER}, channel: x}}}}
"""
    config = load(tmp_path, text)
    for shown in (repr(config), str(config), config.model_dump_json(), str(config.model_dump(mode="json"))):
        assert HUNTER not in shown
        assert SECRET not in shown


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40), st.sampled_from(PLACES))
def test_no_secret_of_any_shape_is_printed(tmp_path_factory: pytest.TempPathFactory, secret: str, place: str) -> None:
    """Written in quotes, as a careful operator would."""
    if place.count("'") or "SECRET:" in place or ":SECRET" in place or ">" in place or "=" in place:
        return
    path = tmp_path_factory.getbasetemp() / "secret.yaml"
    path.write_text(place.replace("SECRET", "'" + secret.replace("'", "''") + "'"))
    try:
        load_config(path, environ={})
    except ConfigError as error:
        assert secret not in str(error) or "${" in secret
