"""JSON Schema (draft 2020-12) of what crosses our borders, made from the models."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from schemas.alert import ALERT_SCHEMA, AlertEvent
from schemas.config.durations import format_duration
from schemas.config.models import Config
from schemas.event import CHANGE_SCHEMA, LATER_FIELDS, ChangeEvent


class _Plain(GenerateJsonSchema):
    """Without the titles that repeat each field's name, with the keys in the models' order, and durations as people write them.
    What the models write is always whole: there every field is required but those that were added later, and no default is named."""

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode=mode)}

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:  # noqa: ARG002
        return value

    def field_is_required(
        self, field: core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField, total: bool
    ) -> bool:
        return self.mode == "serialization" or super().field_is_required(field, total)

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"]) if self.mode == "serialization" else super().default_schema(schema)

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, timedelta):
            return format_duration(dft)
        return [self.encode_default(item) for item in dft] if isinstance(dft, list) else super().encode_default(dft)


def change_schema() -> dict[str, Any]:
    """Of the events in `changecast.changes.*` and in webhooks. Open: a later minor version may add fields, which readers ignore."""
    schema = ChangeEvent.model_json_schema(mode="serialization", schema_generator=_Plain)
    for model in schema["$defs"].values():
        if "required" in model:
            model["required"] = [name for name in model["required"] if name not in LATER_FIELDS]
    return {"$schema": schema.pop("$schema"), "$id": CHANGE_SCHEMA, **schema}


def alert_schema() -> dict[str, Any]:
    """Of the events in `changecast.alerts`, and at subscriptions with `alerts: true`."""
    schema = AlertEvent.model_json_schema(mode="serialization", schema_generator=_Plain)
    return {"$schema": schema.pop("$schema"), "$id": ALERT_SCHEMA, **schema}


def config_schema() -> dict[str, Any]:
    """Of `changecast.yaml`, for editors. It knows no `${NAME}`: a variable in a number's place is right, and not to this schema."""
    return Config.model_json_schema(by_alias=True, mode="validation", schema_generator=_Plain)
