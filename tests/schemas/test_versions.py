from __future__ import annotations

import pytest

from schemas.event import CHANGE_SCHEMA, OBSERVED_SCHEMA
from schemas.versions import newer_schema

OURS = frozenset({CHANGE_SCHEMA, OBSERVED_SCHEMA})


@pytest.mark.parametrize("schema", ["urn:changecast:schema:observed:2", "urn:changecast:schema:change:17"])
def test_a_higher_number_at_the_end_of_a_known_schema_is_of_a_newer_version(schema):
    assert newer_schema({"dataschema": schema}, OURS) == schema


@pytest.mark.parametrize(
    "schema",
    [OBSERVED_SCHEMA, "urn:changecast:schema:other:2", "urn:changecast:schema:observed:x", OBSERVED_SCHEMA + "\n", 2, None, []],
)
def test_any_other_schema_is_not(schema):
    assert newer_schema({"dataschema": schema}, OURS) is None
