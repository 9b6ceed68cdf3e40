"""What Slack takes in a message: the limits of Block Kit, as docs.slack.dev/reference/block-kit gives them.

Pure: a message in, a list of what is wrong with it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

MAX_TEXT = 40_000
MAX_BLOCKS = 50
MAX_BLOCK_ID = 255
MAX_HEADER = 150
MAX_SECTION_TEXT = 3000
MAX_FIELDS = 10
MAX_FIELD_TEXT = 2000
MAX_ALT_TEXT = 2000
MAX_IMAGE_URL = 3000
MAX_IMAGE_TITLE = 2000
MAX_CONTEXT_ELEMENTS = 10
MAX_ACTIONS = 25
MAX_BUTTON_TEXT = 75
MAX_MARKDOWN = 12_000
_RICH = ("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted")


def text_problem(message: dict[str, Any]) -> str | None:
    """Slack's error for the message's text: `no_text` when there is nothing to show, `msg_too_long`."""
    text = message.get("text")
    if not text and not message.get("blocks") and not message.get("attachments"):
        return "no_text"
    if isinstance(text, str) and len(text) > MAX_TEXT:
        return "msg_too_long"
    return None


def block_problems(blocks: Any) -> list[str]:
    """What is wrong with a message's blocks, in words, each with its place; empty when Slack would take them."""
    if not isinstance(blocks, list):
        return ["blocks: must be an array"]
    problems = [f"blocks: no more than {MAX_BLOCKS} items allowed"] if len(blocks) > MAX_BLOCKS else []
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        place = f"/blocks/{index}"
        problems += [f"{place}{problem}" for problem in _block(block)]
        block_id = block.get("block_id") if isinstance(block, dict) else None
        if isinstance(block_id, str):
            if block_id in seen:
                problems.append(f"{place}/block_id: is used twice")
            seen.add(block_id)
    return problems


def _block(block: Any) -> Iterator[str]:
    if not isinstance(block, dict):
        yield ": must be an object"
        return
    kind = block.get("type")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if check is None:
        yield f"/type: unsupported type {kind!r}"
        return
    block_id = block.get("block_id")
    if block_id is not None and not (isinstance(block_id, str) and len(block_id) <= MAX_BLOCK_ID):
        yield f"/block_id: must be a string of at most {MAX_BLOCK_ID} characters"
    yield from check(block)


def _header(block: dict[str, Any]) -> Iterator[str]:
    yield from _text(block.get("text"), "/text", MAX_HEADER, plain=True)


def _section(block: dict[str, Any]) -> Iterator[str]:
    text, fields = block.get("text"), block.get("fields")
    if text is None and fields is None:
        yield ": needs text or fields"
    if text is not None:
        yield from _text(text, "/text", MAX_SECTION_TEXT)
    if fields is not None:
        if not isinstance(fields, list) or not 1 <= len(fields) <= MAX_FIELDS:
            yield f"/fields: must hold 1 to {MAX_FIELDS} items"
            return
        for index, item in enumerate(fields):
            yield from _text(item, f"/fields/{index}", MAX_FIELD_TEXT)
    accessory = block.get("accessory")
    if accessory is not None:
        yield from _element(accessory, "/accessory")


def _image(block: dict[str, Any]) -> Iterator[str]:
    address, alt = block.get("image_url"), block.get("alt_text")
    if block.get("slack_file") is None:
        if not isinstance(address, str) or not address:
            yield "/image_url: is missing"
        elif len(address) > MAX_IMAGE_URL:
            yield f"/image_url: must be at most {MAX_IMAGE_URL} characters"
        elif not _is_address(address):
            yield "/image_url: must be an http or https address"
    if not isinstance(alt, str) or not alt:
        yield "/alt_text: is missing"
    elif len(alt) > MAX_ALT_TEXT:
        yield f"/alt_text: must be at most {MAX_ALT_TEXT} characters"
    if isinstance(block.get("title"), dict):
        yield from _text(block["title"], "/title", MAX_IMAGE_TITLE, plain=True)


