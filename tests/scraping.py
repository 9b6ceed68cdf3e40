"""Reading a worker's metrics as Prometheus does: over HTTP, by the client's own parser."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

LISTENING = re.compile(r"metrics at (http://\S+)/metrics")


@dataclass
class Scraped:
    """One page: its text, and its samples by name and labels. `described`: the metrics that it explains, by their full names."""

    text: str
    samples: list[tuple[str, Mapping[str, str], float]]
    described: dict[str, str]

    def of(self, name: str, **labels: object) -> list[float]:
        wanted = {label: str(value) for label, value in labels.items()}.items()
        return [value for sampled, its, value in self.samples if sampled == name and wanted <= its.items()]

    def total(self, name: str, **labels: object) -> float:
        return sum(self.of(name, **labels))

    def value(self, name: str, **labels: object) -> float:
        (value,) = self.of(name, **labels)
        return value

    @property
    def sampled(self) -> set[str]:
        """The metrics that have a value; a histogram by its own name."""
        return {re.sub(r"_(bucket|count|sum)$", "", name) for name, _, _ in self.samples}


async def scrape(url: str) -> Scraped:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        assert response.status == 200
        return parsed(await response.text())


async def is_served(url: str) -> bool:
    """Whether anybody listens there yet."""
    try:
        await health(url)
    except aiohttp.ClientConnectorError:
        return False
    return True


def free_port(in_a_row: int = 1) -> int:
    """The first of so many ports in a row that nobody has, below those that connections are given: one that is free now may be the
    near end of somebody's connection a moment later."""
    while True:
        first = random.randrange(20_000, 32_000)
        if all(_is_free(port) for port in range(first, first + in_a_row)):
            return first


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def parsed(text: str) -> Scraped:
    families = list(text_string_to_metric_families(text))
    described = {f"{family.name}_total" if family.type == "counter" else family.name: family.documentation for family in families}
    return Scraped(text, [(one.name, one.labels, one.value) for family in families for one in family.samples], described)


async def health(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/healthz") as response:
        return response.status, await response.text()


def address(lines: list[str]) -> str | None:
    """Where a worker shows its metrics, once its log says so."""
    return next((found[1] for line in lines if (found := LISTENING.search(line))), None)
