from __future__ import annotations

from typing import Any

from changecast.sandbox import Sandbox

DAY = 24 * 3600


def items_of(answer: Any, key: str) -> list[dict[str, Any]]:
    return next(change["items"] for change in answer.body["changes"] if change["key"] == key)


async def test_a_request_without_the_token_is_refused_with_code_7(client):
    answer = await client.ask("/tmdb/3/movie/changes")
    assert answer.status == 401
    assert answer.body["status_code"] == 7
    assert answer.body["success"] is False
    assert "Date" in answer.headers


async def test_the_movie_of_the_reference_page_has_its_items_with_ids_order_and_distances(client):
    answer = await client.tmdb("/movie/558449/changes", start_date="2025-06-08", end_date="2025-06-10")
    images = items_of(answer, "images")
    assert [item["id"] for item in images][:2] == ["6775db1d194b5816d7614a4b", "6775db30194b5816d7614a54"]
    assert images[0] == {
        "id": "6775db1d194b5816d7614a4b",
        "action": "added",
        "time": "2025-06-09 12:54:43 UTC",
        "iso_639_1": "",
        "iso_3166_1": "",
        "value": {"poster": {"file_path": "/jTCgHXv8zTNgI7ELff4PkcVBhBh.jpg"}},
    }
    assert images[1]["time"] == "2025-06-09 12:55:02 UTC"  # 19 seconds later, as on the page
    assert len(images) == 11
    (deleted,) = items_of(answer, "plot_keywords")
    assert "value" not in deleted
    assert deleted["original_value"] == {"group": "tones", "id": 200918, "name": "angry"}
    assert items_of(answer, "videos")[1]["time"] == "2025-06-10 11:58:00 UTC"


async def test_the_pictures_of_the_movie_are_what_its_items_leave(client):
    answer = await client.tmdb("/movie/558449/images")
    posters = {image["file_path"]: image["iso_639_1"] for image in answer.body["posters"]}
    assert posters["/jTCgHXv8zTNgI7ELff4PkcVBhBh.jpg"] == "en"
    assert posters["/Fj7aQbGG5FJ7WAEJkycwi8nZqC.jpg"] is None
    assert posters["/qoGNVy0GKdoXMQwY3i9ammDVAbz.jpg"] == "fr"
    assert [logo["iso_639_1"] for logo in answer.body["logos"]] == ["pt"]


async def test_the_episode_of_the_backdrops_is_found_by_descent(client):
    window = {"start_date": "2025-06-08", "end_date": "2025-06-10"}
    listed = await client.tmdb("/tv/changes", **window)
    assert 95396 in [entry["id"] for entry in listed.body["results"]]
    season = items_of(await client.tmdb("/tv/95396/changes", **window), "season")[0]["value"]
    assert season == {"season_id": 345781, "season_number": 2}
    episodes = items_of(await client.tmdb("/tv/season/345781/changes", **window), "episode")
    assert {item["value"]["episode_id"] for item in episodes} == {5475279}
    images = items_of(await client.tmdb("/tv/episode/5475279/changes", **window), "images")
    assert [item["id"] for item in images] == [
        "678f26a72f2aa5c158aaab93",
        "678f26b2e93bd071355b2d34",
        "678fe922f87f4119e6aabdc1",
        "678fe92d437589f3865b40bb",
        "678fe9329418bcfbadf092bc",
    ]
    assert images[2]["original_value"] == {"backdrop": {"file_path": "/weFt9EZtM7tt4A4uhzle5PPAige.jpg"}}
    stills = await client.tmdb("/tv/95396/season/2/episode/2/images")
    assert stills.body["id"] == 5475279
    assert "/weFt9EZtM7tt4A4uhzle5PPAige.jpg" not in [still["file_path"] for still in stills.body["stills"]]


async def test_the_stills_of_the_reference_page_are_there(client):
    answer = await client.tmdb("/tv/1399/season/1/episode/2/images")
    assert answer.body["id"] == 63057
    assert len(answer.body["stills"]) == 12
    assert answer.body["stills"][0] == {
        "aspect_ratio": 1.777,
        "file_path": "/xxGd4OqBQLav65zdlshNyxB4oLL.jpg",
        "height": 995,
        "iso_639_1": "en",
        "vote_average": 3.334,
        "vote_count": 1,
        "width": 1768,
    }
    assert answer.body["stills"][-1]["iso_639_1"] == "ne"


