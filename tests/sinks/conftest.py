"""A prepared world of topics for each test."""

from __future__ import annotations

import pytest

from tests.sinks.worlds import World


@pytest.fixture
async def world(bootstrap_servers: str, topic_prefix: str) -> World:
    world = World(bootstrap_servers, topic_prefix)
    await world.prepare()
    return world
