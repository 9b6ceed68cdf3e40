"""`changecast up` takes over an edited config while it runs, with its own Kafka and the sandbox, asked by the command and by SIGHUP."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import orjson
import psutil
import pytest
from aiohttp import web

from runtime.kafka import Cluster
from runtime.topics import read_to_end
from tests.eventually import eventually, until
from tests.producers.worlds import Process, changecast

SECRET = "whsec_" + "Y2hhbmdlY2FzdC1yZWxvYWQtdXAtdGVzdC1rZXktMDE="
STARTED = "Ctrl-C stops everything"
CONFIG = """\
data_dir: data
kafka: {embedded_port: 0}
network: {allow: 127.0.0.0/8}
providers:
  tmdb: {token: sandbox-tmdb-token, base_url: "${SANDBOX_URL}/tmdb/3", interval: 1s}
  pbs: {key: sandbox-pbs-key, secret: sandbox-pbs-secret, base_url: "${SANDBOX_URL}/pbs/api/v1", interval: 1s}
  # tvdb
subscriptions:
  - name: everything
    match: {unchanged: true}
    from: 1h
    webhook: {url: "HOOK/everything", secret: "${SECRET_OF_TEST}"}
  # more
"""
TVDB = 'tvdb: {apikey: sandbox-tvdb-apikey, base_url: "${SANDBOX_URL}/tvdb", interval: 1s}'
MORE = """- name: more
    webhook: {url: "HOOK/more", secret: "${SECRET_OF_TEST}"}"""
READING = ("producers", "streams")
WITHOUT = dict.fromkeys(("TMDB_TOKEN", "PBS_KEY", "PBS_SECRET", "TVDB_APIKEY"), "")


class Installation:
    """A folder with a config and its `.env`, and what runs on it."""

    def __init__(self, folder: Path, hook: str) -> None:
        self.config = folder / "changecast.yaml"
        self._data = folder / "data"
        self._hook = hook
        (folder / ".env").write_text(f"SECRET_OF_TEST={SECRET}\n")
        self.config.write_text(CONFIG.replace("HOOK", hook))

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new.replace("HOOK", self._hook)))

    async def reload(self) -> tuple[int, str]:
        """The command's exit code and what it says. Its own environment lacks what `up` has."""
        async with changecast("reload", "-c", str(self.config)) as command:
            code = await asyncio.wait_for(command.process.wait(), 60)
        return code, "\n".join(command.lines)

    def parts(self) -> dict[str, int]:
        return {name: pid for name, pid, _ in orjson.loads((self._data / "up.lock").read_bytes())["parts"]}

    def starts(self, part: str) -> int:
        return (self._data / "logs" / f"{part}.log").read_text().count("imported, configured, and connected")


def broker_of(up: Process) -> int:
    (java,) = [child.pid for child in psutil.Process(up.process.pid).children(recursive=True) if "java" in child.name()]
    return java


def others(parts: Mapping[str, int], up: Process, *concerned: str) -> dict[str, int]:
    """The processes of the parts that a reload does not concern, and that have not ended by themselves either."""
    ended = {match[1] for line in up.lines if (match := re.search(r"!     (\w+) ended \(", line))}
    return {name: pid for name, pid in parts.items() if name not in ended and name not in concerned}


