"""The session: one token for all, renewed in time, and once."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from producers.tvdb.login import TOKEN_LIFE_S, Login, Token, life_of
from runtime.http import BadResponse, CredentialsRejected, ProviderUnavailable
from tests.producers.tvdb.thetvdb import DAY_S, client, jwt, thetvdb

LANGUAGES = {"/languages": {"data": []}}


async def test_the_login_sends_the_key_alone_when_there_is_no_user() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        assert served.logins == [{"apikey": "api-key-1"}]


async def test_the_login_sends_user_name_and_key_when_they_are_configured() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock, Login("a", "ann", "uk")) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        assert served.logins == [{"apikey": "a", "username": "ann", "userkey": "uk"}]


async def test_many_first_requests_share_one_login() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await asyncio.gather(*(tvdb.languages() for _ in range(12)))
        assert len(served.logins) == 1


async def test_a_token_is_refreshed_before_its_day_is_over_without_a_new_login() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        served.clock.advance(0.5 * DAY_S)
        await tvdb.languages()
        assert served.refreshes == 0
        served.clock.advance(0.45 * DAY_S)
        await asyncio.gather(*(tvdb.languages() for _ in range(5)))
        assert (served.refreshes, len(served.logins)) == (1, 1)
        served.clock.advance(0.5 * DAY_S)
        await tvdb.languages()
        assert (served.refreshes, len(served.logins)) == (1, 1), "the new token has a day of its own"


async def test_a_token_that_names_a_shorter_life_is_refreshed_by_that() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers, served.life = LANGUAGES, 600
        await tvdb.languages()
        served.clock.advance(560)
        await tvdb.languages()
        assert served.refreshes == 1


async def test_a_token_that_has_ended_is_replaced_by_a_login() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        served.clock.advance(2 * DAY_S)
        await tvdb.languages()
        assert (served.refreshes, len(served.logins)) == (0, 2)


async def test_a_refresh_that_is_refused_becomes_a_login() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        served.valid.clear()
        served.clock.advance(0.95 * DAY_S)
        await tvdb.languages()
        assert len(served.logins) == 2


async def test_a_refresh_that_fails_leaves_the_old_token_in_use_while_it_holds() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers, served.refresh_status = LANGUAGES, 503
        await tvdb.languages()
        served.clock.advance(0.95 * DAY_S)
        await tvdb.languages()
        assert len(served.logins) == 1


async def test_refused_tokens_cause_one_login_however_many_requests_meet_them() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        await tvdb.languages()
        served.valid.clear()
        await asyncio.gather(*(tvdb.languages() for _ in range(12)))
        assert len(served.logins) == 2


async def test_a_request_that_is_refused_with_the_new_token_too_is_not_tried_a_third_time() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.refuse_all = True
        with pytest.raises(CredentialsRejected):
            await tvdb.languages()
        assert len(served.asked()) == 2
        assert len(served.logins) == 2


async def test_a_rejected_key_is_told_to_all_that_wait_and_tried_again_by_the_next() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers, served.login_status = LANGUAGES, 401
        results = await asyncio.gather(*(tvdb.languages() for _ in range(6)), return_exceptions=True)
        assert all(isinstance(result, CredentialsRejected) for result in results)
        assert len(served.logins) == 1
        served.login_status = 200
        await tvdb.languages()
        assert len(served.logins) == 2


async def test_a_login_that_can_not_be_had_now_may_work_later() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers, served.login_status = LANGUAGES, 502
        with pytest.raises(ProviderUnavailable):
            await tvdb.languages()
        served.login_status = 200
        assert await tvdb.languages() == ()


async def test_a_caller_that_gives_up_takes_the_login_from_nobody() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.answers = LANGUAGES
        first, second = (asyncio.ensure_future(tvdb.languages()) for _ in range(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        first.cancel()
        assert await second == ()
        assert len(served.logins) == 1


async def test_a_login_without_a_token_is_a_bad_response_that_keeps_nothing_of_the_body() -> None:
    async with thetvdb() as served, client(served.server.url, served.clock) as tvdb:
        served.login_status = 201
        with pytest.raises(BadResponse) as raised:
            await tvdb.languages()
        assert raised.value.body == b""


async def test_no_key_and_no_token_is_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    login = Login("api-key-1", "ann", "user-key-1")
    async with thetvdb() as served, client(served.server.url, served.clock, login) as tvdb:
        served.answers, served.refresh_status = LANGUAGES, 503
        await tvdb.languages()
        served.clock.advance(0.95 * DAY_S)
        await tvdb.languages()
        tokens = list(served.valid)
    assert "refresh" in caplog.text
    for secret in ("api-key-1", "user-key-1", *tokens):
        assert secret not in caplog.text
    assert "api-key-1" not in repr(login)
    assert tokens[0] not in repr(Token(tokens[0], 1, 2))


NOW = datetime(2031, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("token", "life"),
    [
        (jwt(1, NOW.timestamp() + 600), 600.0),
        (jwt(1, NOW.timestamp() + 9e9), TOKEN_LIFE_S),
        (jwt(1, NOW.timestamp() - 5), TOKEN_LIFE_S),
        (jwt(1, None), TOKEN_LIFE_S),
        ("no-jwt-at-all", TOKEN_LIFE_S),
        ("a.b.c", TOKEN_LIFE_S),
        ("a.bnVsbA.c", TOKEN_LIFE_S),
    ],
)
def test_a_tokens_life_is_what_it_names_if_that_makes_sense(token: str, life: float) -> None:
    assert life_of(token, NOW) == life
