"""One provider in trouble changes nothing for the others, and goes on by itself when the trouble is over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from changecast.sandbox import Fault, Sandbox
from runtime.kafka import Cluster
from tests.producers.worlds import PROVIDERS, config_for, cursors, until, working

KEEPS_UP_S = 10.0
"""The feeds are polled once a second here; a loaded machine needs some of the rest."""

TROUBLES = {
    "fails": Fault("* /tmdb/*", times=None, status=500),
    "is cut off": Fault("* /tmdb/*", times=None, reset=True),
    "answers with a web page": Fault.html("* /tmdb/*", times=None, status=200),
    "hangs": Fault("* /tmdb/*", times=None, delay=60),
    "refuses the key": Fault("* /tmdb/*", times=None, status=401, body='{"status_code": 7}'),
    "is busy and does not say how long": Fault("* /tmdb/*", times=None, status=429),
}
LASTS = {"refuses the key"}
"""Tried again only after minutes."""


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_while_one_provider_is_in_trouble_the_others_are_read_up_to_now(bootstrap_servers, topic_prefix, trouble):
    cluster = Cluster.at(bootstrap_servers, topic_prefix)

    async def read_past(moment: datetime, *names: str) -> bool:
        found = await cursors(cluster)
        return all(any(c.provider == name for c in found.values()) for name in names) and all(
            c.read_to > moment for c in found.values() if c.provider in names
        )

    async with Sandbox() as sandbox:
        began = datetime.now(UTC)
        sandbox.faults.add(TROUBLES[trouble])
        async with working(config_for(sandbox.url, cluster, timeout="3s"), cluster):
            for within in (30.0, KEEPS_UP_S, KEEPS_UP_S):
                moment = datetime.now(UTC)
                await until(lambda moment=moment: read_past(moment, "pbs", "tvdb"), within, "the others are read")
            assert not await read_past(began, "tmdb")
            if trouble not in LASTS:
                sandbox.faults.clear()
                moment = datetime.now(UTC)
                await until(lambda: read_past(moment, *PROVIDERS), 80, "the one that was in trouble goes on")
