"""The sandbox: three providers, a Slack and a webhook receiver behind one loopback port."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path
from types import TracebackType

from aiohttp import web

from changecast.sandbox.activity import Activity
from changecast.sandbox.api import ApiContext
from changecast.sandbox.catalogue import Catalogue
from changecast.sandbox.control import Control
from changecast.sandbox.credentials import (
    SANDBOX_CREDENTIALS,
    Credentials,
    environment,
    load_webhook_secret,
    new_webhook_secret,
)
from changecast.sandbox.edit import Edit
from changecast.sandbox.faults import Faults, suffer
from changecast.sandbox.journal import Journal
from changecast.sandbox.page import render
from changecast.sandbox.pictures import picture
from changecast.sandbox.provider import ProviderApi
from changecast.sandbox.registry import PROVIDERS
from changecast.sandbox.settings import Limits, Quirks
from changecast.sandbox.slack import SlackWorkspace
from changecast.sandbox.stream import EditStream
from changecast.sandbox.traffic import Asked, Traffic
from changecast.sandbox.tvdb.api import TvdbApi
from changecast.sandbox.webhooks import WebhookReceiver
from runtime.rebinding import loopback_only

JOURNAL_FILE = "journal.jsonl"

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a request: more than any webhook or Slack message has."""


class Sandbox:
    """One sandbox. Use it as an async context, or call `start` and `close`.

    `data_dir`: where its history and its webhook secret are kept; None keeps them in memory only.
    `port`: 0 takes a free one. `edits_per_minute`: 0 leaves the catalogue as it is, but for `catalogue.edit`.
    `clock` gives Unix seconds, by which answers are dated too; `monotonic` is for rates. `on_activity` is told of every edit and receipt.

        async with Sandbox() as sandbox:
            sandbox.catalogue.edit("tmdb", "episode-still-added", target=63057)
            sandbox.faults.add(Fault("GET /pbs/*", status=503, retry_after="2"))
            ...
            assert sandbox.requests.count("tmdb", "/movie/changes", 200) == 1
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        edits_per_minute: float = 0.0,
        seed: int = 0,
        credentials: Credentials = SANDBOX_CREDENTIALS,
        webhook_secret: str | None = None,
        limits: Limits | None = None,
        quirks: Quirks | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        on_activity: Callable[[Activity], None] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._clock = clock
        self._on_activity = on_activity or (lambda _activity: None)
        self.credentials = credentials
        self.limits = limits or Limits()
        self.quirks = quirks or Quirks()
        if webhook_secret is None:
            webhook_secret = load_webhook_secret(data_dir) if data_dir else new_webhook_secret()
        self._journal = Journal(data_dir / JOURNAL_FILE) if data_dir else None
        self.catalogue = Catalogue(clock=clock, seed=seed, journal=self._journal)
        self.catalogue.on_edit = self._edited
        self.faults = Faults()
        self.requests = Traffic(monotonic)
        context = ApiContext(credentials, self.limits, self.quirks, clock, monotonic)
        self.slack = SlackWorkspace(context, self._on_activity)
        self.webhooks = WebhookReceiver(webhook_secret, clock=clock, on_activity=self._on_activity)
        self._apis: dict[str, ProviderApi] = {
            provider.name: provider.api(context, self.catalogue.of(provider.name)) for provider in PROVIDERS
        }
        self._stream = EditStream(self.catalogue, per_minute=edits_per_minute, seed=seed, report=self._note)
        self._runner: web.AppRunner | None = None
        self._editing: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end. Only known once it has started when the port was 0."""
        host = "127.0.0.1" if self._host in ("", "0.0.0.0") else self._host  # noqa: S104
        return f"http://{host}:{self._port}"

    @property
    def edits_per_minute(self) -> float:
        return self._stream.per_minute

    @edits_per_minute.setter
    def edits_per_minute(self, rate: float) -> None:
        self._stream.per_minute = rate

    @property
    def webhook_secret(self) -> str:
        return self.webhooks.secrets[0]

    def environment(self) -> dict[str, str]:
        """SANDBOX_URL, SANDBOX_WEBHOOK_URL, SANDBOX_WEBHOOK_SECRET, SANDBOX_SLACK_URL: for a config's `${…}`."""
        return environment(self.url, self.webhook_secret)

    def revoke_tvdb_tokens(self) -> None:
        """Every session of TheTVDB ends now: the next request gets 401."""
        api = self._apis["tvdb"]
        assert isinstance(api, TvdbApi)
        api.tokens.revoke()

    async def start(self) -> None:
        """Listen, and begin to edit. Raises OSError when the port is taken."""
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            await self.close()
            raise
        self._runner = runner
        self._port = int(runner.addresses[0][1])
        self._editing = asyncio.create_task(self._stream.run(), name="sandbox edits")

    async def wait(self) -> None:
        """Until it is closed. Raises what ended the stream of edits, such as an OSError of a full disk."""
        assert self._editing is not None, "start() comes first"
        await asyncio.shield(self._editing)

    async def close(self) -> None:
        """Stop listening and editing. Connections are given a second to end. Raises what had ended the stream of edits
        before."""
        editing, self._editing = self._editing, None
        if editing is not None:
            editing.cancel()
            await asyncio.wait([editing])
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._journal is not None:
            self._journal.close()
        if editing is not None and not editing.cancelled():
            editing.result()

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[*loopback_only(self._host), self._watch], client_max_size=MAX_BODY)
        app.on_response_prepare.append(self._date)
        app.add_routes([web.get("/", self._page), web.get("/images/{path:.*}", self._image)])
        app.add_routes(self.webhooks.routes())
        app.add_routes(self.slack.routes())
        app.add_subapp("/control", Control(self).application())
        for provider in PROVIDERS:
            app.add_subapp(provider.prefix, self._apis[provider.name].application())
        return app

    @web.middleware
    async def _watch(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Counts every request, and lets the faults that wait for it have it first."""
        provider = request.path.split("/")[1] or "page"
        self.requests.came(provider)
        fault = None if provider == "control" else self.faults.take(request.method, request.path)
        response = await suffer(fault, request) if fault is not None else None
        try:
            if response is None:
                response = await handler(request)
                response.headers["Date"] = formatdate(self._clock(), usegmt=True)
        except web.HTTPException as error:
            self._answered(request, provider, error.status)
            raise
        self._answered(request, provider, response.status)
        return response

    def _answered(self, request: web.Request, provider: str, status: int) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else request.path
        self.requests.answered(Asked(self._clock(), provider, request.method, route, request.path_qs, status))

    async def _date(self, _request: web.Request, response: web.StreamResponse) -> None:
        """The providers' clock is the sandbox's, also in what they say of it: clients go by it."""
        response.headers["Date"] = formatdate(self._clock(), usegmt=True)

    async def _page(self, _request: web.Request) -> web.Response:
        html = render(self.catalogue.size(), self.catalogue.recent, self.webhooks.received, self.slack.received)
        policy = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"
        return web.Response(text=html, content_type="text/html", headers={"Content-Security-Policy": policy})

    async def _image(self, request: web.Request) -> web.Response:
        return web.Response(body=picture(request.path), content_type="image/png")

    def _edited(self, edit: Edit) -> None:
        self._on_activity(Activity("edit", edit.time, edit.provider, f"{edit.name}: {edit.summary}"))

    def _note(self, text: str) -> None:
        self._on_activity(Activity("note", self._clock(), "sandbox", text))