async def test_a_still_that_is_added_shows_in_the_descent_and_among_the_stills(sandbox: Sandbox, client, clock):
    clock.now += 60
    edit = sandbox.catalogue.edit("tmdb", "episode-still-added", target=63056)
    pointer = items_of(await client.tmdb("/tv/1399/changes"), "season")[-1]
    assert pointer["time"] == "2025-06-10 12:01:00 UTC"
    assert pointer["value"] == {"season_id": 3624, "season_number": 1}
    pointer = items_of(await client.tmdb("/tv/season/3624/changes"), "episode")[-1]
    assert pointer["value"] == {"episode_id": 63056, "episode_number": 1}
    item = items_of(await client.tmdb("/tv/episode/63056/changes"), "images")[-1]
    (path,) = [value["file_path"] for value in item["value"].values()]
    assert item["action"] == "added"
    assert edit.subject == "tmdb:episode:63056"
    stills = await client.tmdb("/tv/1399/season/1/episode/1/images")
    assert stills.body["stills"][-1]["file_path"] == path


async def test_a_window_longer_than_14_days_is_refused_with_code_20(client):
    allowed = await client.tmdb("/movie/changes", start_date="2025-05-27", end_date="2025-06-10")
    assert allowed.status == 200
    refused = await client.tmdb("/movie/changes", start_date="2025-05-26", end_date="2025-06-10")
    assert (refused.status, refused.body["status_code"]) == (422, 20)
    backwards = await client.tmdb("/movie/changes", start_date="2025-06-10", end_date="2025-06-09")
    assert (backwards.status, backwards.body["status_code"]) == (422, 20)
    no_date = await client.tmdb("/movie/changes", start_date="soon")
    assert (no_date.status, no_date.body["status_code"]) == (422, 5)


async def test_pages_start_at_1_and_end_at_500(client):
    for page in ("0", "501", "x"):
        answer = await client.tmdb("/movie/changes", page=page)
        assert (answer.status, answer.body["status_code"]) == (400, 22)


async def test_an_empty_day_has_no_pages(client):
    answer = await client.tmdb("/person/changes", start_date="2025-06-01", end_date="2025-06-01")
    assert answer.body == {"results": [], "page": 1, "total_pages": 0, "total_results": 0}


async def test_a_list_comes_in_pages_of_100_that_edits_shift(sandbox: Sandbox, client, clock):
    for number in range(150):
        sandbox.catalogue.edit("tmdb", "movie-created", target=2_000_000 + number)
    first = await client.tmdb("/movie/changes", page="1")
    assert len(first.body["results"]) == 100
    assert (first.body["total_pages"], first.body["total_results"]) == (2, 151)
    listed_last = first.body["results"][-1]["id"]
    sandbox.catalogue.edit("tmdb", "movie-created", target=3_000_000, time=clock.now + 0.5)
    second = await client.tmdb("/movie/changes", page="2")
    assert second.body["results"][0]["id"] == listed_last
    assert (await client.tmdb("/movie/changes", page="3")).body["results"] == []


async def test_days_count_whole_and_both_ends_are_in(sandbox: Sandbox, client, clock):
    clock.now = clock.now + DAY
    sandbox.catalogue.edit("tmdb", "movie-poster-added", target=550)
    in_it = await client.tmdb("/movie/550/changes", start_date="2025-06-11", end_date="2025-06-11")
    assert in_it.body["changes"]
    before = await client.tmdb("/movie/550/changes", start_date="2025-06-09", end_date="2025-06-10")
    assert before.body == {"changes": []}


async def test_without_dates_the_last_24_hours_count(sandbox: Sandbox, client, clock):
    clock.now += DAY + 3600
    answer = await client.tmdb("/movie/changes")
    assert answer.body["results"] == []


