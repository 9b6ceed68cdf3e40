"""The whole program as a newcomer starts it: `changecast up` watching the sandbox, read from outside with stock clients."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import aiohttp
import jsonschema
import orjson
import psutil
import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer
from standardwebhooks import Webhook

from schemas.export import change_schema
from tests.eventually import until
from tests.evidence import shown_on_failure
from tests.scraping import free_port, scrape

SECRET = "whsec_" + "Y2hhbmdlY2FzdC1lbmQtdG8tZW5kLXRlc3Qta2V5"
PROVIDERS = ("tmdb", "pbs", "tvdb")
STOPS_WITHIN_S = 25

ROUTES = frozenset(
    {
        "GET /tmdb/3/movie/changes",
        "GET /tmdb/3/movie/{id}/changes",
        "GET /tmdb/3/tv/changes",
        "GET /tmdb/3/tv/{id}/changes",
        "GET /tmdb/3/tv/season/{id}/changes",
        "GET /tmdb/3/tv/episode/{id}/changes",
        "GET /tmdb/3/tv/{id}/season/{season}/episode/{episode}/images",
        "GET /pbs/api/v1/changelog/",
        "POST /tvdb/login",
        "GET /tvdb/updated/query",
        "GET /tvdb/series/{id}",
        "GET /tvdb/series/{id}/images/query",
        "GET /tvdb/series/{id}/episodes",
    }
)
"""What must have been asked and answered, in the sandbox's words."""


class Receiver:
    """A webhook receiver that is not ours in anything but its twenty lines: it verifies with the stock library."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.rejected: list[str] = []
        self._verifier = Webhook(SECRET)

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            self._verifier.verify(body, dict(request.headers))
        except Exception as error:  # noqa: BLE001 - whatever the library objects to is a finding
            self.rejected.append(repr(error))
            return web.Response(status=400)
        self.bodies[request.headers["webhook-id"]] = body
        return web.Response(status=204)

    async def start(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_post("/hook", self.receive)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/hook"


class Up:
    """`changecast up` as a process, and what it prints."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self.lines: list[str] = []

    async def __aenter__(self) -> Up:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "changecast", "up", "-c", str(self._config),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
            env={**{k: v for k, v in os.environ.items() if not k.startswith(("TMDB", "PBS", "TVDB"))}, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        shown_on_failure("changecast up", lambda: self.lines)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        async for line in self.process.stdout:
            self.lines.append(line.decode().rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    async def found(self, pattern: str, within: float) -> re.Match[str]:
        def is_shown() -> bool:
            assert self.process.returncode is None, self.output
            return re.search(pattern, self.output) is not None

        await until(is_shown, within, f"{pattern!r} in the output")
        match = re.search(pattern, self.output)
        assert match is not None
        return match


@pytest.mark.timeout(200)
async def test_up_turns_the_sandboxs_changes_into_events_and_notifications(bootstrap_servers, topic_prefix, tmp_path):
    receiver = Receiver()
    runner, url = await receiver.start()
    config, port = tmp_path / "changecast.yaml", free_port(in_a_row=3)
    config.write_text(f"""
data_dir: data
kafka: {{bootstrap_servers: "{bootstrap_servers}", topic_prefix: {topic_prefix}}}
network: {{allow: [127.0.0.0/8]}}
metrics: {{port: {port}}}
subscriptions:
  - name: everything
    match: {{unchanged: true}}
    webhook: {{url: "{url}", secret: {SECRET}}}
  - name: newsroom
    match: {{provider: [pbs, tvdb]}}
    slack: {{webhook_url: "${{SANDBOX_SLACK_URL}}"}}
""")
    try:
        async with Up(config) as up:
            sandbox = (await up.found(r"Sandbox +(http://127\.0\.0\.1:\d+)", within=60))[1]
            assert sorted(ROUTES - await answered(sandbox, up, within=90)) == []
            # on a cluster that may hold real events, the sandbox's have topics of their own
            events = await published(bootstrap_servers, f"{topic_prefix}.sandbox", complete, within=60)
            await delivered(receiver, events, within=60)
            slack = await json(f"{sandbox}/slack/received")
            assert f"http://127.0.0.1:{port}/metrics (producers), :{port + 1} (streams), :{port + 2} (sinks)" in up.output
            parts = [await scrape(f"http://127.0.0.1:{port + offset}") for offset in range(3)]
            children = psutil.Process(up.process.pid).children(recursive=True)
            up.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(up.process.wait(), STOPS_WITHIN_S) == 0, up.output
            assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    finally:
        await runner.cleanup()
    assert receiver.rejected == []
    assert parts[0].total("changecast_feed_events_total") >= parts[1].total("changecast_streams_published_total") > 0
    assert parts[2].total("changecast_deliveries_total", subscription="everything", outcome="delivered") >= len(events)
    assert slack, "the Slack channel has got a message"
    assert "\x1b[" not in up.output, "piped output is plain"
    assert SECRET not in up.output


def complete(seen: dict[str, dict]) -> bool:
    """Whether the four kinds of outcome that the sandbox offers have all been published."""
    data = [event["data"] for event in seen.values()]
    return (
        {event["provider"] for event in data} == set(PROVIDERS)
        and any(event["enrichment"]["status"] == "forbidden" for event in data)
        and any(image["kind"] == "still" for event in data for image in event["images"])
        and any(event["entity"]["type"] == "episode" and event["entity"]["parents"] for event in data)
    )


async def published(servers: str, prefix: str, enough, within: float) -> dict[str, dict]:
    """The events in `changecast.changes.*` by id, read by a consumer that knows nothing of changecast."""
    validator = jsonschema.Draft202012Validator(change_schema())
    seen: dict[str, dict] = {}
    times: Counter[str] = Counter()
    topics = [f"{prefix}.changes.{provider}" for provider in PROVIDERS]
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=servers, isolation_level="read_committed", auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        deadline = time.monotonic() + within
        while not enough(seen):
            assert time.monotonic() < deadline, Counter(event["type"] for event in seen.values())
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    event = orjson.loads(record.value)
                    validator.validate(event)
                    assert event["subject"].encode() == record.key
                    assert dict(record.headers)["ce_id"].decode() == event["id"]
                    times[event["id"]] += 1
                    seen[event["id"]] = event | {"bytes": record.value}
    finally:
        await consumer.stop()
    assert [identity for identity, count in times.items() if count > 1] == []
    return seen


async def delivered(receiver: Receiver, events: dict[str, dict], within: float) -> None:
    """Every published event has reached the webhook, byte for byte."""
    wanted = {event["bytes"] for event in events.values()}
    await until(lambda: len(wanted - set(receiver.bodies.values())) == 0, within, f"all {len(wanted)} events delivered")


async def answered(sandbox: str, up: Up, within: float) -> set[str]:
    """The routes that the sandbox has answered with 200, as soon as all have been, or after the deadline."""
    deadline = time.monotonic() + within
    while True:
        assert up.process.returncode is None, up.output
        traffic = await json(f"{sandbox}/control/requests")
        routes = {route["route"] for provider in traffic.values() for route in provider["routes"] if route["status"] == 200}
        if routes >= ROUTES or time.monotonic() > deadline:
            return routes
        await asyncio.sleep(0.5)


async def json(url: str):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 200, await response.text()
        return orjson.loads(await response.read())
