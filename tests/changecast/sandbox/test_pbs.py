from __future__ import annotations

from changecast.sandbox import Sandbox
from changecast.sandbox.pbs.samples import BURST, FORBIDDEN_ASSET, FORBIDDEN_EPISODE, FORBIDDEN_SHOW

EPISODE = "cced1427-4095-453a-ac1e-fc04df10ab4a"
ASSET = "157a4172-4bd6-4cd0-98ea-148a2bc840e4"
SHOW = "b09c09b2-4f3e-4eb4-8f90-04c946286b9f"


async def test_a_request_without_key_and_secret_is_refused(client):
    answer = await client.ask("/pbs/api/v1/changelog/")
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert answer.body == {"detail": "Authentication credentials were not provided."}


async def test_the_burst_of_the_reference_page_has_its_ids_order_and_distances(client):
    answer = await client.pbs("/changelog/", [("sort", "timestamp"), ("page-size", "50")])
    entries = [e for e in answer.body["data"] if e["id"] not in (FORBIDDEN_ASSET, FORBIDDEN_EPISODE)]
    assert [(e["type"], e["id"]) for e in entries] == [(kind, number) for kind, number, _ in BURST]
    assert entries[0]["attributes"] == {"action": "update", "timestamp": "2025-06-10T11:18:43.098681Z"}
    assert entries[-1]["attributes"]["timestamp"] == "2025-06-10T11:20:00.664330Z"


async def test_the_newest_comes_first_unless_sorted_otherwise(client):
    newest_first = (await client.pbs("/changelog/")).body["data"]
    times = [entry["attributes"]["timestamp"] for entry in newest_first]
    assert len(times) == 25
    assert times == sorted(times, reverse=True)
    oldest_first = (await client.pbs("/changelog/", [("sort", "timestamp")])).body["data"]
    assert oldest_first[0]["attributes"]["timestamp"] < times[-1]


async def test_pages_are_followed_by_absolute_links_that_keep_the_query(sandbox: Sandbox, client):
    query = [("since", "2025-06-10T11:00:00"), ("sort", "timestamp"), ("page-size", "10")]
    page = (await client.pbs("/changelog/", query)).body
    assert page["meta"]["pagination"] == {"count": 27, "per_page": 10}
    assert page["links"]["prev"] is None
    assert page["links"]["first"].startswith(f"{sandbox.url}/pbs/api/v1/changelog/?")
    assert "page=3" in page["links"]["last"]
    seen = [entry["attributes"]["timestamp"] for entry in page["data"]]
    while page["links"]["next"]:
        page = (await client.pbs(page["links"]["next"].removeprefix(f"{sandbox.url}/pbs/api/v1"))).body
        seen += [entry["attributes"]["timestamp"] for entry in page["data"]]
    assert len(seen) == 27
    assert seen == sorted(seen)
    assert "page=2" in page["links"]["prev"]


async def test_a_page_holds_at_most_50(sandbox: Sandbox, client):
    for _ in range(12):
        sandbox.catalogue.edit("pbs", "asset-saved", target=ASSET)
    answer = await client.pbs("/changelog/", [("page-size", "1000")])
    assert len(answer.body["data"]) == 50
    assert answer.body["meta"]["pagination"]["per_page"] == 50


async def test_filters_take_several_types_actions_and_ids(client):
    answer = await client.pbs("/changelog/", [("type", "show"), ("type", "season"), ("action", "update")])
    assert {entry["type"] for entry in answer.body["data"]} == {"show", "season"}
    answer = await client.pbs("/changelog/", [("id", SHOW), ("id", ASSET)])
    assert {entry["id"] for entry in answer.body["data"]} == {SHOW, ASSET}
    assert (await client.pbs("/changelog/", [("action", "delete")])).body["data"] == []


async def test_since_reaches_to_the_microsecond_and_may_be_given_once(sandbox: Sandbox, client):
    last = "2025-06-10T11:20:00.664330Z"
    assert len((await client.pbs("/changelog/", [("since", last)])).body["data"]) == 1
    sandbox.quirks.pbs_since_inclusive = False
    assert (await client.pbs("/changelog/", [("since", last)])).body["data"] == []
    assert (await client.pbs("/changelog/", [("since", last), ("since", last)])).status == 400
    assert (await client.pbs("/changelog/", [("since", "yesterday")])).status == 400


async def test_an_empty_changelog_has_no_links(client):
    answer = await client.pbs("/changelog/", [("since", "2025-06-10T11:59:00Z")])
    assert answer.body["data"] == []
    assert (answer.body["links"]["first"], answer.body["links"]["next"]) == (None, None)


async def test_a_page_behind_the_last_is_not_found(client):
    assert (await client.pbs("/changelog/", [("page", "99")])).status == 404


async def test_a_show_without_access_answers_403_and_so_does_all_below_it(client):
    for path in (f"/shows/{FORBIDDEN_SHOW}/", f"/episodes/{FORBIDDEN_EPISODE}/", f"/assets/{FORBIDDEN_ASSET}/"):
        assert (await client.pbs(path)).status == 403
    answer = await client.pbs("/changelog/", [("id", FORBIDDEN_ASSET)])
    assert len(answer.body["data"]) == 1


