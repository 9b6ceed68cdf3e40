"""Addresses, headers and credentials are taken as they are written, or refused with line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.config import Config
from schemas.config.addresses import web_address, wire_address
from schemas.config.fields import Invalid
from tests.schemas.config.samples import SECRET, errors, load

NO_ADDRESS = "not a web address: write http:// or https://, then a host and a path"
NO_BLANKS = "a web address holds no blanks: leave them out, or write %20"
NO_FRAGMENT = 'a fragment ("#…") is never sent: leave it out, or write %23 for the character itself'
ASCII_ONLY = "beside its host a web address is ASCII: write other characters percent-encoded, as %C3%A9 for é"
EMPTY_QUERY = 'the "?" at the end begins no query: leave it out'
RESERVED = "this header is set by changecast itself: leave it out"
TWO_LOGINS = "either an Authorization header, or a user and password in the address: both are the same header"
TWO_TYPES = "stands in `headers` already, as Content-Type: write one of them"
BASE_LOGIN = "no user and password here: the credentials have keys of their own, and go into the Authorization header"
CUT_SHORT = "was it cut short (…) when it was copied, or does it go on?"


@pytest.mark.parametrize(
    ("written", "called"),
    [
        ("https://h.example/?sp=%2Ftriggers%2Fmanual%2Frun&sig=rX%2FXCC2w%3D", None),
        ("https://h.example/a%2fb/../c/./d//e;x=1?b=2&a=1&a=%7e~+%20", None),
        ("https://h.example/{x}|y^`\"<>'\\?q=[1]?", None),
        ("http://h.example:80/%zz%", None),
        ("http://h.example", "http://h.example/"),
        ("http://h.example?x=1", "http://h.example/?x=1"),
        ("HTTP://H.Example/A", "http://H.Example/A"),
        ("http://me:p%40ss@h.example/a@b", "http://h.example/a@b"),
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://BÜCHER.example:8443/x", "https://xn--bcher-kva.example:8443/x"),
        ("https://例え.テスト/", "https://xn--r8jz45g.xn--zckzah/"),
        ("http://[::1]:8080/x", None),
        ("http://my_host.internal.:8080/", None),
    ],
)
def test_an_address_is_called_as_it_is_written(written: str, called: str | None) -> None:
    assert wire_address(web_address(written)).url == (called or written)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=60))
def test_no_byte_of_path_and_query_is_changed(target: str) -> None:
    address = f"https://h.example/x{target}"
    try:
        assert wire_address(web_address(address)).url == address
    except Invalid as problem:
        assert str(problem) == EMPTY_QUERY
        assert target.endswith("?")


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_invalid(text: str) -> None:
    for written in (text, f"http://{text}", f"https://h/{text}", f"http://{text}@h/"):
        try:
            assert wire_address(web_address(written)).url.isascii()
        except Invalid:
            continue


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://h.example/a b", NO_BLANKS),
        (" https://h.example/", NO_BLANKS),
        ("https://h.example/\\u00a0x", NO_BLANKS),
        ("https://h.example/#top", NO_FRAGMENT),
        ("https://h.example/?a=1#", NO_FRAGMENT),
        ("https://h.example/é", ASCII_ONLY),
        ("https://h.example/?q=…", ASCII_ONLY),
        ("https://ü:x@h.example/", ASCII_ONLY),
        ("https://h.example/\\u0007", ASCII_ONLY),
        ("https://h.example/x?", EMPTY_QUERY),
        ("ftp://h.example/", NO_ADDRESS),
        ("https:///x", NO_ADDRESS),
        ("https://h..example/", NO_ADDRESS),
        ("https://h%2eexample/", NO_ADDRESS),
        ("https://a\\\\b/", NO_ADDRESS),
        ("https://h.example:0/", NO_ADDRESS),
        ("https://h.example:70000/", NO_ADDRESS),
        ("https://[::1/", NO_ADDRESS),
        ("https://[::g]/", NO_ADDRESS),
        ("https://ü..example/", NO_ADDRESS),
    ],
)
def test_what_would_be_changed_or_dropped_on_the_way_is_refused(tmp_path: Path, address: str, message: str) -> None:
    hook = f'subscriptions:\n  - name: a\n    webhook: {{secret: {SECRET}, url: "{address}"}}'
    column = hook.splitlines()[2].index('"') + 1
    (problem,) = errors(tmp_path, hook)
    place, told = problem.split(": subscriptions[0].webhook.url: ")
    assert told == message
    assert place == f"changecast.yaml:3:{column}"
    (slack,) = errors(tmp_path, f'subscriptions: [{{name: a, slack: {{webhook_url: "{address}"}}}}]')
    assert slack == f"changecast.yaml:1:48: subscriptions[0].slack.webhook_url: {message}"


@pytest.mark.parametrize(
    "key",
    ["providers: {tmdb: {base_url: ADDRESS}}", "subscriptions: [{name: a, slack: {token: x, channel: c, api_url: ADDRESS}}]"],
)
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://user:pass@h.example/3", BASE_LOGIN),
        ("https://h.example/3?a=1", "this address is the beginning of others, and has no query"),
    ],
)
def test_the_beginning_of_addresses_has_no_login_and_no_query(tmp_path: Path, key: str, address: str, message: str) -> None:
    (problem,) = errors(tmp_path, key.replace("ADDRESS", f"'{address}'"))
    assert problem.endswith(f": {message}")


def _headers(name: str, value: str = "x", **fields: str) -> str:
    more = "".join(f"\n      {key}: {text}" for key, text in fields.items())
    return f"""\
