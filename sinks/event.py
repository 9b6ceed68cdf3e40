"""An event as the sinks hold it: the exact bytes for the receiver, the parsed document for matching and words.

Most are changes of entities. An alert is an event too, about an endpoint: it is told to who asked for alerts, and matched by nothing else.
"""

from __future__ import annotations

from typing import Any

import orjson
from pydantic import ValidationError

from schemas.alert import ALERT_TYPE, AlertData
from sinks import wording
from sinks.event_form import fault_of, is_too_deep, newer_schema
from sinks.facts import Facts, facts_of

_PARSED_FACTOR = 6
_OVERHEAD_BYTES = 1200
"""What an event in a queue takes, as measured: parsed about six times its bytes; and the objects around it, of any size."""


class UnreadableEvent(ValueError):
    """A record that is not a change event. The message says what is missing."""


class NewerEvent(UnreadableEvent):
    """An event of a form that a newer version of changecast writes. It is no fault: this version waits, until a newer worker takes over."""


class Event:
    """One event, shared by all deliveries that it leads to. Words and facts are made once, when somebody asks."""

    __slots__ = ("_change", "_document", "_facts", "_name", "id", "subject", "value")

    def __init__(self, value: bytes, document: dict[str, Any]) -> None:
        self.value = value
        self._document: dict[str, Any] | None = document
        self.id: str = document["id"]
        self.subject: str = document["subject"]
        self._facts: Facts | None = None
        self._name: str | None = None
        self._change: str | None = None

    @property
    def document(self) -> dict[str, Any]:
        """The parsed event. Nobody changes it."""
        if self._document is not None:
            return self._document
        parsed: dict[str, Any] = orjson.loads(self.value)
        return parsed

    def slim(self) -> None:
        """Keep the bytes alone, and parse them when somebody asks: parsed, an event takes up to ten times as much. For what waits."""
        self._document = self._facts = None

    @property
    def memory(self) -> int:
        """Bytes that it takes in a queue, about."""
        size = len(self.value)
        return _OVERHEAD_BYTES + (size if self._document is None else size * _PARSED_FACTOR)

    @property
    def facts(self) -> Facts:
        # functools.cached_property takes a lock each time in Python 3.11
        if self._facts is None:
            self._facts = facts_of(self.document)
        return self._facts

    @property
    def name(self) -> str:
        if self._name is None:
            self._name = wording.entity_name(self.document)
        return self._name

    @property
    def change(self) -> str:
        if self._change is None:
            self._change = wording.change_words(self.document)
        return self._change

    @property
    def group(self) -> str:
        """What a digest puts together."""
        return wording.series_name(self.document) or self.name

    @property
    def url(self) -> str | None:
        url: str | None = self.document["data"]["entity"].get("url")
        return url

    @property
    def teller(self) -> str:
        """Who tells of it."""
        return wording.provider_name(self.document)


class Alert(Event):
    """What operators are told of an endpoint."""

    __slots__ = ("data",)

    def __init__(self, value: bytes, document: dict[str, Any]) -> None:
        super().__init__(value, document)
        try:
            self.data = AlertData.model_validate(document["data"])
        except ValidationError as error:
            raise UnreadableEvent(f"an alert of another form: {error}") from error

    @property
    def about(self) -> str:
        """The subscription whose endpoint it is."""
        return self.data.subscription

    @property
    def name(self) -> str:
        return f"endpoint {self.about}"

    @property
    def change(self) -> str:
        return self.data.summary

    @property
    def group(self) -> str:
        return self.name

    @property
    def url(self) -> str | None:
        return None

    @property
    def teller(self) -> str:
        return "changecast"


def read_event(value: bytes | None) -> Event:
    """Only what delivery stands on is checked; the writer has validated the rest. Raises UnreadableEvent, NewerEvent for one that only
    a newer version can read."""
    try:
        document = orjson.loads(value or b"")
    except orjson.JSONDecodeError as error:
        raise UnreadableEvent(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableEvent("not a CloudEvent")
    if (schema := newer_schema(document)) is not None:
        raise NewerEvent(f"{schema} was written by a newer version")
    data = document.get("data")
    if not isinstance(data, dict):
        raise UnreadableEvent("not a CloudEvent with data")
    if not (isinstance(document.get("id"), str) and isinstance(document.get("subject"), str)):
        raise UnreadableEvent("a CloudEvent without id or subject")
    if is_too_deep(value or b"", document):
        raise UnreadableEvent("lists and mappings are nested too deeply")
    if str(document.get("type")).startswith(ALERT_TYPE):
        return Alert(value or b"", document)
    if (fault := fault_of(data)) is not None:
        raise UnreadableEvent(fault)
    return Event(value or b"", document)
