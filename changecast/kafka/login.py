"""The embedded broker's login (`kafka.embedded_auth: sasl`): SASL PLAIN with passwords that are made once and kept beside the data.

PLAIN and not SCRAM: SCRAM's credentials are part of the cluster's metadata, and could be put into a data directory that exists only by
somebody who is logged in already. The connection never leaves this machine, so nobody reads the password on its way.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from schemas import redaction
from schemas.config import Kafka

USER = "changecast"
_CONTROLLER = "controller"
_PASSWORD_BYTES = 24
_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True, repr=False)
class Login:
    """`password`: of clients, and of the broker when it is one. `controller_password`: of the controller's listener, for the node
    itself alone."""

    password: str
    controller_password: str

    def applied(self, settings: Kafka) -> Kafka:
        """The settings of a client that logs in."""
        logging.getLogger("aiokafka.conn").addFilter(_is_news)
        login = {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": USER,
            "sasl_plain_password": SecretStr(self.password),
        }
        return settings.model_copy(update=login)

    def client_properties(self) -> list[str]:
        """For a Java client's file."""
        jaas = f'{_MODULE} required username="{USER}" password="{self.password}";'
        return ["security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", f"sasl.jaas.config={jaas}"]

    def server_properties(self) -> list[str]:
        """For the broker's file, behind its other lines."""
        return [
            "sasl.enabled.mechanisms=PLAIN",
            "sasl.mechanism.inter.broker.protocol=PLAIN",
            "sasl.mechanism.controller.protocol=PLAIN",
            f"listener.name.client.plain.sasl.jaas.config={_server(USER, self.password)}",
            f"listener.name.controller.plain.sasl.jaas.config={_server(_CONTROLLER, self.controller_password)}",
        ]


def _server(user: str, password: str) -> str:
    """Both ends: who may log in, and as whom the node does at itself."""
    return f'{_MODULE} required username="{user}" password="{password}" user_{user}="{password}";'


def _is_news(record: logging.LogRecord) -> bool:
    """aiokafka warns at each connection that the password is not encrypted on its way, which is through this machine alone."""
    return record.msg != "Sending username and password in the clear"


def read_login(root: Path) -> Login | None:
    """That of the broker in this folder, `<data_dir>/kafka`; None where none was made. The process redacts it from here on. Raises
    OSError where it may not be read, as by another user."""
    try:
        login = Login(**json.loads(_file(root).read_text()))
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return None
    for password in dataclasses.astuple(login):
        redaction.obtained(password)
    return login


def make_login(root: Path) -> Login:
    """The one that is there, or a new one, which only this user may read."""
    if (known := read_login(root)) is not None:
        return known
    new = Login(secrets.token_urlsafe(_PASSWORD_BYTES), secrets.token_urlsafe(_PASSWORD_BYTES))
    draft = _file(root).with_name("login.json.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(dataclasses.asdict(new), file)
    draft.replace(_file(root))
    made = read_login(root)
    assert made is not None
    return made


def logged_in(settings: Kafka, data_dir: Path) -> Kafka:
    """The settings of a client of this data directory's broker: with its login where `embedded_auth` asks for one. Before the broker's
    first start there is none yet, and none is added."""
    if settings.bootstrap_servers is not None or settings.embedded_auth != "sasl":
        return settings
    login = read_login(data_dir.expanduser().resolve() / "kafka")
    return settings if login is None else login.applied(settings)


def _file(root: Path) -> Path:
    return root / "login.json"
