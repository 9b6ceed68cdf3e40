"""What becomes of a command whose output nobody takes, or can take."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.kafka import Cluster
from runtime.topics import ensure_topics

FULL = Path("/dev/full")
LOOKS = (("deliveries", "list"), ("endpoints", "list"), ("match",), ("provider", "list"), ("why", "tmdb:movie:550"))


@pytest.fixture
def config(bootstrap_servers: str, topic_prefix: str, tmp_path: Path) -> Path:
    cluster = Cluster.at(bootstrap_servers, topic_prefix)
    asyncio.run(ensure_topics(cluster, cluster.topics.common()))
    path = tmp_path / "changecast.yaml"
    path.write_text(f"""
kafka: {{bootstrap_servers: "{bootstrap_servers}", topic_prefix: {topic_prefix}}}
providers: {{tmdb: {{token: a-token}}}}
subscriptions: [{{name: news, slack: {{webhook_url: "https://example.org"}}}}]
""")
    return path


def typed(redirection: str, *arguments: str) -> subprocess.Popen[str]:
    shell = ["sh", "-c", f'exec "$@" {redirection}', "sh"]
    return subprocess.Popen([*shell, sys.executable, "-m", "changecast", *arguments], stderr=subprocess.PIPE, text=True)


def test_a_command_whose_stdout_is_closed_does_its_work_all_the_same(config: Path) -> None:
    commands = [typed(">&-", *arguments, "-c", str(config)) for arguments in LOOKS]

    assert [(command.communicate(timeout=60)[1], command.returncode) for command in commands] == [("", 0)] * len(LOOKS)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no full device")
def test_output_that_can_not_be_written_is_told_in_one_line(config: Path) -> None:
    commands = [typed(f">{FULL}", *arguments, "-c", str(config)) for arguments in (("match",), ("config", "show"))]

    told = [(command.communicate(timeout=60)[1], command.returncode) for command in commands]
    assert told == [("Error: the output can't be written: No space left on device\n", 1)] * 2


@pytest.mark.parametrize("redirection", ["", ">&-"], ids=["open", "closed"])
def test_up_names_the_data_directory_that_can_not_be_made_and_what_to_do(tmp_path: Path, redirection: str) -> None:
    (tmp_path / "file").touch()
    config = tmp_path / "changecast.yaml"
    config.write_text("data_dir: file/data\nproviders: {tmdb: {token: a-token}}\n")
    command = typed(redirection or ">&2", "up", "-c", str(config))

    said = command.communicate(timeout=60)[1]

    assert command.returncode == 1
    assert "Traceback" not in said
    if not redirection:
        assert f"the data directory {tmp_path / 'file' / 'data'} can't be made (Not a directory)" in said
        assert "--data-dir" in said
