"""A worker's metrics at `http://host:port/metrics`, in the form that Prometheus reads, and whether it is at work at `/healthz`.

The worker's own loop answers and reads its own state, so nothing is locked or copied for it while nobody asks, and an answer shows that
the loop turns. Only the writing out of the page goes to a thread: with a thousand subscriptions it takes some tenths of a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from runtime.metrics.reading import Reading
from runtime.rebinding import loopback_only
from schemas.config import Metrics

log = logging.getLogger(__name__)

_AGAIN_S = 10.0
"""A port that is taken may be free again soon: a worker that is started again can meet its predecessor's."""


class Measured(Protocol):
    """A part of the program, as far as its metrics are concerned."""

    def waits_for(self) -> str | None:
        """What it waits for before it is at work; None when it is."""

    async def read(self) -> Reading:
        """All values as they are now."""


@asynccontextmanager
async def exporting(settings: Metrics, measured: Measured) -> AsyncIterator[None]:
    """Inside, the metrics are served where the settings say; nowhere without a port.

    A port that can't be had does not keep the worker from its work: it is said, and tried again. Prometheus then finds the target down,
    which is an alert that everybody has; changes that nobody delivers, since a number could not be shown, would be the worse trouble.
    """
    if settings.port is None:
        yield
        return
    runner = web.AppRunner(_application(measured, settings.host), access_log=None)
    await runner.setup()
    listening = asyncio.create_task(_listen(runner, settings.host, settings.port), name="metrics")
    try:
        yield
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await runner.cleanup()


async def _listen(runner: web.AppRunner, host: str, port: int) -> None:
    told = False
    while True:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            await site.stop()
            if not told:
                log.error(
                    "no metrics: %s can't be listened on (%s); the work goes on without, and this is tried again every %.0f s. "
                    "Choose another metrics.port, or --metrics-port for one more worker on this machine",
                    _address(host, port),
                    _why(error),
                    _AGAIN_S,
                )
            told = True
            await asyncio.sleep(_AGAIN_S)
        else:
            log.info("metrics at http://%s/metrics", _address(*runner.addresses[0][:2]))
            return


def _why(error: OSError) -> str:
    """Without asyncio's words around it; a name that can't be resolved has none of the system's numbers."""
    return os.strerror(error.errno) if error.errno is not None and error.errno > 0 else str(error.strerror or error)


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _application(measured: Measured, listens_on: str) -> web.Application:
    process = ProcessCollector(registry=None)

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(",".join(request.headers.getall("Accept", [])))
        page = _Page([*(await measured.read()).families(), *process.collect()])
        return web.Response(body=await asyncio.to_thread(encode, page), headers={"Content-Type": content_type})

    async def health(_: web.Request) -> web.Response:
        waits_for = measured.waits_for()
        return web.Response(text="ok\n") if waits_for is None else web.Response(text=f"waits for {waits_for}\n", status=503)

    application = web.Application(middlewares=loopback_only(listens_on))
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", health)
    return application


class _Page(Collector):
    """What has been collected already, as the client's encoders take it."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Family]:
        return iter(self._families)
