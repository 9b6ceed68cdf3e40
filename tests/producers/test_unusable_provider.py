"""A provider whose client can't be made with its settings does not stop the others."""

from __future__ import annotations

import logging

import pytest
from pydantic import SecretStr

from changecast.sandbox import Sandbox
from producers.registry import usable_providers
from runtime.kafka import Cluster
from runtime.rate import RateLimit
from schemas.config import Config
from tests.producers.worlds import config_for, raw_events, until, working


def _with_a_bad_token(config: Config) -> Config:
    """As the config's check would refuse it: it stands for what the check can't know."""
    assert config.providers.tmdb is not None
    broken = config.providers.tmdb.model_copy(update={"token": SecretStr("abc…")})
    return config.model_copy(update={"providers": config.providers.model_copy(update={"tmdb": broken})})


async def test_one_that_cannot_be_made_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    config = Config.model_validate({"providers": {"tmdb": {"token": "x"}, "pbs": {"key": "k", "secret": "s"}}})
    sections = _with_a_bad_token(config).providers.configured()
    found = usable_providers(sections, {name: RateLimit(1) for name in sections})
    assert list(found) == ["pbs"]
    await found["pbs"].aclose()
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage().startswith("tmdb can't be used with its settings")
    assert "providers.tmdb" in record.getMessage()


async def test_the_producers_poll_the_others(bootstrap_servers: str, topic_prefix: str) -> None:
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    async with (
        Sandbox() as sandbox,
        working(_with_a_bad_token(config_for(sandbox.url, cluster, providers=("tmdb", "pbs"))), cluster),
    ):

        async def polled() -> bool:
            return bool(await raw_events(cluster, "pbs"))

        await until(polled, what="the other provider is polled")
    assert await raw_events(cluster, "tmdb") == []
