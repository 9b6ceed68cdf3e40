"""The sandbox's own page: what it holds, what was edited, which notifications came back, with their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from changecast.sandbox.edit import Edit
from changecast.sandbox.slack import SlackMessage
from changecast.sandbox.webhooks import Receipt
from schemas.event import ChangeEvent
from sinks.wording import change_words, entity_name

SHOWN = 25

T = TypeVar("T")

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; } td.time { white-space: nowrap; color: #888; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; }
.card { border: 1px solid #8884; border-radius: .4rem; overflow: hidden; }
.card img { display: block; width: 100%; height: 7rem; object-fit: cover; }
.card p { margin: .4rem .6rem; overflow-wrap: anywhere; } .small { color: #888; font-size: .85rem; } .bad { color: #c33; }
"""


def render(
    size: Mapping[str, Mapping[str, int]],
    edits: Iterable[Edit],
    receipts: Iterable[Receipt],
    messages: Iterable[SlackMessage],
) -> str:
    """The whole page. Everything that came from elsewhere is escaped, and no picture is fetched from elsewhere."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>changecast sandbox</title>
<meta http-equiv="refresh" content="5"><meta name="viewport" content="width=device-width">
<style>{_STYLE}</style></head><body>
<h1>changecast sandbox</h1>
<p>Plays TMDB, PBS Media Manager and TheTVDB, and receives what changecast sends. This page renews itself.</p>
{_sizes(size)}
<h2>Received by the webhook</h2>{_cards([_receipt_card(receipt) for receipt in _latest(receipts)])}
<h2>Received by Slack</h2>{_cards([_message_card(message) for message in _latest(messages)])}
<h2>Recent edits</h2>{_edits(_latest(edits))}
</body></html>"""


def _latest(items: Iterable[T]) -> list[T]:
    return list(items)[-SHOWN:][::-1]


def _sizes(size: Mapping[str, Mapping[str, int]]) -> str:
    rows = "".join(
        f"<tr><th>{escape(provider)}</th><td>"
        + escape(", ".join(_counted(count, kind) for kind, count in counts.items()))
        + "</td></tr>"
        for provider, counts in size.items()
    )
    return f"<table>{rows}</table>"


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind}" if count == 1 or kind.endswith("s") else f"{count} {kind}s"


def _edits(edits: list[Edit]) -> str:
    rows = "".join(
        f'<tr><td class="time">{_clock(edit.time)}</td><td>{escape(edit.provider)}</td><td>{escape(edit.name)}</td>'
        f"<td>{escape(edit.summary)}</td></tr>"
        for edit in edits
    )
    return f"<table>{rows}</table>" if rows else '<p class="small">None yet.</p>'


def _cards(cards: list[str]) -> str:
    return f'<div class="cards">{"".join(cards)}</div>' if cards else '<p class="small">None yet.</p>'


def _receipt_card(receipt: Receipt) -> str:
    title, what = _told(receipt)
    if receipt.verified:
        state = f"verified{f', {receipt.times} times' if receipt.times > 1 else ''}"
    else:
        state = f'<span class="bad">refused: {escape(receipt.refused or "")}</span>'
    return _card(receipt.picture, title, f"{escape(what)}<br>{state}", receipt.time)


def _told(receipt: Receipt) -> tuple[str, str]:
    """The entity and what changed, in the words of Slack and of the terminal; of a body of another form what it has of them."""
    try:
        ChangeEvent.model_validate(receipt.event)
    except ValidationError:
        return receipt.entity_name or receipt.webhook_id or "no webhook-id", str(receipt.event.get("type") or "no type")
    return entity_name(receipt.event), change_words(receipt.event)


def _message_card(message: SlackMessage) -> str:
    return _card(message.picture, message.title, escape(message.channel), message.time)


def _card(picture: str | None, title: str, below: str, time: float) -> str:
    image = f'<img src="{escape(_own_address(picture))}" alt="" loading="lazy">' if picture else ""
    return f'<div class="card">{image}<p>{escape(title)}</p><p class="small">{below} · {_clock(time)}</p></div>'


def _own_address(picture: str) -> str:
    """The sandbox's own picture for an address, wherever that would lead."""
    path = urlsplit(picture).path.lstrip("/")
    return f"/{path}" if path.startswith("images/") else f"/images/{path}"


def _clock(time: float) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%H:%M:%S")
