"""The broker's folder, `<data_dir>/kafka`, and what stands in it.

data/               Kafka's own: topics and metadata
logs/               broker.log (rolled), jvm.log (what the JVM itself prints), hs_err_*.log (a crash of the JVM)
server.properties   written at every start
cluster.json        cluster id, port and Kafka version; stays for as long as the data
login.json          the passwords of kafka.embedded_auth: sasl; stays for as long as the data
process.json        the process that runs, or ran last; gone after an orderly stop
lock                held while a process starts the broker here
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import errno
import logging
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TypeVar

import orjson

from changecast.kafka.errors import BrokerFailed, DiskFull
from changecast.kafka.login import Login, make_login, read_login
from runtime.data_dir import make_private

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_WITH_LOGIN = "SASL_PLAINTEXT"
_TEMPLATE = Path(__file__).with_name("server.properties")


@dataclass(frozen=True)
class LastStart:
    """What the last start used. A start with port 0 tries that port first, so that clients find it again."""

    kafka_version: str
    port: int


@dataclass(frozen=True)
class Process:
    """A broker process: its pid and creation time (seconds since the epoch, as psutil tells it), and its port. `owner_*` is the
    process that holds its leash, or None when it runs on its own. `sasl`: whether it asks for a login."""

    pid: int
    created: float
    port: int
    kafka_version: str
    owner_pid: int | None = None
    owner_created: float | None = None
    sasl: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


class Home:
    """Paths and small files of one data directory's broker."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir.expanduser().resolve() / "kafka"
        self.data = self.root / "data"
        self.logs = self.root / "logs"
        self.broker_log = self.logs / "broker.log"
        self.jvm_log = self.logs / "jvm.log"
        self.properties = self.root / "server.properties"
        self.lock = self.root / "lock"
        self._last_file = self.root / "last.json"
        self._process_file = self.root / "process.json"

    def make(self) -> None:
        """Create the folders. Raises BrokerFailed or DiskFull."""
        if "," in str(self.data):
            raise BrokerFailed(
                f"The data directory {self.root.parent} has a comma in its name, which Kafka reads as two directories.",
                "Choose another one with data_dir or --data-dir.",
            )
        with self.disk_errors():
            if (exposed := make_private(self.root.parent)) is not None:
                log.warning("%s", exposed)
            self.data.mkdir(parents=True, exist_ok=True)
            self.logs.mkdir(exist_ok=True)

    def cluster_id(self) -> str | None:
        """The id under which Kafka laid out its storage here; None when it has not, "" when the file does not
        name one. Kafka writes this file last, and at one stroke."""
        try:
            lines = (self.data / "meta.properties").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return None
        return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), "")

    def last_start(self) -> LastStart | None:
        return _read(self._last_file, LastStart)

    def write_last_start(self, last: LastStart) -> None:
        self._write(self._last_file, orjson.dumps(dataclasses.asdict(last)))

    def process(self) -> Process | None:
        """The process as it was noted; it may be long gone."""
        return _read(self._process_file, Process)

    def write_process(self, process: Process) -> None:
        content = dataclasses.asdict(process)
        if not process.sasl:
            del content["sasl"]  # an older version reads this too
        self._write(self._process_file, orjson.dumps(content))

    def forget_process(self) -> None:
        self._process_file.unlink(missing_ok=True)

    def crash_report(self, pid: int | str) -> Path:
        """What a JVM leaves when it crashes. Java itself puts its pid for `%p`."""
        return self.logs / f"hs_err_{pid}.log"

    def login(self) -> Login | None:
        """Raises BrokerFailed where it is not ours to read."""
        with self.disk_errors():
            return read_login(self.root)

    def make_login(self) -> Login:
        with self.disk_errors():
            return make_login(self.root)

    def asks_for_login(self) -> bool:
        """Whether the broker was last started so that it does."""
        with contextlib.suppress(FileNotFoundError):
            return f"CLIENT:{_WITH_LOGIN}" in self.properties.read_text(errors="replace")
        return False

    def write_properties(self, port: int, controller_port: int, login: Login | None = None) -> None:
        text = Template(_TEMPLATE.read_text()).substitute(
            port=port,
            controller_port=controller_port,
            log_dir=escape_property(str(self.data)),
            protocol="PLAINTEXT" if login is None else _WITH_LOGIN,
        )
        if login is not None:
            text += "\n" + "\n".join(["# kafka.embedded_auth: sasl", *login.server_properties()]) + "\n"
        self._write(self.properties, text.encode("ascii"))

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_name(path.name + ".new")
        with self.disk_errors():
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            draft.replace(path)

    @contextmanager
    def disk_errors(self) -> Iterator[None]:
        """Turn what the file system refuses into an error with a remedy."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    f"The disk of {self.root} is full.",
                    "Free some space, or choose a data directory on another disk with data_dir or --data-dir.",
                ) from error
            raise BrokerFailed(
                f"{error.filename or self.root} cannot be written: {error.strerror}.",
                "Make it writable for you, or choose another data directory with data_dir or --data-dir.",
            ) from error


def new_cluster_id() -> str:
    """A random id in Kafka's form: 16 bytes in URL-safe base64, which may not look like a command line option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):
            return text


def escape_property(value: str) -> str:
    """`value` as Java's Properties reads it back: its files are Latin-1, and a backslash escapes."""
    escaped = value.replace("\\", "\\\\")
    units = escaped.encode("utf-16-be")
    return "".join(
        chr(unit) if 0x20 <= unit < 0x7F else f"\\u{unit:04x}"
        for unit in (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    )


def _read(path: Path, kind: type[_T]) -> _T | None:
    """None when the file is absent, torn by a crash, or of another version: it then says nothing."""
    try:
        return kind(**orjson.loads(path.read_bytes()))
    except (FileNotFoundError, orjson.JSONDecodeError, TypeError):
        return None
