"""`changecast schema`: JSON Schema for those who read our events, or edit our config."""

from __future__ import annotations

import click
import orjson

from schemas.export import alert_schema, change_schema, config_schema

_SCHEMAS = {"alert": alert_schema, "change": change_schema, "config": config_schema}


@click.command("schema", epilog="\b\nExamples:\n  changecast schema\n  changecast schema config > changecast.schema.json")
@click.argument("what", type=click.Choice(sorted(_SCHEMAS)), default="change")
def command(what: str) -> None:
    """Print the JSON Schema of the change event (the default), of alerts, or of the config file."""
    click.echo(orjson.dumps(_SCHEMAS[what](), option=orjson.OPT_INDENT_2))
