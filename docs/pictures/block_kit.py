"""Slack's Block Kit as HTML, as far as changecast uses it: header, section, image and context, with rich text or mrkdwn inside. Pure.

Drawn after what a reader sees in Slack, in our own CSS.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape
from typing import Any

Block = dict[str, Any]

STYLE = """
body { margin: 0; background: #fff; color: #1c1d20; font: 15px/1.47 "Helvetica Neue", Arial, "Liberation Sans", "DejaVu Sans", sans-serif; }
main { padding: 14px 22px 16px; }
.channel { font-weight: 700; font-size: 17px; padding: 12px 22px; border-bottom: 1px solid #e2e2e4; }
.message { display: grid; grid-template-columns: 40px 1fr; gap: 12px; padding: 10px 0; }
.face { width: 40px; height: 40px; border-radius: 9px; background: #243b53; display: grid; place-items: center; }
.who b { font-weight: 700; } .who .app { background: #e9e9eb; color: #5d5e63; font-size: 10px; font-weight: 700; border-radius: 3px;
  padding: 1px 4px; margin: 0 6px; vertical-align: 2px; } .who time, .context { color: #5d5e63; font-size: 12.5px; }
h3 { font-size: 18px; margin: 6px 0 8px; } p { margin: 5px 0; white-space: pre-line; } a { color: #1360a8; text-decoration: none; }
figure { margin: 8px 0; } figcaption { color: #5d5e63; font-size: 12.5px; margin-bottom: 4px; }
img { display: block; border-radius: 8px; width: 340px; }
"""

_LINK = re.compile(r"<(https?://[^|>]+)\|([^>]*)>")
_BOLD = re.compile(r"(?<!\w)\*([^*\n]+)\*(?!\w)")

_FACE = (
    '<svg width="26" height="26" viewBox="0 0 26 26" fill="none" stroke="#fff" stroke-width="2.4" stroke-linecap="round">'
    '<circle cx="7" cy="19" r="2" fill="#fff" stroke="none"/><path d="M7 12.5a6.5 6.5 0 0 1 6.5 6.5M7 6a13 13 0 0 1 13 13"/></svg>'
)


def page(channel: str, messages: list[tuple[str, list[Block]]], picture_at: Callable[[str], str]) -> str:
    """A channel with its messages, each a time of day and blocks. `picture_at`: the address to show for an image's."""
    shown = "".join(
        f'<div class="message"><div class="face">{_FACE}</div><div><div class="who"><b>changecast</b>'
        f'<span class="app">APP</span><time>{escape(time)}</time></div>{"".join(_block(block, picture_at) for block in blocks)}'
        "</div></div>"
        for time, blocks in messages
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><style>{STYLE}</style>'
        f'<div class="channel"># {escape(channel)}</div><main>{shown}</main></html>'
    )


def mrkdwn(text: str) -> str:
    """Links and bold text; everything else means itself."""
    parts, end = [], 0
    for link in _LINK.finditer(text):
        parts += [_plain(text[end : link.start()]), f'<a href="{_plain(link[1])}">{_plain(link[2])}</a>']
        end = link.end()
    return _BOLD.sub(r"<b>\1</b>", "".join([*parts, _plain(text[end:])]))


def _plain(text: str) -> str:
    return escape(unescape(text))


def _span(span: Block) -> str:
    """Text of a rich text block, in its style."""
    text = escape(span.get("text") or f":{span.get('name')}:")
    if span["type"] == "link":
        text = f'<a href="{escape(span["url"])}">{text}</a>'
    return f"<b>{text}</b>" if (span.get("style") or {}).get("bold") else text


def _block(block: Block, picture_at: Callable[[str], str]) -> str:
    match block["type"]:
        case "header":
            return f"<h3>{escape(block['text']['text'])}</h3>"
        case "section":
            return f"<p>{mrkdwn(block['text']['text'])}</p>"
        case "rich_text":
            return f"<p>{''.join(_span(span) for element in block['elements'] for span in element['elements'])}</p>"
        case "image":
            return f'<figure><img src="{escape(picture_at(block["image_url"]))}" alt="{escape(block["alt_text"])}"></figure>'
        case "context":
            return "".join(f'<p class="context">{mrkdwn(element["text"])}</p>' for element in block["elements"])
        case other:
            raise ValueError(f"a block of type {other} has no picture yet: add it here")
