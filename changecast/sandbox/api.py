"""What the providers' web applications share: their context, their JSON, and the sandbox's own address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from changecast.sandbox.credentials import Credentials
from changecast.sandbox.settings import Limits, Quirks


@dataclass(frozen=True)
class ApiContext:
    """What a provider's application needs beside its catalogue. `clock` gives Unix seconds, `monotonic` seconds that
    never go back, for rates."""

    credentials: Credentials
    limits: Limits
    quirks: Quirks
    clock: Callable[[], float]
    monotonic: Callable[[], float]


def json_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json", headers=headers)


def base_url(request: web.Request) -> str:
    """The address by which this client reached the sandbox: links in answers must lead back through the same one."""
    return f"{request.scheme}://{request.host}"


def whole_number(text: str, default: int) -> int:
    """A query's number; `default` when it is none."""
    return int(text) if text.isascii() and text.isdigit() else default
