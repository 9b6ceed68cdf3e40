"""The sandbox's controls over HTTP, under /control: what tests in other processes use. From the same machine only."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from changecast.sandbox.api import json_response
from changecast.sandbox.edit import Edit, EditError
from changecast.sandbox.faults import Fault

if TYPE_CHECKING:
    from changecast.sandbox.server import Sandbox

MOST_EDITS = 10_000
"""Edits that one request may ask for."""


class ControlError(Exception):
    """A control that was asked for wrongly; answered with status 400."""


class Control:
    """`POST faults`, `GET faults`, `DELETE faults`; `POST edit`; `GET requests`, `DELETE requests`; `POST rate`,
    `POST pause`, `POST resume`; `POST settings`; `POST slack`; `POST tvdb/revoke`; `GET state`."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._paused_rate: float | None = None

    def application(self) -> web.Application:
        app = web.Application(middlewares=[_guard])
        app.add_routes(
            [
                web.get("/state", self._state),
                web.get("/faults", self._faults),
                web.post("/faults", self._add_fault),
                web.delete("/faults", self._clear_faults),
                web.post("/edit", self._edit),
                web.get("/requests", self._requests),
                web.delete("/requests", self._reset_requests),
                web.post("/rate", self._rate),
                web.post("/pause", self._pause),
                web.post("/resume", self._resume),
                web.post("/settings", self._settings),
                web.post("/slack", self._slack),
                web.post("/tvdb/revoke", self._revoke),
            ]
        )
        return app

    async def _state(self, _request: web.Request) -> web.Response:
        sandbox = self._sandbox
        return json_response(
            {
                "edits": sandbox.catalogue.edits,
                "edits_per_minute": sandbox.edits_per_minute,
                "catalogue": sandbox.catalogue.size(),
                "recent": [edit.as_json() for edit in sandbox.catalogue.recent],
                "limits": asdict(sandbox.limits),
                "quirks": asdict(sandbox.quirks),
            }
        )

    async def _faults(self, _request: web.Request) -> web.Response:
        return json_response({"faults": [asdict(fault) for fault in self._sandbox.faults.pending]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        """The body: one fault's fields, or a list of them."""
        document = await _body(request)
        for one in document if isinstance(document, list) else [document]:
            self._sandbox.faults.add(_fault(one))
        return await self._faults(request)

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self._sandbox.faults.clear()
        return await self._faults(request)

    async def _edit(self, request: web.Request) -> web.Response:
        """The body: `{"provider"?, "kind"?, "target"?, "time"?, "count"?}`."""
        asked = _object(await _body(request), ("provider", "kind", "target", "time", "count"))
        count = int(asked.get("count", 1))
        if not 1 <= count <= MOST_EDITS:
            raise ControlError(f"count must be 1 to {MOST_EDITS}")
        made: list[Edit] = []
        try:
            for _ in range(count):
                made.append(
                    self._sandbox.catalogue.edit(
                        asked.get("provider"),
                        asked.get("kind"),
                        target=asked.get("target"),
                        time=asked.get("time"),
                    )
                )
        except EditError as error:
            raise ControlError(str(error)) from error
        return json_response({"edits": [edit.as_json() for edit in made]})

    async def _requests(self, _request: web.Request) -> web.Response:
        return json_response(self._sandbox.requests.as_json())

    async def _reset_requests(self, _request: web.Request) -> web.Response:
        self._sandbox.requests.reset()
        return json_response({})

    async def _rate(self, request: web.Request) -> web.Response:
        """The body: `{"edits_per_minute"}`."""
        asked = _object(await _body(request), ("edits_per_minute",))
        self._sandbox.edits_per_minute = float(asked.get("edits_per_minute", 0))
        self._paused_rate = None
        return json_response({"edits_per_minute": self._sandbox.edits_per_minute})

    async def _pause(self, _request: web.Request) -> web.Response:
        if self._paused_rate is None:
            self._paused_rate = self._sandbox.edits_per_minute
        self._sandbox.edits_per_minute = 0
        return json_response({"edits_per_minute": 0})

    async def _resume(self, _request: web.Request) -> web.Response:
        if self._paused_rate is not None:
            self._sandbox.edits_per_minute = self._paused_rate
            self._paused_rate = None
        return json_response({"edits_per_minute": self._sandbox.edits_per_minute})

    async def _settings(self, request: web.Request) -> web.Response:
        """The body: fields of Limits and Quirks, with their new values."""
        sandbox = self._sandbox
        names = {field.name: part for part in (sandbox.limits, sandbox.quirks) for field in fields(part)}
        for name, value in _object(await _body(request), tuple(names)).items():
            setattr(names[name], name, value)
        return json_response({"limits": asdict(sandbox.limits), "quirks": asdict(sandbox.quirks)})

    async def _slack(self, request: web.Request) -> web.Response:
        """The body: `{"archived": [...], "removed": [...]}`, the channels that are so from now on."""
        asked = _object(await _body(request), ("archived", "removed"))
        slack = self._sandbox.slack
        slack.archived = set(asked.get("archived", slack.archived))
        slack.removed = set(asked.get("removed", slack.removed))
        return json_response({"archived": sorted(slack.archived), "removed": sorted(slack.removed)})

    async def _revoke(self, _request: web.Request) -> web.Response:
        self._sandbox.revoke_tvdb_tokens()
        return json_response({})


@web.middleware
async def _guard(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """Only from this machine, and not from a page in a browser, which says where it is from."""
    if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback or "Origin" in request.headers:  # noqa: S104
        return json_response({"error": "the controls answer to programs on the same machine only"}, 403)
    try:
        return await handler(request)
    except ControlError as error:
        return json_response({"error": str(error)}, 400)


async def _body(request: web.Request) -> Any:
    content = await request.read()
    try:
        return orjson.loads(content or b"{}")
    except orjson.JSONDecodeError as error:
        raise ControlError(f"the body is no JSON: {error}") from error


def _object(document: Any, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ControlError("the body must be an object")
    unknown = sorted(set(document) - set(names))
    if unknown:
        raise ControlError(f"unknown {', '.join(unknown)}: there are {', '.join(names)}")
    return document


def _fault(document: Any) -> Fault:
    asked = _object(document, tuple(field.name for field in fields(Fault)))
    if not isinstance(asked.get("match"), str):
        raise ControlError("a fault needs match, a pattern such as GET /tmdb/3/movie/*")
    return Fault(**asked)
