"""`<key>_file` beside each key that holds a secret, or certificates: which keys have one, and how JSON Schema describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

SUFFIX = "_file"


class FromFile:
    """Marks what is no secret, and comes from a file all the same, as certificates do."""


def leaves(annotation: Any) -> Iterator[Any]:
    """The plain types of an annotation, seen through lists, mappings and unions."""
    arguments = get_args(annotation)
    if not arguments:
        yield annotation
    for argument in arguments:
        yield from leaves(argument)


def file_keys(fields: Mapping[str, FieldInfo]) -> dict[str, str]:
    """`{"token_file": "token"}`: the keys that a section has beside those of its secrets. A mapping of secrets has them inside."""
    return {
        f"{key}{SUFFIX}": key
        for key, field in ((field.alias or name, field) for name, field in fields.items())
        if _comes_from_file(field)
    }


def describe_file_keys(schema: dict[str, Any], fields: Mapping[str, FieldInfo]) -> None:
    """Adds the keys to a section's JSON Schema: a path, or several where the secret may be several; one of both where one is required."""
    for file_key, key in file_keys(fields).items():
        path: dict[str, Any] = {"type": "string", "description": f"The path of a file that holds `{key}`."}
        if _is_list(schema["properties"][key]):
            path = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
        schema["properties"][file_key] = path
        if key in schema.get("required", []):
            schema["required"] = [name for name in schema["required"] if name != key]
            schema.setdefault("allOf", []).append({"oneOf": [{"required": [key]}, {"required": [file_key]}]})


def _comes_from_file(field: FieldInfo) -> bool:
    found = [*leaves(field.annotation), *field.metadata]
    return (SecretStr in found or any(isinstance(one, FromFile) for one in found)) and not _is_mapping(field.annotation)


def _is_mapping(annotation: Any) -> bool:
    return get_origin(annotation) is dict


def _is_list(schema: Mapping[str, Any]) -> bool:
    return any(choice.get("type") == "array" for choice in schema.get("anyOf", [schema]))