def _context(block: dict[str, Any]) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_CONTEXT_ELEMENTS:
        yield f"/elements: must hold 1 to {MAX_CONTEXT_ELEMENTS} items"
        return
    for index, element in enumerate(elements):
        place = f"/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            yield from (place + problem for problem in _image(element))
        else:
            yield from _text(element, place, MAX_SECTION_TEXT)


def _actions(block: dict[str, Any]) -> Iterator[str]:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 1 <= len(elements) <= MAX_ACTIONS:
        yield f"/elements: must hold 1 to {MAX_ACTIONS} items"
        return
    for index, element in enumerate(elements):
        yield from _element(element, f"/elements/{index}")


def _element(element: Any, place: str) -> Iterator[str]:
    """An image or a button; other elements are for dialogues, which a notification has not."""
    if not isinstance(element, dict):
        yield f"{place}: must be an object"
    elif element.get("type") == "image":
        yield from (place + problem for problem in _image(element))
    elif element.get("type") == "button":
        yield from _text(element.get("text"), f"{place}/text", MAX_BUTTON_TEXT, plain=True)
        address = element.get("url")
        if address is not None and not (isinstance(address, str) and len(address) <= MAX_IMAGE_URL):
            yield f"{place}/url: must be at most {MAX_IMAGE_URL} characters"
    else:
        yield f"{place}/type: unsupported type {element.get('type')!r}"


def _markdown(block: dict[str, Any]) -> Iterator[str]:
    text = block.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_MARKDOWN:
        yield f"/text: must be a string of 1 to {MAX_MARKDOWN} characters"


def _rich_text(block: dict[str, Any]) -> Iterator[str]:
    """Sections of texts, links and emoji; lists, quotes and preformatted text hold such sections or the same."""
    elements = block.get("elements")
    if not isinstance(elements, list) or not elements:
        yield "/elements: must hold at least one item"
        return
    for index, element in enumerate(elements):
        place = f"/elements/{index}"
        if not isinstance(element, dict) or element.get("type") not in _RICH:
            yield f"{place}/type: is not allowed here"
        elif not isinstance(element.get("elements"), list):
            yield f"{place}/elements: must be an array"
        elif element["type"] == "rich_text_section":
            for number, part in enumerate(element["elements"]):
                yield from (f"{place}/elements/{number}{problem}" for problem in _rich_part(part))


def _rich_part(part: Any) -> Iterator[str]:
    needed = {"text": "text", "link": "url", "emoji": "name"}
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str):
        yield "/type: is missing"
    elif kind in needed and not (isinstance(content := part.get(needed[kind]), str) and content):
        yield f"/{needed[kind]}: must be more than 0 characters"


def _anything(_block: dict[str, Any]) -> Iterator[str]:
    return iter(())


def _text(text: Any, place: str, longest: int, *, plain: bool = False) -> Iterator[str]:
    """A text object: `plain_text` or `mrkdwn`, or only the former."""
    if not isinstance(text, dict):
        yield f"{place}: must be a text object"
        return
    kind, content = text.get("type"), text.get("text")
    if kind not in (("plain_text",) if plain else ("plain_text", "mrkdwn")):
        yield f"{place}/type: {kind!r} is not allowed here"
    if not isinstance(content, str) or not content:
        yield f"{place}/text: must be more than 0 characters"
    elif len(content) > longest:
        yield f"{place}/text: must be at most {longest} characters"
    other = "verbatim" if kind == "plain_text" else "emoji"
    if other in text:
        yield f"{place}/{other}: is not allowed with {kind}"


def _is_address(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


_CHECKS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "header": _header,
    "section": _section,
    "image": _image,
    "context": _context,
    "actions": _actions,
    "markdown": _markdown,
    "divider": _anything,
    "rich_text": _rich_text,
}
