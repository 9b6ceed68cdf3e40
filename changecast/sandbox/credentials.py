"""What a client needs to use the sandbox: keys, secrets and addresses."""

from __future__ import annotations

import base64
import logging
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from runtime.data_dir import make_private

log = logging.getLogger(__name__)

SECRETS_FILE = "sandbox.json"


@dataclass(frozen=True)
class Credentials:
    """The keys that the sandbox's providers and its Slack accept."""

    tmdb_token: str
    pbs_key: str
    pbs_secret: str
    tvdb_apikey: str
    slack_token: str


SANDBOX_CREDENTIALS = Credentials(
    tmdb_token="sandbox-tmdb-token",  # noqa: S106
    pbs_key="sandbox-pbs-key",
    pbs_secret="sandbox-pbs-secret",  # noqa: S106
    tvdb_apikey="sandbox-tvdb-apikey",
    slack_token="xoxb-sandbox-token",  # noqa: S106
)
"""Plainly no real keys: they open nothing but a sandbox."""

SLACK_SERVICE = "T0SANDBOX/B0NEWSROOM/sandbox"
"""The incoming webhook that stands in the example config."""


def new_webhook_secret() -> str:
    """A Standard Webhooks secret of 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def load_webhook_secret(data_dir: Path) -> str:
    """The secret of this data directory; made on the first call, by whichever process comes first."""
    path = data_dir / SECRETS_FILE
    if not path.exists():
        _write_once(path, orjson.dumps({"webhook_secret": new_webhook_secret()}))
    return _secret_in(path)


def _secret_in(path: Path) -> str:
    try:
        return str(orjson.loads(path.read_bytes())["webhook_secret"])
    except (orjson.JSONDecodeError, KeyError) as error:
        raise ValueError(f"{path} holds no webhook_secret: delete it, and a new one is made") from error


def _write_once(path: Path, content: bytes) -> None:
    """Write a private file whole, unless another process has just done so."""
    if (exposed := make_private(path.parent)) is not None:
        log.warning("%s", exposed)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.link(temporary, path)
    except FileExistsError:
        pass  # the other process's secret is as good, and both must use the same
    finally:
        Path(temporary).unlink()


def environment(url: str, webhook_secret: str) -> dict[str, str]:
    """The variables that a config which watches this sandbox names in its `${…}`."""
    return {
        "SANDBOX_URL": url,
        "SANDBOX_WEBHOOK_URL": f"{url}/webhook",
        "SANDBOX_WEBHOOK_SECRET": webhook_secret,
        "SANDBOX_SLACK_URL": f"{url}/slack/services/{SLACK_SERVICE}",
    }


def load_environment(data_dir: Path, port: int) -> dict[str, str]:
    """The same as `Sandbox.environment()` of a sandbox with this data directory and port, which need not run yet."""
    return environment(f"http://127.0.0.1:{port}", load_webhook_secret(data_dir))


def foreseen_environment(data_dir: Path, port: int) -> dict[str, str]:
    """The same, without writing anything: where there is no secret yet, one that will not be the sandbox's stands for it."""
    path = data_dir / SECRETS_FILE
    return environment(f"http://127.0.0.1:{port}", _secret_in(path) if path.exists() else new_webhook_secret())


def sandbox_providers(url: str, credentials: Credentials = SANDBOX_CREDENTIALS) -> dict[str, Any]:
    """The config's `providers:` for watching the sandbox at `url`, with intervals short enough to watch."""
    return {
        "tmdb": {"token": credentials.tmdb_token, "base_url": f"{url}/tmdb/3", "interval": "5s"},
        "pbs": {
            "key": credentials.pbs_key,
            "secret": credentials.pbs_secret,
            "base_url": f"{url}/pbs/api/v1",
            "interval": "3s",
        },
        "tvdb": {"apikey": credentials.tvdb_apikey, "base_url": f"{url}/tvdb", "interval": "5s"},
    }