@pytest.mark.timeout(300)
@pytest.mark.kafka
async def test_up_takes_over_an_edited_config_while_its_kafka_and_its_sandbox_go_on(tmp_path):
    got: dict[str, set[str]] = {"everything": set(), "more": set()}

    async def receive(request: web.Request) -> web.Response:
        got[request.match_info["name"]].add((await request.json())["id"])
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/{name}", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    here = Installation(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        async with changecast("up", "-c", str(here.config), environ=WITHOUT) as up:
            await until(up.said(STARTED), 120)
            parts, broker = here.parts(), broker_of(up)
            await until(lambda: waits_for(got["everything"]), 60)

            assert await here.reload() == (0, "Nothing has changed.")
            os.kill(here.parts()["streams"], signal.SIGHUP)
            await until(up.said("streams: not reloaded: `changecast up` has started this worker"))

            # mistakes: nothing happens, and what is started again after a crash still has the config from before
            here.edit("  # more", "  - nam: more")
            code, said = await here.reload()
            assert code == 78
            place = f'{here.config}:13:5: subscriptions[1].nam: unknown key "nam"; did you mean "name"?'
            assert place in said
            assert place in "\n".join(up.lines)
            before = here.starts("sinks")
            os.kill(here.parts()["sinks"], signal.SIGKILL)
            await until(lambda: so_often(here, "sinks", before + 1), 60, "the killed sinks are back")
            assert others(here.parts(), up, "sinks") == others(parts, up, "sinks")

            # a subscription more concerns the sinks alone
            here.edit("  - nam: more", "  " + MORE)
            assert await here.reload() == (0, "Taken over: subscription more is new.\nStarting anew: sinks.")
            await until(lambda: waits_for(got["more"]), 90, "the new subscription is served")
            assert others(here.parts(), up, "sinks") == others(parts, up, "sinks")

            # another interval and a provider more concern who polls and who enriches; by SIGHUP this time
            before_it = here.parts()
            producers, streams = here.starts("producers"), here.starts("streams")
            here.edit("  # tvdb", "  " + TVDB)
            here.edit('pbs/api/v1", interval: 1s', 'pbs/api/v1", interval: 2s')
            up.process.send_signal(signal.SIGHUP)
            await until(up.said("provider pbs has another interval; provider tvdb is new"))
            await until(lambda: so_often(here, "producers", producers + 1), 60)
            await until(lambda: so_often(here, "streams", streams + 1), 60)
            await until(lambda: matching(up, r"^\d\d:\d\d:\d\d  tvdb  "), 60, "the live view shows the new provider")
            assert others(here.parts(), up, *READING) == others(before_it, up, *READING)

            here.edit("embedded_port: 0", "embedded_port: 0, partitions: 8")
            code, said = await here.reload()
            assert (code, said.splitlines()[0]) == (1, "Not taken over: kafka.partitions can't change while changecast runs.")

            assert broker_of(up) == broker
            assert here.parts()["sandbox"] == parts["sandbox"]
            kafka = next(match[1] for line in up.lines if (match := re.match(r"Kafka +(127\S+),", line)))
            published = await events(Cluster.at(kafka))
            assert {event: count for event, count in published.items() if count > 1} == {}
            await until(lambda: waits_for(set(published) <= got["everything"]), 60, "all that was published is delivered")
            up.process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(up.process.wait(), 30) == 0
        code, said = await here.reload()
        assert code == 1
        assert "no changecast runs on" in said
    finally:
        await runner.cleanup()
    assert SECRET not in "\n".join(up.lines)


class InTerminal:
    """`changecast up` in a terminal of its own, whose other end is here."""

    def __init__(self, config: Path) -> None:
        self._end, terminal = os.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "changecast", "up", "-c", str(config)],
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            # the first terminal that the leader of a session is given is its controlling one
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
        )  # fmt: skip
        os.close(terminal)
        os.set_blocking(self._end, False)

    def shows(self, pattern: str) -> bool:
        assert self.process.poll() is None, self.shown
        with suppress(BlockingIOError):
            while True:
                self.shown += os.read(self._end, 65536).decode(errors="replace")
        return re.search(pattern, self.shown, re.DOTALL) is not None

    def hang_up(self) -> None:
        os.close(self._end)


@pytest.mark.timeout(180)
def test_in_a_terminal_a_reload_is_shown_and_the_end_of_the_terminal_ends_up_in_order(bootstrap_servers, topic_prefix, tmp_path):
    config = tmp_path / "changecast.yaml"
    kafka = f'kafka: {{bootstrap_servers: "{bootstrap_servers}", topic_prefix: {topic_prefix}}}\n'
    config.write_text(f"{kafka}providers: {{}}\n")
    up = InTerminal(config)
    try:
        eventually(lambda: up.shows(STARTED), 90)
        config.write_text(f"{kafka}providers: {{}}\ndelivery: {{timeout: 9s}}\n")
        up.process.send_signal(signal.SIGHUP)
        eventually(
            lambda: up.shows(r"Reload .*delivery\.timeout changed.*Sinks .*0 subscriptions.*0 changes · .*Ctrl-C stops"), 60
        )
        config.write_text(f"{kafka}providers: []\n")
        up.process.send_signal(signal.SIGHUP)
        eventually(lambda: up.shows(r"not reloaded.*changecast\.yaml:2:1: providers: "))

        children = psutil.Process(up.process.pid).children(recursive=True)
        up.hang_up()

        assert up.process.wait(30) == 0
        assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
        for part in ("producers", "streams", "sinks"):
            assert f"{part} ends" in (tmp_path / ".changecast" / "logs" / f"{part}.log").read_text()
    finally:
        up.process.kill()
        up.process.wait()


async def waits_for(what: object) -> object:
    return what


async def so_often(here: Installation, part: str, times: int) -> bool:
    return here.starts(part) >= times


async def matching(up: Process, pattern: str) -> bool:
    return any(re.search(pattern, line) for line in up.lines)


async def events(cluster: Cluster) -> Counter[str]:
    topics = [cluster.topics.changes(provider).name for provider in ("tmdb", "pbs", "tvdb")]
    return Counter([orjson.loads(record.value)["id"] for topic in topics async for record in read_to_end(cluster, topic)])