async def test_what_is_not_there_is_not_found_and_a_path_without_its_slash_is_redirected(client):
    answer = await client.pbs("/assets/00000000-0000-0000-0000-000000000000/")
    assert (answer.status, answer.body) == (404, {"detail": "Not found."})
    assert (await client.pbs(f"/shows/{ASSET}/")).status == 404
    answer = await client.pbs(f"/assets/{ASSET}")
    assert (answer.status, answer.headers["Location"]) == (301, f"/pbs/api/v1/assets/{ASSET}/")


async def test_an_asset_shows_its_parents_up_to_the_franchise(sandbox: Sandbox, client):
    asset = (await client.pbs(f"/assets/{ASSET}/")).body["data"]
    tree = asset["attributes"]["parent_tree"]
    assert (tree["type"], tree["id"]) == ("episode", EPISODE)
    season = tree["attributes"]["season"]
    show = season["attributes"]["show"]
    assert (season["attributes"]["ordinal"], show["id"]) == (36, SHOW)
    assert show["attributes"]["franchise"]["attributes"]["title"] == "Nature"
    assert asset["attributes"]["episode"]["id"] == EPISODE
    (image,) = asset["attributes"]["images"]
    assert image["profile"] == "asset-mezzanine-16x9"
    picture = await client.ask(image["image"].removeprefix(sandbox.url))
    assert picture.status == 200


async def test_episode_season_and_show_name_what_stands_above_them(client):
    episode = (await client.pbs(f"/episodes/{EPISODE}/")).body["data"]["attributes"]
    assert (episode["show"]["id"], episode["season"]["attributes"]["ordinal"]) == (SHOW, 36)
    assert episode["full_length_asset"]["id"] == ASSET
    season = (await client.pbs(f"/seasons/{episode['season']['id']}/")).body["data"]["attributes"]
    assert season["show"]["attributes"]["title"] == "Nature"
    show = (await client.pbs(f"/shows/{SHOW}/")).body["data"]["attributes"]
    franchise = (await client.pbs(f"/franchises/{show['franchise']['id']}/")).body["data"]
    assert franchise["attributes"]["title"] == "Nature"


async def test_a_save_is_a_burst_up_the_branch_and_changes_the_entity(sandbox: Sandbox, client, clock):
    before = (await client.pbs(f"/assets/{ASSET}/")).body["data"]["attributes"]
    clock.now += 600
    sandbox.catalogue.edit("pbs", "asset-saved", target=ASSET)
    answer = await client.pbs("/changelog/", [("since", "2025-06-10T12:09:00Z")])
    assert {entry["type"] for entry in answer.body["data"]} == {"asset", "episode", "season", "show"}
    after = (await client.pbs(f"/assets/{ASSET}/")).body["data"]["attributes"]
    assert {key for key in after if after[key] != before[key]} - {"updated_at"}
    assert after["updated_at"] > before["updated_at"]


async def test_availabilities_images_and_links_have_no_address_and_maybe_no_id(sandbox: Sandbox, client, clock):
    clock.now += 600
    for kind in ("availability", "image", "link-deleted"):
        sandbox.catalogue.edit("pbs", kind)
    asked = [("type", kind) for kind in ("availability", "image", "link")]
    entries = (await client.pbs("/changelog/", asked)).body["data"]
    assert [entry["links"]["self"] for entry in entries] == [None] * 5
    assert all(entry["id"] for entry in entries)
    sandbox.quirks.pbs_null_ids = True
    entries = (await client.pbs("/changelog/", asked)).body["data"]
    assert {entry["type"] for entry in entries if entry["id"] is None} == {"image", "link"}


async def test_a_created_asset_is_there_and_a_deleted_one_is_gone(sandbox: Sandbox, client):
    edit = sandbox.catalogue.edit("pbs", "asset-created", target=EPISODE)
    number = edit.subject.rpartition(":")[2]
    (entry,) = (await client.pbs("/changelog/", [("id", number)])).body["data"]
    assert entry["attributes"]["action"] == "create"
    assert (await client.pbs(f"/assets/{number}/")).body["data"]["attributes"]["episode"]["id"] == EPISODE
    sandbox.catalogue.edit("pbs", "asset-deleted", target=number)
    assert (await client.pbs(f"/assets/{number}/")).status == 404
    assert len((await client.pbs("/changelog/", [("id", number)])).body["data"]) == 2


async def test_an_entry_may_arrive_late(sandbox: Sandbox, client, clock):
    clock.now += 600
    sandbox.catalogue.edit("pbs", "episode-described", target=EPISODE)
    sandbox.catalogue.edit("pbs", "late", target=ASSET)
    times = [e["attributes"]["timestamp"] for e in (await client.pbs("/changelog/")).body["data"][:2]]
    assert times == ["2025-06-10T12:10:00.000000Z", "2025-06-10T12:08:00.000000Z"]
