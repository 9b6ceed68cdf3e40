"""Failures on order: a queue of faults, each taken by the next requests whose route it matches."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from aiohttp import web


@dataclass(frozen=True)
class Fault:
    """What happens to requests that match, instead of or before the proper answer.

    `match`: a pattern of `METHOD path` (`*` matches anything, also slashes): `GET /tmdb/3/movie/changes`, `* /pbs/*`.
    `times`: how many requests it takes; None: all until it is cleared.
    `delay`: seconds to wait first. With neither `status` nor `reset` the proper answer follows.
    `status`, `body`, `content_type`, `headers`, `retry_after`: the answer to give in place of the proper one.
    `reset`: cut the connection without an answer.
    `drip`: seconds between the body's bytes, for an answer that comes too slowly.
    """

    match: str
    times: int | None = 1
    delay: float = 0.0
    status: int | None = None
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: str | None = None
    reset: bool = False
    drip: float = 0.0

    @classmethod
    def html(cls, match: str, status: int = 502, times: int | None = 1) -> Fault:
        """The page of a gateway that stands before the API, as TheTVDB's has been seen to send."""
        body = f"<html><head><title>{status} Bad Gateway</title></head><body><h1>{status} Bad Gateway</h1></body></html>"
        return cls(match, times, status=status, body=body, content_type="text/html")


class Faults:
    """The faults in force, in the order in which they were added; the first that matches is taken."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        return tuple(self._faults)

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, used up once."""
        for index, fault in enumerate(self._faults):
            if not fnmatchcase(f"{method} {path}", fault.match):
                continue
            if fault.times is not None:
                left = replace(fault, times=fault.times - 1)
                self._faults[index : index + 1] = [left] if fault.times > 1 else []
            return fault
        return None


async def suffer(fault: Fault, request: web.Request) -> web.StreamResponse | None:
    """Do to the request what the fault says. None: the proper answer may follow."""
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.reset:
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)  # goes nowhere: the connection is gone
    if fault.status is None:
        return None
    headers = dict(fault.headers)
    if fault.retry_after is not None:
        headers["Retry-After"] = fault.retry_after
    if not fault.drip:
        return web.Response(status=fault.status, text=fault.body, content_type=fault.content_type, headers=headers)
    return await _drip(fault, request, headers)


async def _drip(fault: Fault, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
    content = fault.body.encode()
    response = web.StreamResponse(status=fault.status or 200, headers=headers)
    response.content_type = fault.content_type
    response.content_length = len(content)
    await response.prepare(request)
    for index in range(len(content)):
        await asyncio.sleep(fault.drip)
        await response.write(content[index : index + 1])
    await response.write_eof()
    return response
