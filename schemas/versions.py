"""The version of a record's form: the number at the end of its `dataschema`. An additional field is no new form."""

from __future__ import annotations

import re
from typing import Any

_SCHEMA = re.compile(r"(urn:changecast:schema:[a-z]+:)(\d{1,9})\Z")


def newer_schema(document: dict[str, Any], ours: frozenset[str]) -> str | None:
    """The `dataschema` of an event that a newer version of changecast wrote, in a form that this one can't read; None for any other.
    `ours`: the schemas that this version reads."""
    schema = document.get("dataschema")
    match = _SCHEMA.match(schema) if isinstance(schema, str) else None
    if match is None:
        return None
    known = [int(one.removeprefix(match[1])) for one in ours if one.rpartition(":")[0] + ":" == match[1]]
    return match[0] if known and int(match[2]) > max(known) else None
