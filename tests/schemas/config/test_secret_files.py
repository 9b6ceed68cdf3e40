"""`<key>_file` beside every secret: the content counts, and what can't be read is an error at its place."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from changecast.up.difference import difference
from changecast.up.handover import HANDED_VARIABLE, hand_over, handed_over
from schemas.config import Config, ConfigError, config_of, load_config, read_config, read_source
from schemas.config.connections import ClientCertificate
from schemas.config.file_keys import leaves
from schemas.export import config_schema
from tests.schemas.config.samples import SECRET, errors, load, rendered, write

HUNTER = "hunter2-Zq81-xxyyzz"
PLACES = [
    ("providers: {tmdb: {token_file: PATH}}", HUNTER),
    ("providers: {pbs: {key_file: PATH, secret: x}}", HUNTER),
    ("providers: {pbs: {key: x, secret_file: PATH}}", HUNTER),
    ("providers: {tvdb: {apikey_file: PATH, userkey: x}}", HUNTER),
    ("providers: {tvdb: {apikey: x, userkey_file: PATH}}", HUNTER),
    ("kafka: {sasl_plain_password_file: PATH}", HUNTER),
    ("kafka: {ssl_password_file: PATH}", HUNTER),
    ("network: {proxy_file: PATH}", f"http://x:{HUNTER}@x:1"),
    ("delivery: {proxy_file: PATH}", f"http://x:{HUNTER}@x:1"),
    ("subscriptions: [{name: a, webhook: {url: 'http://x', secret_file: PATH}}]", SECRET),
    ("subscriptions: [{name: a, webhook: {url: 'http://x', secret_file: [PATH, PATH]}}]", SECRET),
    (
        "subscriptions: [{name: a, webhook: {url: 'http://x', secret: OWN, previous_secrets: {secret_file: PATH, until: '2099-01-01'}}}]",
        SECRET,
    ),
    ("subscriptions: [{name: a, webhook: {url: 'http://x', secret: OWN, headers: {Authorization_file: PATH}}}]", HUNTER),
    (
        "subscriptions: [{name: a, webhook: {url: 'http://x', secret: OWN, "
        "oauth2: {token_url: 'http://x', client_id: x, client_secret_file: PATH}}}]",
        HUNTER,
    ),
    ("subscriptions: [{name: a, slack: {webhook_url_file: PATH}}]", f"https://x/{HUNTER}"),
    ("subscriptions: [{name: a, slack: {token_file: PATH, channel: c}}]", HUNTER),
]
OWN = "whsec_" + "b3duIG93" * 5


def place(template: str, path: object) -> str:
    return template.replace("PATH", f"'{path}'").replace("OWN", OWN)


def secrets_in(value: object) -> list[str]:
    if isinstance(value, SecretStr):
        return [value.get_secret_value()]
    members = [member for _, member in value] if isinstance(value, BaseModel) else value
    if isinstance(members, dict):
        members = list(members.values())
    return [secret for member in members for secret in secrets_in(member)] if isinstance(members, list | tuple) else []


@pytest.mark.parametrize(("template", "secret"), PLACES)
def test_a_file_takes_the_place_of_each_secret(tmp_path: Path, template: str, secret: str) -> None:
    (tmp_path / "mounted").write_text(f"{secret}\n")
    found = secrets_in(load(tmp_path, place(template, "mounted")))
    assert found.count(secret) == template.count("PATH")


def _sections(section: type[BaseModel]) -> set[type[BaseModel]]:
    below = {leaf for field in section.model_fields.values() for leaf in leaves(field.annotation)}
    kinds = {kind for kind in below if isinstance(kind, type) and issubclass(kind, BaseModel)}
    return {section}.union(*(_sections(kind) for kind in kinds))


def test_no_secret_of_the_config_is_without_its_file() -> None:
    """A secret that is added to the models belongs into PLACES; those of a client certificate are tried in test_connections.py."""
    tried = " ".join(template for template, _ in PLACES)
    for section in _sections(Config):
        for name, field in section.model_fields.items():
            if SecretStr in leaves(field.annotation) and name != "headers" and section is not ClientCertificate:
                assert f"{field.alias or name}_file: " in tried, f"{section.__name__}.{name}"


@pytest.mark.parametrize(("template", "secret"), PLACES)
def test_a_secret_and_its_file_are_one_too_many(tmp_path: Path, template: str, secret: str) -> None:
    (tmp_path / "mounted").write_text(secret)
    head, _, tail = place(template, "mounted").partition("_file: ")
    key = head.rsplit("{", 1)[1].rsplit(", ", 1)[-1]
    both = f"{head}: '{secret}', {key}_file: {tail}"
    reported = errors(tmp_path, both)
    assert len(reported) == 1, reported
    assert reported[0].endswith(f'"{key}" is given too: write one of both, {key} or {key}_file')
    at_key = both.index(f"{key}_file: ") + 1
    at_value = at_key + len(f"{key}_file: ")
    assert reported[0].startswith(f"changecast.yaml:1:{at_key if tail.startswith('[') else at_value}: ")


@pytest.mark.parametrize("template", [template for template, _ in PLACES])
def test_a_file_that_is_not_there_is_the_one_error_and_at_its_place(tmp_path: Path, template: str) -> None:
    reported = errors(tmp_path, place(template, "mounted/secret"))
    assert len(reported) == template.count("PATH")
    assert all(
        "_file" in one and one.endswith("does not exist; a relative path starts at the config file's folder") for one in reported
    )


def test_what_can_not_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    def reported(content: bytes | None = None) -> str:
        if content is not None:
            (tmp_path / "t").write_bytes(content)
        (one,) = errors(tmp_path, f"providers:\n  tmdb: {{token_file: {tmp_path}/t}}")
        return one

    where = f"changecast.yaml:2:22: providers.tmdb.token_file: {tmp_path}/t "
    (tmp_path / "t").mkdir()
    assert reported() == f"{where}is not a regular file"
    (tmp_path / "t").rmdir()
    os.mkfifo(tmp_path / "t")
    assert reported() == f"{where}is not a regular file"
    (tmp_path / "t").unlink()
    assert reported(b"") == f"{where}is empty"
    assert reported(b" \r\n\n") == f"{where}is empty"
    assert reported(b"\xff\xfe") == f"{where}is not UTF-8 text"
    assert reported(b"x" * 300_000) == f"{where}is larger than 256 KiB: not a secret"
    if os.geteuid() != 0:
        (tmp_path / "t").chmod(0)
        assert reported() == f"{where}can't be read: Permission denied"


@pytest.mark.parametrize("written", ["''", "[]", "5", "{a: b}", '"a\\0b"', "true"])
def test_what_is_no_path_is_an_error(tmp_path: Path, written: str) -> None:
    assert len(errors(tmp_path, f"providers: {{tmdb: {{token_file: {written}}}}}")) == 1


def test_several_files_are_for_several_secrets_only(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("abcdefgh")
    (reported,) = errors(tmp_path, "providers: {tmdb: {token_file: [t, t]}}")
    assert reported.startswith("changecast.yaml:1:20: providers.tmdb.token_file: expected text, got a list")


def test_only_the_line_ends_at_the_end_are_stripped(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbf in side \r\n\r\n")
    kafka = load(tmp_path, "kafka: {sasl_plain_password_file: t}").kafka
    assert kafka.sasl_plain_password is not None
    assert kafka.sasl_plain_password.get_secret_value() == " in side "


def test_paths_may_come_from_the_environment_and_symlinks(tmp_path: Path) -> None:
    """As Kubernetes mounts secrets: the file is a link into a folder that is replaced."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "token").write_text("abcdefgh\n")
    (tmp_path / "token").symlink_to("..data/token")
    config = load(tmp_path, "providers: {tmdb: {token_file: '${WHERE}'}}", {"WHERE": str(tmp_path / "token")})
    assert config.providers.configured()