subscriptions:
  - name: a
    webhook:
      url: {fields.pop("url", "https://h.example")}
      secret: {SECRET}{more if "url" not in fields else ""}
      headers:
        {name}: {value}
"""


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "ACCEPT-ENCODING"),
        *("webhook-id", "Webhook-Signature", "webhook-timestamp", "webhook-own"),
    ],
)
def test_a_reserved_header_is_refused(tmp_path: Path, name: str) -> None:
    assert errors(tmp_path, _headers(name)) == [
        f"changecast.yaml:7:{len(name) + 11}: subscriptions[0].webhook.headers.{name}: {RESERVED}"
    ]


def test_content_type_is_the_operators_to_set_once(tmp_path: Path) -> None:
    config = load(tmp_path, _headers("Content-Type", "application/json"))
    assert config.subscriptions[0].webhook is not None
    assert config.subscriptions[0].webhook.own_content_type == "application/json"
    (problem,) = errors(tmp_path, _headers("content-type", "text/plain", content_type="text/plain"))
    assert problem == f"changecast.yaml:6:21: subscriptions[0].webhook.content_type: {TWO_TYPES}"


def test_a_login_in_the_address_beside_authorization_is_refused(tmp_path: Path) -> None:
    text = _headers("authorization", "Bearer x").replace("https://h", "https://user:pass@h")
    assert errors(tmp_path, text) == [f"changecast.yaml:6:7: subscriptions[0].webhook.headers: {TWO_LOGINS}"]
    load(tmp_path, _headers("X-Other").replace("https://h", "https://user:pass@h"))


def test_a_login_in_the_address_of_a_token_endpoint_is_refused(tmp_path: Path) -> None:
    oauth2 = "oauth2: {client_id: a, client_secret: b, token_url: 'https://user:pass@h.example'}"
    (problem,) = errors(tmp_path, f"subscriptions: [{{name: a, webhook: {{url: 'https://h', secret: {SECRET}, {oauth2}}}}}]")
    assert problem.endswith("leave user and password out")


_CREDENTIALS = [
    "providers: {tmdb: {token: VALUE}}",
    "providers: {pbs: {key: VALUE, secret: x}}",
    "providers: {pbs: {key: x, secret: VALUE}}",
    "providers: {tvdb: {apikey: VALUE}}",
    "providers: {tvdb: {apikey: x, userkey: VALUE}}",
    "subscriptions: [{name: a, slack: {token: VALUE, channel: c}}]",
]


@pytest.mark.parametrize("text", _CREDENTIALS)
@pytest.mark.parametrize("value", ["abc…", "ab\\ncd", "ab\\u0000cd", "abcé", "ab\\u200bcd"])
def test_a_credential_that_http_cannot_carry_is_refused_and_not_shown(tmp_path: Path, text: str, value: str) -> None:
    (problem,) = errors(tmp_path, text.replace("VALUE", f'"{value}"'))
    assert problem.startswith(f"changecast.yaml:1:{text.index('VALUE') + 1}: ")
    assert problem.endswith(CUT_SHORT)
    assert "ab" not in problem.partition("HTTP can't")[2]


@pytest.mark.parametrize("value", ["Bearer abc…", "a\\nb", "é"])
def test_a_headers_value_that_http_cannot_carry_is_refused(tmp_path: Path, value: str) -> None:
    (problem,) = errors(tmp_path, _headers("Authorization", f'"{value}"'))
    assert problem.endswith("a header's value is one line of ASCII, without control characters")


def test_the_line_end_of_every_secret_alike_is_stripped(tmp_path: Path) -> None:
    text = """\
kafka: {sasl_plain_password: "${P}", ssl_password: "${P}"}
providers: {tmdb: {token: "${P}"}, pbs: {key: "${P}", secret: "${P}"}, tvdb: {apikey: "${P}", userkey: "${P}"}}
network: {proxy: "${X}"}
delivery: {proxy: "${X}"}
subscriptions:
  - name: hook
    webhook:
      url: https://h.example
      secret: ["${S}"]
      previous_secrets: {secret: "${S}", until: 2099-01-01}
      headers: {Authorization: "Bearer ${P}"}
  - {name: slack, slack: {webhook_url: "${U}"}}
  - {name: bot, slack: {token: "${P}", channel: c}}
"""
    plain = {"X": "http://user:pass@proxy:3128", "P": "plain", "S": SECRET, "U": "https://h.example/x"}
    stripped = load(tmp_path, text, {name: f"{value}\r\n" for name, value in plain.items()})
    assert stripped == load(tmp_path, text, plain)


def test_a_config_that_is_made_in_code_is_checked_alike() -> None:
    with pytest.raises(ValidationError, match="fragment"):
        Config.model_validate({"subscriptions": [{"name": "a", "webhook": {"url": "http://x/#y", "secret": SECRET}}]})
