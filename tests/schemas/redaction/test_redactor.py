"""No secret leaves a text, whatever it was encoded with, and nothing else does."""

from __future__ import annotations

import base64
import html
import json
from threading import Thread
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.redaction import Redactor

SECRET = "pass/wörd+%1 &'\"\\<x>=="
FORMS = {
    "raw": SECRET,
    "quote": quote(SECRET),
    "all quoted": quote(SECRET, safe=""),
    "lower-case hex": quote(SECRET, safe="").replace("%2F", "%2f").replace("%C3%B6", "%c3%b6"),
    "quote_plus": quote_plus(SECRET),
    "quoted twice": quote(quote(SECRET)),
    "JSON": json.dumps(SECRET)[1:-1],
    "JSON in UTF-8": json.dumps(SECRET, ensure_ascii=False)[1:-1],
    "JSON with slashes": json.dumps(SECRET)[1:-1].replace("/", "\\/"),
    "JSON in JSON": json.dumps(json.dumps(SECRET)[1:-1])[1:-1],
    "quoted in JSON": json.dumps(quote(SECRET))[1:-1],
    "repr": repr(SECRET)[1:-1],
    "HTML": html.escape(SECRET),
    "Basic": base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "Basic of a longer user": base64.b64encode(f"users:{SECRET}".encode()).decode(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "quoted base64": quote(base64.b64encode(f"me:{SECRET}".encode()).decode(), safe=""),
    "a request in base64": base64.b64encode(f"GET / HTTP/1.1\r\nX: {SECRET}\r\nHost: a\r\n\r\n".encode()).decode(),
}


def redactor_of(*secrets: str) -> Redactor:
    redactor = Redactor()
    for secret in secrets:
        redactor.add(secret)
    return redactor


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_secret_is_redacted_in_each_form(form: str) -> None:
    assert redactor_of(SECRET).redact(f"before {form} after") == "before *** after"


@pytest.mark.parametrize(
    "name", [name for name in FORMS if "of a" not in name and name not in ("Basic", "quoted base64", "a request in base64")]
)
def test_of_a_secret_that_a_cut_splits_no_more_than_three_characters_remain(name: str) -> None:
    redactor, form = redactor_of(SECRET), FORMS[name]
    for length in range(len(form) + 1):
        cut = redactor.redact(f"x: {form[:length]}", cut=True).removeprefix("x: ")
        assert cut in ("***", form[:length])
        assert cut == "***" or SECRET[:4] not in cut
        assert cut == "***" or length <= 4 + 12


def test_a_text_without_secrets_stays_as_it_is() -> None:
    text = 'nothing %2f to "hide" here\\n &amp; there + end\\'
    assert redactor_of(SECRET, "abc").redact(text) == text
    assert redactor_of(SECRET, "abc").redact(text, cut=True) == text
    assert Redactor().redact(text) == text


def test_a_value_shorter_than_8_characters_counts_as_a_whole_word_only() -> None:
    redactor = redactor_of("abc", "1234567")
    assert redactor.redact("abcd abc, xabc 'abc' 1234567 12345678") == "abcd ***, xabc '***' *** 12345678"
    assert redactor.redact("?key=abc&x=%61bc") == "?key=***&x=***"


def test_a_short_secret_is_redacted_in_basic_of_its_user() -> None:
    redactor = Redactor()
    redactor.add("pw", user="operator")
    basic = base64.b64encode(b"operator:pw").decode()
    assert redactor.redact(f"Authorization: Basic {basic}").startswith("Authorization: Basic ***")
    assert redactor.redact(f"x{basic}") == f"x{basic}"


def test_secrets_that_share_their_ends_are_redacted_whole() -> None:
    assert redactor_of("abcdefgh", "efghijklmno").redact("<abcdefghijklmno>") == "<***>"
    assert redactor_of("abcdefgh", "abcdefghijkl").redact("<abcdefghijkl>") == "<***>"


def test_a_webhooks_path_is_redacted_however_its_escapes_are_written() -> None:
    redactor = redactor_of("/run?sp=%2Ftriggers%2Fmanual&sig=rX%2FXCC2w%3D")
    for shown in ("/run?sp=/triggers/manual&sig=rX/XCC2w=", "/run?sp=%2ftriggers%2fmanual&amp;sig=rX%2FXCC2w%3d"):
        assert redactor.redact(f"Cannot POST {shown}.") == "Cannot POST ***."


def test_an_excerpt_is_redacted_before_it_is_cut() -> None:
    redactor = redactor_of("hunter2hunter2")
    for room in range(20):
        text = redactor.excerpt("x" * room + "hunter2hunter2" * 2000, 20)
        assert text == ("x" * room + "***")[:20]
        assert redactor.excerpt(("x" * room + "hunter2hunter2" * 2000).encode(), 20) == text


def test_an_excerpt_is_bounded_in_bytes_and_ends_with_a_whole_character() -> None:
    assert Redactor().excerpt("€" * 10, 8) == "€€"
    assert Redactor().excerpt("€€".encode()[:-1], 100) == "€"
    assert Redactor().excerpt(b"\xff\xfea", 100) == "\ufffd\ufffda"


def test_the_newest_tokens_of_logins_are_remembered() -> None:
    redactor = Redactor()
    for number in range(8193):
        redactor.obtained(f"token-number-{number:04}")
    assert redactor.redact("token-number-8192 token-number-4097") == "*** ***"
    assert redactor.redact("token-number-0000") == "token-number-0000"


def test_a_secret_added_in_another_thread_is_redacted_at_once() -> None:
    redactor = redactor_of("first-secret")
    assert redactor.redact("second-secret") == "second-secret"
    thread = Thread(target=redactor.add, args=("second-secret",))
    thread.start()
    thread.join()
    assert redactor.redact("first-secret second-secret") == "*** ***"


_text = st.text(st.characters(codec="utf-8"), max_size=30)


@given(_text.filter(lambda text: len(text.strip()) >= 8), _text, _text)
@example("%41%41%41%41", "", "")
@example("\\u0041\\n'''", "%", "%")
def test_any_secret_is_redacted_in_any_text(secret: str, before: str, after: str) -> None:
    redactor = redactor_of(secret)
    for form in (
        secret,
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
    ):
        shown = redactor.redact(before + form + after)
        assert form not in shown or form in before + after or form in "***"
        assert redactor.redact(before + form + after, cut=True)


@given(st.text(max_size=200), st.lists(_text, max_size=5))
def test_redacting_never_raises_and_an_excerpt_holds_its_bound(text: str, secrets: list[str]) -> None:
    redactor = redactor_of(*secrets)
    redactor.redact(text, cut=True)
    assert len(redactor.excerpt(text, 50).encode()) <= 50
    assert len(redactor.excerpt(text.encode("utf-16"), 50).encode()) <= 50


def test_with_thousands_of_secrets_each_is_found_and_no_other_text_touched() -> None:
    secrets = [f"{number:05}-secret-{number * 7919 % 100_003}" for number in range(5000)]
    redactor = redactor_of(*secrets)
    assert redactor.redact(" ".join(secrets[::97])) == " ".join(["***"] * len(secrets[::97]))
    assert redactor.redact("00001-secret-, 99999-secret-1") == "00001-secret-, 99999-secret-1"
    assert redactor.redact(secrets[4000] + "0") == "***0"