def test_a_variable_without_a_value_leaves_the_provider_unconfigured(tmp_path: Path) -> None:
    loaded = read_config(write(tmp_path, "providers: {tmdb: {token_file: '${TMDB_TOKEN_FILE}'}}"), environ={})
    assert loaded.unset == {"tmdb": ("TMDB_TOKEN_FILE",)}
    assert not loaded.config.providers.configured()


def test_a_secret_written_where_its_path_belongs_is_in_no_error(tmp_path: Path) -> None:
    for secret in (HUNTER, SECRET, "a/b" * 9, "x" * 5000, "~no-such-user/xxxxxxxx"):
        report = rendered(tmp_path, f"providers: {{tmdb: {{token_file: '{secret}'}}}}")
        assert "does not exist" in report or "can't be read" in report or "not a path" in report
        assert secret not in report


def test_a_content_that_is_wrong_is_told_at_the_key_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(HUNTER)
    report = rendered(tmp_path, "subscriptions: [{name: a, webhook: {url: 'http://x', secret_file: s}}]")
    assert "subscriptions[0].webhook.secret_file: not a signing secret" in report
    assert "(the value comes from the file)" in report
    assert HUNTER not in report


def test_a_mistyped_key_is_led_to_the_right_one(tmp_path: Path) -> None:
    (reported,) = errors(tmp_path, "providers: {tmdb: {tokn_file: x}}")
    assert 'did you mean "token_file"?' in reported
    (reported,) = errors(tmp_path, "providers: {tmdb: {base_url_file: x}}")
    assert 'unknown key "base_url_file"' in reported


