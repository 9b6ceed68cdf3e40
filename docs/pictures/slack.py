"""Draws docs/pictures/slack.png: two messages as changecast sends them to Slack, from events that the sandbox's catalogue gave.

    make pictures        needs Chromium; CHROMIUM=/path/to/it where it has another name

events.ndjson: the first event is a message of its own, the others are one digest. Nothing is fetched: the pictures are the sandbox's.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from block_kit import Block, page

from changecast.sandbox.pictures import picture
from sinks.event import Event, read_event
from sinks.slack_blocks import digest_of, message_of

HERE = Path(__file__).parent
NAMES = ("chromium", "chromium-browser", "google-chrome")
SIZE = "660,850"
"""Width and height in CSS pixels: all of both messages, in the width of a README."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    f"--window-size={SIZE}",
)


def messages() -> list[tuple[str, list[Block]]]:
    first, *others = (read_event(line) for line in (HERE / "events.ndjson").read_bytes().splitlines())
    return [(_time(first), message_of(first).blocks), (_time(others[-1]), digest_of(others).blocks)]


def _time(event: Event) -> str:
    return datetime.fromisoformat(event.document["time"]).strftime("%H:%M")


def own_picture(url: str) -> str:
    """The sandbox's picture for an address, in the page itself."""
    return "data:image/png;base64," + base64.b64encode(picture(urlsplit(url).path)).decode()


def chromium() -> str:
    """The path of a Chromium. Ends the program where there is none."""
    named = os.environ.get("CHROMIUM")
    found = shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        sys.exit(
            "Chromium draws the pictures, and there is none here: install it, or name it: make pictures CHROMIUM=/path/to/it"
        )
    return found


def main() -> None:
    browser, target = chromium(), HERE / "slack.png"
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "slack.html"
        html.write_text(page("newsroom", messages(), own_picture))
        subprocess.run(  # noqa: S603 - the browser that was found, and our own words
            [browser, *FLAGS, f"--user-data-dir={folder}/profile", f"--screenshot={target}", html.as_uri()],
            check=True,
            capture_output=True,
            timeout=120,
        )
    print(f"{target.relative_to(Path.cwd())}: {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
