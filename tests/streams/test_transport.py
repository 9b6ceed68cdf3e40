"""What stands in for Faust's waiting at the handing over of a record, held against Faust's own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from mode.services import Service

from streams.transport import FaustApp

Wait = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["ours", "Faust's"])
async def wait_first(request: pytest.FixtureRequest) -> AsyncIterator[Wait]:
    """Each test holds for both, or the one would not do for the other."""
    app = FaustApp("waiting", broker="kafka://127.0.0.1:1", web_enabled=False, loop=asyncio.get_running_loop())
    consumer: Any = app.consumer
    if request.param == "ours":
        assert type(consumer).wait_first is not Service.wait_first
        yield consumer.wait_first
    else:
        yield lambda *waited: Service.wait_first(consumer, *waited)


async def test_what_ends_at_once_is_the_first(wait_first: Wait) -> None:
    async def done() -> str:
        return "done"

    found = await wait_first(done(), asyncio.Event().wait())
    assert (found.results, found.stopped) == (["done"], False)


async def test_what_ends_later_is_waited_for(wait_first: Wait) -> None:
    room: asyncio.Queue[str] = asyncio.Queue()
    steps: list[str] = []

    async def waits() -> str:
        steps.append("begun")
        first = await room.get()
        steps.append(first)
        await asyncio.sleep(0)
        return first + await room.get()

    waiting = asyncio.ensure_future(wait_first(waits(), asyncio.Event().wait()))
    for text in ("a", "b"):
        await asyncio.sleep(0)
        room.put_nowait(text)
    assert (await waiting).results == ["ab"]
    assert steps == ["begun", "a"]


@pytest.mark.parametrize("later", [False, True])
async def test_an_error_is_raised(wait_first: Wait, later: bool) -> None:
    async def fails() -> None:
        if later:
            await asyncio.sleep(0.01)
        raise LookupError

    with pytest.raises(LookupError):
        await wait_first(fails(), asyncio.Event().wait())


async def test_what_has_begun_is_cancelled_when_the_other_comes_first(wait_first: Wait) -> None:
    suspended, ended = asyncio.Event(), asyncio.Event()

    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(wait_first(stuck(), suspended.wait()))
    await asyncio.sleep(0)
    suspended.set()
    assert (await waiting).results == [True]
    await ended.wait()


async def test_a_cancellation_reaches_what_has_begun(wait_first: Wait) -> None:
    ended = asyncio.Event()

    async def stuck() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(wait_first(stuck(), asyncio.Event().wait()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    await ended.wait()
    assert waiting.cancelled()


async def test_what_is_no_coroutine_is_waited_for_too(wait_first: Wait) -> None:
    set_, unset = asyncio.Event(), asyncio.Event()
    set_.set()
    assert (await wait_first(set_, unset)).done == [set_]
