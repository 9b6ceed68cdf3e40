from __future__ import annotations

import asyncio
import stat
import time
from pathlib import Path

import aiohttp
import pytest

from changecast.sandbox import Fault, Sandbox, load_environment, sandbox_providers
from schemas.config.models import Providers


async def until(condition, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "not within the deadline"
        await asyncio.sleep(0.01)


async def test_the_environment_is_known_before_the_sandbox_runs(tmp_path: Path):
    async with Sandbox(data_dir=tmp_path) as sandbox:
        assert load_environment(tmp_path, sandbox.port) == sandbox.environment()
        assert sandbox.environment()["SANDBOX_WEBHOOK_SECRET"].startswith("whsec_")
    assert stat.S_IMODE((tmp_path / "sandbox.json").stat().st_mode) == 0o600


async def test_the_date_of_an_answer_is_the_sandboxes_own():
    async with Sandbox(clock=lambda: 1_750_000_000.0) as sandbox, aiohttp.ClientSession() as session:
        for path in ("/pbs/api/v1/changelog/", "/tvdb/languages", "/3/configuration", "/"):
            async with session.get(f"{sandbox.url}{path}") as answer:
                assert answer.headers["Date"] == "Sun, 15 Jun 2025 15:06:40 GMT"


async def test_the_providers_section_is_a_config_that_counts_as_configured():
    providers = Providers.model_validate(sandbox_providers("http://127.0.0.1:1"))
    assert set(providers.configured()) == {"tmdb", "pbs", "tvdb"}


async def test_edits_come_by_themselves_at_the_rate_that_is_set():
    async with Sandbox(edits_per_minute=6000) as sandbox:
        await until(lambda: sandbox.catalogue.edits >= 10)
        sandbox.edits_per_minute = 0
        await asyncio.sleep(0)
        made = sandbox.catalogue.edits
        sandbox.edits_per_minute = 6000
        await until(lambda: sandbox.catalogue.edits > made)


async def test_a_port_that_is_taken_is_an_error_and_frees_the_data_directory(tmp_path: Path):
    async with Sandbox() as first:
        with pytest.raises(OSError):
            await Sandbox(port=first.port, data_dir=tmp_path).start()
    async with Sandbox(data_dir=tmp_path):
        pass


async def test_requests_are_counted_by_provider_route_status_and_second(sandbox: Sandbox, client, clock):
    for _ in range(3):
        await client.tmdb("/movie/550")
    clock.now += 1
    await client.tmdb("/movie/1")
    await client.pbs("/changelog/")
    assert sandbox.requests.count("tmdb") == 4
    assert sandbox.requests.count("tmdb", "/movie/{id}", 200) == 3
    assert sandbox.requests.count("tmdb", status=404) == 1
    assert sandbox.requests.peak("tmdb") == 3
    shown = (await client.ask("/control/requests")).body
    assert shown["pbs"]["routes"] == [{"route": "GET /pbs/api/v1/changelog/", "status": 200, "requests": 1}]
    assert sandbox.requests.recent[0].path == "/tmdb/3/movie/550"


async def test_a_fault_takes_the_next_request_that_matches_and_no_other(sandbox: Sandbox, client):
    sandbox.faults.add(Fault("GET /pbs/*", status=503, body="{}", retry_after="7"))
    assert (await client.tmdb("/movie/550")).status == 200
    answer = await client.pbs("/changelog/")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
    assert (await client.pbs("/changelog/")).status == 200
    assert sandbox.requests.count("pbs", status=503) == 1


async def test_faults_queue_up_and_one_without_a_number_of_times_stays(sandbox: Sandbox, client):
    sandbox.faults.add(Fault("* /tmdb/*", times=2, status=500))
    sandbox.faults.add(Fault.html("* /tmdb/*", times=None))
    answers = [await client.tmdb("/configuration") for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 500, 502, 502]
    assert answers[3].headers["Content-Type"].startswith("text/html")
    sandbox.faults.clear()
    assert (await client.tmdb("/configuration")).status == 200


async def test_a_fault_can_cut_the_connection_or_answer_late_or_slowly(sandbox: Sandbox, client):
    sandbox.faults.add(Fault("GET /tmdb/*", times=None, reset=True))  # aiohttp's client asks a second time by itself
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.tmdb("/configuration")
    sandbox.faults.clear()
    sandbox.faults.add(Fault("GET /tmdb/*", delay=0.05))
    began = time.monotonic()
    assert (await client.tmdb("/configuration")).status == 200
    assert time.monotonic() - began >= 0.05
    sandbox.faults.add(Fault("GET /tmdb/*", status=200, body="[1,2]", drip=0.01))
    began = time.monotonic()
    assert (await client.tmdb("/configuration")).body == [1, 2]
    assert time.monotonic() - began >= 0.05


async def test_a_redirect_is_a_fault_too(sandbox: Sandbox, client):
    sandbox.faults.add(Fault("GET /tvdb/*", status=302, headers={"Location": "/elsewhere"}))
    answer = await client.ask("/tvdb/languages")
    assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere")


async def test_the_controls_do_over_http_what_the_object_does(sandbox: Sandbox, client):
    async def control(path: str, body: object = None, method: str = "POST"):
        return await client.ask(f"/control/{path}", method, json=body)

    made = await control("edit", {"provider": "tmdb", "kind": "movie-overview", "target": 550, "count": 2})
    assert [edit["subject"] for edit in made.body["edits"]] == ["tmdb:movie:550"] * 2
    refused = await control("edit", {"provider": "tmdb", "kind": "nope"})
    assert refused.status == 400
    assert "movie-overview" in refused.body["error"]
    assert (await control("edit", {"kin": "x"})).status == 400

    await control("faults", [{"match": "GET /tmdb/*", "status": 500}, {"match": "GET /pbs/*", "reset": True}])
    assert len(sandbox.faults.pending) == 2
    assert len((await control("faults", method="GET")).body["faults"]) == 2
    await control("faults", method="DELETE")
    assert sandbox.faults.pending == ()
    assert (await control("faults", {"status": 500})).status == 400

    await control("rate", {"edits_per_minute": 12})
    await control("pause")
    assert sandbox.edits_per_minute == 0
    await control("resume")
    assert sandbox.edits_per_minute == 12
    await control("settings", {"tmdb_null_ids": True, "slack_burst": 9})
    assert (sandbox.quirks.tmdb_null_ids, sandbox.limits.slack_burst) == (True, 9)
    await control("slack", {"archived": ["B0"]})
    assert sandbox.slack.archived == {"B0"}
    state = (await control("state", method="GET")).body
    assert state["catalogue"]["tmdb"]["movie"] == 12
    await control("requests", method="DELETE")
    assert sandbox.requests.count("control") <= 1
    await client.login()
    await control("tvdb/revoke")
    assert (await client.tvdb("/languages")).status == 401


async def test_a_page_in_a_browser_may_not_use_the_controls(client):
    answer = await client.ask("/control/pause", "POST", headers={"Origin": "http://evil.example"})
    assert answer.status == 403


async def test_a_page_of_the_web_cannot_reach_the_sandbox_by_a_browser(tmp_path: Path):
    async with Sandbox() as sandbox, aiohttp.ClientSession() as session:
        for headers in ({"Host": f"evil.example:{sandbox.port}"}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
            for method, path in (("GET", "/"), ("POST", "/control/edits"), ("GET", "/3/configuration"), ("POST", "/webhook")):
                async with session.request(method, f"{sandbox.url}{path}", headers=headers) as answer:
                    assert answer.status == 403
                    assert "this server answers" in await answer.text()
        assert not sandbox.webhooks.received
        for headers in ({}, {"Host": f"localhost:{sandbox.port}"}, {"Origin": sandbox.url}):
            async with session.get(f"{sandbox.url}/", headers=headers) as answer:
                assert answer.status == 200


async def test_a_sandbox_that_others_may_use_answers_by_any_name():
    headers = {"Host": "sandbox:8787", "Origin": "http://sandbox:8787"}
    async with (
        Sandbox(host="0.0.0.0") as sandbox,
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.url}/", headers=headers) as answer,
    ):
        assert answer.status == 200