def test_a_previous_secret_from_a_file_that_has_ended_is_a_warning_at_its_key(tmp_path: Path) -> None:
    (tmp_path / "s").write_text(SECRET)
    text = "subscriptions: [{name: a, webhook: {url: 'http://x', secret_file: s, previous_secrets: {secret_file: s, until: 2099-01-01}}}]"
    (warning,) = read_config(write(tmp_path, text), environ={}).warnings
    assert warning.path == "subscriptions[0].webhook.previous_secrets.secret_file"


def test_a_reload_sees_the_new_content_and_what_was_checked_stays(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("first-token")
    path = write(tmp_path, "providers: {tmdb: {token_file: t}}")
    source = read_source(path, environ={})
    before = config_of(source).config
    (tmp_path / "t").write_text("second-token")

    environ = {HANDED_VARIABLE: str(hand_over(source))}
    handed = handed_over(environ)
    assert handed is not None
    assert config_of(handed).config == before

    after = config_of(read_source(path, environ={})).config
    assert difference(before, after).words == "provider tmdb has another token"


def test_no_secret_from_a_file_is_in_a_repr(tmp_path: Path) -> None:
    (tmp_path / "t").write_text(HUNTER)
    source = read_source(write(tmp_path, "providers: {tmdb: {token_file: t}}"), environ={})
    assert HUNTER not in f"{config_of(source)!r} {source!r} {source.files!r}"


@pytest.mark.parametrize(("template", "secret"), PLACES)
def test_the_json_schema_knows_the_keys(template: str, secret: str) -> None:
    from ruamel.yaml import YAML

    schema = config_schema()
    right = YAML(typ="safe", pure=True).load(place(template, "x"))
    jsonschema.validate(right, schema)


@pytest.mark.parametrize("keys", ["secret: [], secret_file: x", ""])
def test_the_json_schema_wants_one_of_both(keys: str) -> None:
    from ruamel.yaml import YAML

    wrong = YAML(typ="safe", pure=True).load(f"subscriptions: [{{name: a, webhook: {{url: 'http://x', {keys}}}}}]")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, config_schema())


_PATHS = st.text(max_size=8) | st.none() | st.booleans() | st.integers() | st.lists(st.text(max_size=4), max_size=2)
_ANY = st.recursive(
    _PATHS,
    lambda inner: st.dictionaries(
        st.sampled_from(["token", "token_file", "secret_file", "_file", "webhook", "headers_file", "x_file"]), inner
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["providers: {tmdb: X}", "subscriptions: [X]", "subscriptions: [{name: a, webhook: X}]", "kafka: X", "X"]),
    _ANY,
)
def test_no_value_anywhere_raises_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, place: str, value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(place.replace("X", json.dumps(value)))
    try:
        load_config(path, environ={})
    except ConfigError as error:
        assert str(error)
