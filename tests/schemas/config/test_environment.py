"""`${NAME}`: where a value comes from, and what happens when there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.config import ConfigError, read_config, read_source, references
from tests.schemas.config.samples import errors, load, write


def test_the_environment_fills_in_names(tmp_path: Path) -> None:
    config = load(
        tmp_path, "kafka: {bootstrap_servers: '${HOST}:${PORT}', partitions: '${N}'}", {"HOST": "k", "PORT": "1", "N": "6"}
    )
    assert (config.kafka.bootstrap_servers, config.kafka.partitions) == ("k:1", 6)


def test_the_environment_wins_over_the_dotenv_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# ours\nexport A=from-file\nB='from file'\nC=$${x}\n")
    before = dict(os.environ)
    kafka = load(
        tmp_path,
        "kafka: {topic_prefix: '${A}', sasl_plain_username: '${B}', embedded_heap: 1g, sasl_plain_password: '${C}'}",
        {"A": "mine"},
    ).kafka
    assert (kafka.topic_prefix, kafka.sasl_plain_username) == ("mine", "from file")
    assert kafka.sasl_plain_password is not None
    assert kafka.sasl_plain_password.get_secret_value() == "$${x}"
    assert dict(os.environ) == before


def test_the_process_environment_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHANGECAST_TEST_PREFIX", "here")
    assert read_config(write(tmp_path, "kafka: {topic_prefix: '${CHANGECAST_TEST_PREFIX}'}")).config.kafka.topic_prefix == "here"


def test_two_dollars_are_a_dollar(tmp_path: Path) -> None:
    assert load(tmp_path, "data_dir: /a$${A}${B}$c", {"B": "b", "A": "never"}).data_dir == Path("/a${A}b$c")


def test_a_value_of_the_environment_is_never_read_as_yaml_nor_filled_in_again(tmp_path: Path) -> None:
    config = load(tmp_path, "data_dir: ${A}", {"A": "/x: {y: ${B}} # z"})
    assert str(config.data_dir) == "/x: {y: ${B}} # z"


def test_names_in_comments_and_keys_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path, "# ${COMMENT}\ndata_dir: ${A}\nproviders:\n  pbs: {key: '${B}-${C}', types: ['${D}', '$${E}']}\n")
    assert references(read_source(path)) == {"A", "B", "C", "D"}


def test_references_of_what_is_no_yaml_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a tab"):
        references(read_source(write(tmp_path, "a:\n\tb: 1")))


@pytest.mark.parametrize("environ", [{}, {"T": "", "K": " ", "S": "s"}])
def test_a_provider_without_its_credentials_is_not_configured_and_the_names_are_known(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    path = write(
        tmp_path, "providers: {tmdb: {token: '${T}'}, pbs: {key: '${K}', secret: '${S}'}, tvdb: {apikey: '', userkey: '${U}'}}"
    )
    loaded = read_config(path, environ=environ)
    assert loaded.config.providers.configured() == {}
    assert list(loaded.config.providers.named()) == ["tmdb", "pbs", "tvdb"]
    assert loaded.unset["tmdb"] == ("T",)
    assert "K" in loaded.unset["pbs"]
    assert loaded.unset["tvdb"] == ("U",)


def test_a_credential_is_taken_without_the_blanks_around_it(tmp_path: Path) -> None:
    tmdb = load(tmp_path, "providers: {tmdb: {token: '${T}'}}", {"T": " abc\n"}).providers.tmdb
    assert tmdb is not None
    assert tmdb.configured
    assert tmdb.token is not None
    assert tmdb.token.get_secret_value() == "abc"


def test_thetvdb_needs_its_apikey_only(tmp_path: Path) -> None:
    tvdb = load(tmp_path, "providers: {tvdb: {apikey: '${A}', username: '${U}', userkey: '${K}'}}", {"A": "a"}).providers.tvdb
    assert tvdb is not None
    assert (tvdb.configured, tvdb.username, tvdb.userkey) == (True, None, None)


def test_an_unset_name_elsewhere_is_an_error_that_names_it_once(tmp_path: Path) -> None:
    text = "subscriptions:\n  - name: a\n    webhook:\n      url: ${URL}\n      secret: ${SECRET}\n"
    assert errors(tmp_path, text) == [
        "changecast.yaml:4:12: subscriptions[0].webhook.url: ${URL} is not set: set URL in the environment, or in a .env beside this file",
        "changecast.yaml:5:15: subscriptions[0].webhook.secret: "
        "${SECRET} is not set: set SECRET in the environment, or in a .env beside this file",
    ]
