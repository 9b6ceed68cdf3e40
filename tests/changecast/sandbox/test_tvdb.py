from __future__ import annotations

import base64
import json

import pytest

from changecast.sandbox import Sandbox

SCRUBS = 76156
WEEK = 7 * 24 * 3600
DAY = 24 * 3600


@pytest.fixture
async def session(client):
    await client.login()
    return client


async def test_a_wrong_key_gets_no_token(client):
    for body in ({"apikey": "wrong"}, {}, []):
        answer = await client.ask("/tvdb/login", "POST", json=body)
        assert (answer.status, answer.body) == (401, {"Error": "Not Authorized"})
    assert (await client.tvdb(f"/series/{SCRUBS}")).body == {"Error": "Not Authorized"}


async def test_a_token_is_a_jwt_of_24_hours_that_can_be_refreshed_while_it_holds(client, clock):
    token = (await client.login()).body["token"]
    claims = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"] == clock.now + DAY
    clock.now += DAY - 1
    refreshed = await client.tvdb("/refresh_token")
    assert refreshed.body["token"] != token
    clock.now += 2
    assert (await client.tvdb("/languages")).status == 401
    assert (await client.tvdb("/refresh_token")).status == 401
    client.token = refreshed.body["token"]
    assert (await client.tvdb("/languages")).status == 200


async def test_a_token_that_was_tampered_with_or_revoked_is_refused(sandbox: Sandbox, session):
    good = session.token
    session.token = good[:-2]
    assert (await session.tvdb("/languages")).status == 401
    session.token = good
    sandbox.revoke_tvdb_tokens()
    assert (await session.tvdb("/languages")).status == 401


async def test_updates_lie_within_the_window_which_is_a_week_at_most(session, clock):
    now = int(clock.now)
    answer = await session.tvdb("/updated/query", fromTime=str(now - DAY), toTime=str(now))
    times = [entry["lastUpdated"] for entry in answer.body["data"]]
    assert SCRUBS in [entry["id"] for entry in answer.body["data"]]
    assert times == sorted(times)
    assert min(times) >= now - DAY
    cut = await session.tvdb("/updated/query", fromTime=str(now - WEEK - DAY), toTime=str(now))
    assert [entry["id"] for entry in cut.body["data"]] == [371980]  # the others lie behind the week's end
    empty = await session.tvdb("/updated/query", fromTime=str(now - 60), toTime=str(now))
    assert empty.status == 404
    assert (await session.tvdb("/updated/query")).status == 405
    assert (await session.tvdb("/updated/query/params")).body["data"] == ["fromTime", "toTime"]


async def test_a_series_carries_its_fields_in_the_language_that_was_asked_for(session):
    english = (await session.tvdb(f"/series/{SCRUBS}")).body
    assert english["data"]["seriesName"] == "Scrubs"
    assert english["data"]["language"] == "en"
    assert "errors" not in english
    french = (await session.tvdb(f"/series/{SCRUBS}", language="fr")).body["data"]
    assert french["overview"] != english["data"]["overview"]
    german = (await session.tvdb(f"/series/{SCRUBS}", language="de")).body
    assert german["data"]["overview"] is None
    assert "invalidLanguage" in german["errors"]


async def test_a_head_request_tells_when_the_series_was_updated(session):
    answer = await session.tvdb(f"/series/{SCRUBS}", "HEAD")
    assert answer.headers["Last-Modified"] == "Tue, 10 Jun 2025 11:25:00 GMT"


async def test_unknown_series_and_episodes_are_not_found(session):
    for path in ("/series/1", "/series/1/episodes", "/episodes/1", "/nothing"):
        answer = await session.tvdb(path)
        assert answer.status == 404
        assert "Error" in answer.body


async def test_episodes_come_in_pages_of_100_with_links(session):
    first = (await session.tvdb(f"/series/{SCRUBS}/episodes")).body
    assert len(first["data"]) == 100
    assert first["links"] == {"first": 1, "last": 2, "next": 2, "prev": None}
    second = (await session.tvdb(f"/series/{SCRUBS}/episodes", page="2")).body
    assert second["links"] == {"first": 1, "last": 2, "next": None, "prev": 1}
    assert len(second["data"]) == 20
    assert (await session.tvdb(f"/series/{SCRUBS}/episodes", page="3")).status == 404
    episode = first["data"][0]
    assert (episode["id"], episode["episodeName"]) == (184602, "My First Day")
    assert (await session.tvdb("/episodes/184602")).body["data"] == episode


