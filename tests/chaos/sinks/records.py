"""The receivers' processes, and what they have put on record so far."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import orjson

from changecast.leash import LEASH_VARIABLE
from tests.chaos.sinks.endpoints import ILL, LIMITED, NAMED, WELL
from tests.chaos.sinks.receivers import Received
from tests.chaos.victims import ROOT

_GROUPS = {"well": (*WELL, *LIMITED, *NAMED), "ill": ILL}
"""A process each."""


class Records:
    """`calls`: of each receiver in the order in which they came. `nameserver`: the address of the DNS server."""

    def __init__(self, folder: Path) -> None:
        self._paths = {group: folder / f"{group}.jsonl" for group in _GROUPS}
        self._read = dict.fromkeys(_GROUPS, 0)
        self._ports: dict[str, str] = {}
        self._names: subprocess.Popen[str] | None = None
        self.nameserver = ""
        self.calls: list[Received] = []

    @contextmanager
    def receiving(self, gone_after: int) -> Iterator[dict[str, str]]:
        """The receivers' URLs, by their name."""
        processes = []
        try:
            for group, path in self._paths.items():
                processes.append(_started("receivers", str(path), str(gone_after)))
                self._ports[group] = _line(processes[-1])
            self._names = _started("names")
            processes.append(self._names)
            self.nameserver = _line(self._names)
            yield {one.name: self._url(group) for group, endpoints in _GROUPS.items() for one in endpoints}
        finally:
            for process in processes:
                process.kill()
                process.wait()

    async def calm(self) -> None:
        """The run comes to its end: those that fail for a time are well from now on, and names are found."""
        assert self._names is not None
        assert self._names.stdin is not None
        self._names.stdin.write("calm\n")
        self._names.stdin.flush()
        async with aiohttp.ClientSession() as session:
            for group in _GROUPS:
                async with session.put(f"{self._url(group)}/calm") as response:
                    response.raise_for_status()

    def fresh(self) -> Iterable[Received]:
        """What has come since it was asked last."""
        for group, path in self._paths.items():
            with path.open("rb") as file:
                file.seek(self._read[group])
                lines = file.read()
            whole = lines.rfind(b"\n") + 1
            self._read[group] += whole
            found = [Received(**orjson.loads(line)) for line in lines[:whole].splitlines()]
            self.calls += found
            yield from found

    def _url(self, group: str) -> str:
        return f"http://127.0.0.1:{self._ports[group]}"


def _started(module: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.chaos.sinks.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, LEASH_VARIABLE: "1"},
        text=True,
    )


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
