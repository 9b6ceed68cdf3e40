"""The receivers, in a process that outlives all kills: `python -m tests.chaos.sinks.receivers RECORDS GONE_AFTER` prints its port.

Each call is a line of the file RECORDS before it is answered: see `Received`. `PUT /calm` brings those round that fail for a time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TextIO

import orjson
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from changecast.leash import end_with_parent
from tests.chaos.sinks.behaviours import Call, Reply, behaviours
from tests.sinks.worlds import SECRET

_DRIPS = 40
_DRIP_S = 0.2
_HANG_S = 60.0
_ENDLESS = 200
"""Pieces of 64 KiB of an endless body, for a sender that reads on."""


@dataclass(frozen=True)
class Received:
    """One call. `at`: Unix seconds. `received`: answered by 2xx. `wrong`: what the stock library of Standard Webhooks said."""

    name: str
    webhook_id: str
    event_id: str
    digest: str
    at: float
    status: int | None
    received: bool
    wrong: str | None


def digest(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


class Receivers:
    def __init__(self, records: TextIO, gone_after: int) -> None:
        self._records = records
        self._behaviours = behaviours(gone_after)
        self._began = time.monotonic()
        self._calm = False
        self._of_delivery: Counter[tuple[str, str]] = Counter()
        self._of_receiver: Counter[str] = Counter()
        self._webhook = Webhook(SECRET)

    async def calm(self, request: web.Request) -> web.Response:
        self._calm = True
        return web.Response()

    async def receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        name, identity = request.path.strip("/"), request.headers.get("webhook-id", "")
        self._of_receiver[name] += 1
        self._of_delivery[name, identity] += 1
        number, among = self._of_delivery[name, identity], self._of_receiver[name]
        behave = self._behaviours.get(name)
        reply = behave(Call(identity, number, among, time.monotonic() - self._began, self._calm)) if behave else Reply(404)
        event_id, wrong = self._verified(request, body)
        received = Received(name, identity, event_id, digest(body), time.time(), reply.status, reply.received, wrong)
        self._records.write(orjson.dumps(asdict(received)).decode() + "\n")
        self._records.flush()
        return await _answered(request, body, reply)

    def _verified(self, request: web.Request, body: bytes) -> tuple[str, str | None]:
        try:
            return str(self._webhook.verify(body, dict(request.headers))["id"]), None
        except WebhookVerificationError as error:
            return "", str(error)


async def _answered(request: web.Request, body: bytes, reply: Reply) -> web.StreamResponse:
    if reply.status is None:
        await asyncio.sleep(_HANG_S)
    await asyncio.sleep(reply.after_s)
    if reply.packets:
        return await _raw(request, reply.packets)
    if reply.echoes:
        head = "".join(f"{name}: {value}\n" for name, value in request.headers.items())
        return web.Response(status=reply.status or 200, body=head.encode() + body)
    if not (reply.drips or reply.endless):
        return web.Response(status=reply.status or 200, headers=reply.headers)
    response = web.StreamResponse()
    await response.prepare(request)
    with suppress(ConnectionError):  # the sender has heard enough
        for _ in range(_ENDLESS if reply.endless else _DRIPS):
            await response.write(b"." * (1 << 16 if reply.endless else 1))
            await asyncio.sleep(0 if reply.endless else _DRIP_S)
    return response


async def _raw(request: web.Request, packets: tuple[bytes, ...]) -> web.StreamResponse:
    """Bytes instead of an answer, then the end of the connection."""
    if (transport := request.transport) is not None:
        for packet in packets:
            transport.write(packet)
            await asyncio.sleep(0.005)  # a packet of its own
        transport.close()
    return web.Response()  # goes nowhere: the connection is closed


async def main(records: Path, gone_after: int) -> None:
    with records.open("a") as file:
        receivers = Receivers(file, gone_after)
        app = web.Application(client_max_size=1 << 22)
        app.router.add_put("/calm", receivers.calm)
        app.router.add_route("*", "/{path:.*}", receivers.receive)
        # a call whose sender is killed has come all the same: its handler is not cancelled (aiohttp's default)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_parent()
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
