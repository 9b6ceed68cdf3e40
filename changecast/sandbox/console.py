"""What `changecast sandbox` prints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from changecast.sandbox.activity import Activity
from changecast.sandbox.credentials import SECRETS_FILE, sandbox_providers

_SIGNS = {"edit": "edit   ", "webhook": "webhook", "slack": "slack  ", "note": "note   "}


def line(activity: Activity) -> str:
    """`12:04:31 edit    tmdb  Severance 2×02 …: still added`, the time in UTC. Control characters are left out."""
    time = datetime.fromtimestamp(activity.time, UTC).strftime("%H:%M:%S")
    text = "".join(character for character in activity.text if character.isprintable())
    return f"{time} {_SIGNS[activity.kind]} {activity.source:<5} {text}"


def config_example(environment: Mapping[str, str], data_dir: Path) -> str:
    """What to put into a changecast.yaml to watch this sandbox, and what to set in its environment. The webhook's secret
    is not shown, but where it is kept."""
    shown_environment = {
        **environment,
        "SANDBOX_WEBHOOK_SECRET": f"(the webhook_secret in {data_dir / SECRETS_FILE})",
    }
    lines = ["# in changecast.yaml", "providers:"]
    for name, settings in sandbox_providers("${SANDBOX_URL}").items():
        shown = ", ".join(f'{key}: "{value}"' for key, value in settings.items())
        lines.append(f"  {name}: {{{shown}}}")
    lines += [
        "network: {allow: [127.0.0.0/8]}",
        "subscriptions:",
        "  - name: everything",
        '    webhook: {url: "${SANDBOX_WEBHOOK_URL}", secret: "${SANDBOX_WEBHOOK_SECRET}"}',
        "  - name: newsroom",
        '    slack: {webhook_url: "${SANDBOX_SLACK_URL}"}',
        "",
        "# in its .env",
        *(f"{name}={value}" for name, value in shown_environment.items()),
        "",
    ]
    return "\n".join(lines)