async def test_episodes_can_be_queried_and_summed_up(session):
    path = f"/series/{SCRUBS}/episodes"
    (found,) = (await session.tvdb(f"{path}/query", airedSeason="1", airedEpisode="2")).body["data"]
    assert found["episodeName"] == "My Mentor"
    assert (await session.tvdb(f"{path}/query", airedSeason="99")).status == 404
    odd = await session.tvdb(f"{path}/query", airedSeason="1", season="1")
    assert odd.body["errors"] == {"invalidQueryParams": ["season"]}
    assert "airedSeason" in (await session.tvdb(f"{path}/query/params")).body["data"]
    summary = (await session.tvdb(f"{path}/summary")).body
    assert (summary["airedEpisodes"], summary["airedSeasons"]) == ("120", ["1", "2", "3", "4", "5"])


async def test_images_are_counted_and_queried_by_kind(session):
    path = f"/series/{SCRUBS}/images"
    counts = (await session.tvdb(path)).body["data"]
    assert counts == {"fanart": 2, "poster": 2, "season": 1, "seasonwide": 1, "series": 1}
    posters = (await session.tvdb(f"{path}/query", keyType="poster")).body["data"]
    assert [poster["fileName"] for poster in posters] == ["posters/76156-1.jpg", "posters/76156-2.jpg"]
    assert (await session.tvdb(f"{path}/query", keyType="season", subKey="1")).status == 200
    assert (await session.tvdb(f"{path}/query", keyType="season", subKey="9")).status == 404
    assert (await session.tvdb(f"{path}/query", language="de", keyType="poster")).status == 404
    kinds = (await session.tvdb(f"{path}/query/params")).body["data"]
    assert [kind["keyType"] for kind in kinds] == ["fanart", "poster", "season", "seasonwide", "series"]


async def test_fields_can_be_filtered(session):
    answer = await session.tvdb(f"/series/{SCRUBS}/filter", keys="seriesName,status,colour")
    assert answer.body["data"] == {"seriesName": "Scrubs", "status": "Ended"}
    assert answer.body["errors"] == {"invalidFilters": ["colour"]}
    assert "overview" in (await session.tvdb(f"/series/{SCRUBS}/filter/params")).body["data"]


async def test_series_are_found_by_name_slug_and_imdb_id(session):
    assert [s["id"] for s in (await session.tvdb("/search/series", name="scru")).body["data"]] == [SCRUBS]
    assert (await session.tvdb("/search/series", slug="scrubs")).status == 200
    assert (await session.tvdb("/search/series", imdbId="tt0285403")).status == 200
    missing = await session.tvdb("/search/series", name="no such show")
    assert (missing.status, missing.body) == (404, {"Error": "Resource not found"})
    assert (await session.tvdb("/search/series/params")).body["data"] == ["name", "imdbId", "zap2itId", "slug"]


async def test_actors_and_languages_are_listed(session):
    assert (await session.tvdb(f"/series/{SCRUBS}/actors")).body["data"][0]["name"] == "Zach Braff"
    languages = (await session.tvdb("/languages")).body["data"]
    assert "fr" in [language["abbreviation"] for language in languages]
    assert (await session.tvdb("/languages/7")).body["abbreviation"] == "en"


async def test_an_edit_moves_last_updated_but_for_the_ones_that_do_not(sandbox: Sandbox, session, clock):
    clock.now += 600
    sandbox.catalogue.edit("tvdb", "overview-untouched", target=SCRUBS)
    since = str(int(clock.now) - 60)
    assert (await session.tvdb("/updated/query", fromTime=since)).status == 404
    sandbox.catalogue.edit("tvdb", "episode-added", target=SCRUBS)
    (entry,) = (await session.tvdb("/updated/query", fromTime=since)).body["data"]
    assert entry == {"id": SCRUBS, "lastUpdated": int(clock.now)}
    last = (await session.tvdb(f"/series/{SCRUBS}/episodes", page="2")).body["data"][-1]
    assert last["lastUpdated"] == int(clock.now)
    assert last["firstAired"] == ""