async def test_what_is_not_there_answers_404_with_code_34(sandbox: Sandbox, client):
    for path in (
        "/movie/1",
        "/movie/1/changes",
        "/tv/1399/season/9",
        "/tv/1399/season/1/episode/99/images",
        "/nothing/like/it",
    ):
        answer = await client.tmdb(path)
        assert (answer.status, answer.body["status_code"]) == (404, 34), path
    sandbox.catalogue.edit("tmdb", "movie-removed", target=550)
    assert (await client.tmdb("/movie/550")).status == 404
    assert 550 in [entry["id"] for entry in (await client.tmdb("/movie/changes")).body["results"]]


async def test_details_carry_the_real_field_names_and_what_is_appended(client):
    movie = (await client.tmdb("/movie/558449", append_to_response="images,external_ids,videos")).body
    assert movie["title"] == "Gladiator II"
    assert movie["release_date"] == "2024-11-05"
    assert movie["imdb_id"] == movie["external_ids"]["imdb_id"] == "tt9218128"
    assert movie["poster_path"] == movie["images"]["posters"][0]["file_path"]
    assert movie["videos"]["results"][0]["name"] == "20 Years of Making a Sequel - Exclusive Behind the Scenes"
    series = (await client.tmdb("/tv/1399")).body
    assert (series["name"], series["number_of_seasons"], series["number_of_episodes"]) == ("Game of Thrones", 2, 13)
    assert series["seasons"][0]["id"] == 3624
    season = (await client.tmdb("/tv/1399/season/1")).body
    assert season["id"] == 3624
    assert [episode["id"] for episode in season["episodes"]][:2] == [63056, 63057]
    episode = (await client.tmdb("/tv/1399/season/1/episode/2", append_to_response="external_ids")).body
    assert (episode["id"], episode["name"], episode["season_number"], episode["episode_number"]) == (
        63057,
        "The Kingsroad",
        1,
        2,
    )
    assert "tvdb_id" in episode["external_ids"]
    person = (await client.tmdb("/person/578")).body
    assert person["name"] == "Ridley Scott"


async def test_an_image_language_filter_holds_unless_others_are_included(client):
    path = "/tv/1399/season/1/episode/2/images"
    only = await client.tmdb(path, language="en-US")
    assert {still["iso_639_1"] for still in only.body["stills"]} == {"en"}
    more = await client.tmdb(path, language="en-US", include_image_language="ne,null")
    assert {still["iso_639_1"] for still in more.body["stills"]} == {"en", "ne", None}


async def test_the_configuration_names_sizes_keys_and_an_address_that_shows_pictures(sandbox: Sandbox, client):
    answer = await client.tmdb("/configuration")
    images = answer.body["images"]
    assert images["still_sizes"] == ["w92", "w185", "w300", "original"]
    assert {"images", "season", "episode", "plot_keywords", "videos"} <= set(answer.body["change_keys"])
    assert images["secure_base_url"].startswith(sandbox.url)
    picture = await client.ask(images["secure_base_url"].removeprefix(sandbox.url) + "w300/a.jpg")
    assert (picture.status, picture.headers["Content-Type"]) == (200, "image/png")


async def test_the_41st_request_of_a_second_gets_429_with_or_without_retry_after(sandbox: Sandbox, client, clock):
    for _ in range(40):
        assert (await client.tmdb("/configuration")).status == 200
    refused = await client.tmdb("/configuration")
    assert (refused.status, refused.body["status_code"]) == (429, 25)
    assert "Retry-After" not in refused.headers
    sandbox.limits.tmdb_retry_after = 3
    assert (await client.tmdb("/configuration")).headers["Retry-After"] == "3"
    clock.now += 1
    assert (await client.tmdb("/configuration")).status == 200


async def test_quirks_of_the_lists_are_shown_when_asked_for(sandbox: Sandbox, client):
    sandbox.catalogue.edit("tmdb", "movie-poster-added", target=550)
    sandbox.quirks.tmdb_duplicate_ids = True
    sandbox.quirks.tmdb_null_ids = True
    sandbox.quirks.tmdb_null_adult = True
    results = (await client.tmdb("/movie/changes", page="1")).body["results"]
    assert [entry["id"] for entry in results] == [550, None, 558449, 550]
    assert results[0]["adult"] is None
    sandbox.quirks.tmdb_whole_list = True
    whole = (await client.tmdb("/movie/changes")).body
    assert (whole["total_pages"], whole["total_results"], len(whole["results"])) == (1, 1, 2)
