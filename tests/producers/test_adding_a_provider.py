"""docs/adding-a-provider.md followed to the letter in a copy of the tree: its blocks are all that is added."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "runtime", "producers", "streams", "sinks", "changecast", "tests")
NEW_FILE = re.compile(r"^`([\w/]+\.py)`:\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PATCH = re.compile(r"^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)

TRIAL = """
import asyncio
from datetime import UTC, datetime, timedelta

from changecast.sandbox import Sandbox, sandbox_providers
from producers.registry import REGISTRY
from runtime.clock import SystemClock
from runtime.rate import RateLimit
from schemas.config import Config, Match
from schemas.event import Entity


async def main():
    async with Sandbox() as sandbox:
        config = Config.model_validate({"providers": sandbox_providers(sandbox.url)})
        provider = REGISTRY["almanac"](config.providers.configured()["almanac"], RateLimit(100))
        now = datetime.now(UTC).timestamp()
        for number in range(120):
            sandbox.catalogue.edit("almanac", time=now - 7200 + number)
        (feed,), ids, cursor = provider.feeds, [], None
        async for page in feed.poll(cursor):
            ids += [event.id for event in page.events]
            cursor = page.cursor
        assert len(set(ids)) == 120, len(set(ids))
        edit = sandbox.catalogue.edit("almanac", target=3)
        again = [event async for page in feed.poll(cursor) for event in page.events]
        assert [event.subject for event in again] == ["almanac:page:3"]
        fetched = await provider.fetch(again[0].data.entity)
        assert fetched.fields["text"] == edit.data["text"]
        assert await provider.fetch(Entity(type="feed", native_type="feed", id="changes")) is None
        await provider.aclose()
    assert Match.model_validate({"provider": "almanac"}).provider == ["almanac"]
    assert Config().providers.named().keys() == {"tmdb", "pbs", "tvdb", "almanac"}
    print("polled and fetched")


asyncio.run(main())
"""


@pytest.fixture
def tree(tmp_path):
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    text = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
    for path, content in NEW_FILE.findall(text):
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, encoding="utf-8")
    for patch in PATCH.findall(text):
        apply(tmp_path, patch)
    return tmp_path


def apply(tree: Path, patch: str) -> None:
    """A reader's way with the blocks: each part between two `@@` is looked for without its `+` lines, and stands there with them."""
    path = None
    for part in re.split(r"^(?=--- |@@)", patch, flags=re.MULTILINE):
        lines = part.splitlines()
        if lines and lines[0].startswith("--- "):
            path = tree / lines[1].removeprefix("+++ b/")
            lines = lines[2:]
        lines = [line for line in lines if not line.startswith("@@")]
        if not lines:
            continue
        assert path is not None
        before = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
        after = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
        content = path.read_text(encoding="utf-8")
        assert content.count(before) == 1, f"{path.name}: {before!r} stands there {content.count(before)} times"
        path.write_text(content.replace(before, after), encoding="utf-8")


@pytest.mark.long
def test_a_provider_is_added_by_what_the_page_says_and_nothing_else(tree):
    (tree / "trial.py").write_text(TRIAL)
    shown = subprocess.run([sys.executable, "trial.py"], cwd=tree, capture_output=True, text=True, timeout=60)
    assert shown.stdout == "polled and fetched\n", shown.stderr[-3000:]
    known = subprocess.run(
        [sys.executable, "-m", "changecast", "fetch", "almanac"], cwd=tree, capture_output=True, text=True, timeout=60
    )
    assert "provider:type:id" in known.stderr


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_new_provider_is_held_to_the_same_histories_as_the_others(tree):
    command = [sys.executable, "-m", "pytest", "tests/producers/test_histories.py", "-k", "almanac", "-p", "no:cacheprovider"]
    shown = subprocess.run(
        command, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, capture_output=True, text=True, timeout=280
    )
    assert shown.returncode == 0, shown.stdout[-3000:]
    # a selection that finds nothing has another code
    assert "[100%]" in shown.stdout
