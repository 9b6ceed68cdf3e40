"""The provider against the sandbox: each kind of edit is found, and what the feed names is fetched or refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from changecast.sandbox import Fault, Sandbox
from producers.interface import BrokenItem, Fetched, Refused
from producers.pbs import PbsProvider
from runtime.http import ProviderUnavailable
from runtime.rate import RateLimit
from schemas.config import Pbs
from schemas.event import ObservedEvent


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def pbs(sandbox: Sandbox) -> AsyncIterator[PbsProvider]:
    keys = sandbox.credentials
    settings = Pbs(key=keys.pbs_key, secret=keys.pbs_secret, base_url=f"{sandbox.url}/pbs/api/v1", timeout="500ms")
    provider = PbsProvider(settings, RateLimit(1000))
    yield provider
    await provider.aclose()


async def polled(pbs: PbsProvider) -> tuple[list[ObservedEvent], list[BrokenItem]]:
    pages = [page async for page in pbs.feeds[0].poll(None)]
    return [event for page in pages for event in page.events], [item for page in pages for item in page.broken]


@pytest.mark.parametrize(
    ("edit", "types"),
    [
        ("asset-saved", {"asset", "episode", "season", "series"}),
        ("availability", {"availability", "asset"}),
        ("station", {"station"}),
        ("asset-created", {"asset"}),
    ],
)
async def test_an_edit_is_found_and_what_it_names_is_fetched_or_has_nothing_to_fetch(
    sandbox: Sandbox, pbs: PbsProvider, edit: str, types: set[str]
) -> None:
    known = {event.id for event in (await polled(pbs))[0]}
    sandbox.catalogue.edit("pbs", edit)
    events = [event for event in (await polled(pbs))[0] if event.id not in known]
    assert types <= {event.data.entity.type for event in events}
    for event in events:
        answer = await pbs.fetch(event.data.entity)
        if event.data.entity.type == "availability":
            assert answer is None
        else:
            assert isinstance(answer, Fetched)
            assert answer.entity.name
            assert answer.entity.type == event.data.entity.type


async def test_the_feed_names_what_the_key_may_not_read(sandbox: Sandbox, pbs: PbsProvider) -> None:
    known = {event.id for event in (await polled(pbs))[0]}
    sandbox.catalogue.edit("pbs", "forbidden-asset-saved")
    events = [event for event in (await polled(pbs))[0] if event.id not in known]
    answers = [await pbs.fetch(event.data.entity) for event in events if event.data.entity.type == "asset"]
    assert answers
    assert all(isinstance(answer, Refused) and answer.forbidden for answer in answers)


async def test_a_deleted_entity_is_gone(sandbox: Sandbox, pbs: PbsProvider) -> None:
    created = sandbox.catalogue.edit("pbs", "asset-created")
    sandbox.catalogue.edit("pbs", "asset-deleted", target=created.subject.rpartition(":")[2])
    deleted = next(
        event for event in (await polled(pbs))[0] if event.data.action == "deleted" and event.data.entity.type == "asset"
    )
    answer = await pbs.fetch(deleted.data.entity)
    assert isinstance(answer, Refused)
    assert not answer.forbidden


async def test_an_entry_that_arrives_after_younger_ones_is_found(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.catalogue.edit("pbs", "asset-saved")
    pages = [page async for page in pbs.feeds[0].poll(None)]
    known = {event.id for page in pages for event in page.events}
    sandbox.catalogue.edit("pbs", "late")
    again = [event async for page in pbs.feeds[0].poll(pages[-1].cursor) for event in page.events]
    (late,) = [event for event in again if event.id not in known]
    assert late.time < max(event.time for page in pages for event in page.events)


async def test_entries_without_ids_are_kept_as_broken(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.quirks.pbs_null_ids = True
    sandbox.catalogue.edit("pbs", "link-deleted")
    _, broken = await polled(pbs)
    assert {item.reason for item in broken} == {"no-entity-id"}


async def test_a_cut_connection_and_a_gateway_page_are_asked_again(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.catalogue.edit("pbs", "asset-saved")
    sandbox.faults.add(Fault("GET /pbs/*", reset=True))
    sandbox.faults.add(Fault.html("GET /pbs/*"))
    events, _ = await polled(pbs)
    assert events


async def test_a_body_that_comes_a_byte_a_second_ends_at_the_time_out(sandbox: Sandbox, pbs: PbsProvider) -> None:
    sandbox.faults.add(Fault("GET /pbs/*", times=None, status=200, body="x" * 60, drip=0.5))
    with pytest.raises(ProviderUnavailable, match="no whole answer"):
        await polled(pbs)
