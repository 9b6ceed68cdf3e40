"""What is to be run: the config as it counts here, and whether the built-in sandbox stands in for the providers.

`up` decides, and hands its decisions on in the environment, so that each worker comes to the same config.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from changecast.sandbox.credentials import environment as sandbox_environment
from changecast.sandbox.credentials import foreseen_environment, load_environment, new_webhook_secret, sandbox_providers
from schemas.config import Config, Loaded, Providers, Source, config_of, read_config, read_source, references

DATA_DIR_VARIABLE = "CHANGECAST_DATA_DIR"
"""The data directory that `up` chose for its workers."""
SANDBOX_VARIABLE = "CHANGECAST_SANDBOX"
"""`providers` when those of the sandbox stand in for the config's, `receiver` when only its webhook and Slack are used. Where the
sandbox is, SANDBOX_URL says."""

SANDBOX_FOLDER = "sandbox"
"""Below the data directory: what was learnt from made-up providers never mixes with the real."""
SANDBOX_PREFIX = "sandbox"
"""Put behind the topic prefix on a cluster that is not ours alone, for the same reason."""
_USUAL_SANDBOX_PORT = 8787
_HIGHEST_PORT = 65535
_PORT_FILE = "port"
_LOOPBACK = ipaddress.ip_network("127.0.0.1/32")


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that is to be run: its port, its folder, and the variables by which configs refer to it."""

    port: int
    data_dir: Path
    variables: dict[str, str]

    @property
    def url(self) -> str:
        return self.variables["SANDBOX_URL"]


@dataclass(frozen=True)
class Plan:
    """`config` as the parts are to use it, made of `source`; `root` is the data directory before the sandbox got one of its own,
    `data_dir` that of the command line. `watches_sandbox`: the providers are the sandbox's."""

    source: Source
    root: Path
    data_dir: Path | None
    config: Config
    sandbox: Sandbox | None
    watches_sandbox: bool
    remarks: tuple[str, ...]

    @property
    def path(self) -> Path:
        return self.source.path

    @property
    def environment(self) -> dict[str, str]:
        """What the workers need to come to the same config."""
        environment = {DATA_DIR_VARIABLE: str(self.config.data_dir)}
        if self.sandbox is not None:
            environment |= self.sandbox.variables
            environment[SANDBOX_VARIABLE] = "providers" if self.watches_sandbox else "receiver"
        return environment


class SandboxMissing(Exception):
    """The config needs the sandbox, and none runs."""


def make_plan(path: Path | None, data_dir: Path | None = None) -> Plan:
    """Read the config (default: changecast.yaml here) and decide. Writes nothing: another `up` may run on the data directory.
    Raises ConfigError."""
    return _plan(read_source(path), data_dir, _foreseen_sandbox)


def settled(plan: Plan) -> Plan:
    """The same plan, with the sandbox's port and secret chosen and noted. Only for the one who holds the data directory, when no
    part of an earlier run has the port any more."""
    return plan if plan.sandbox is None else _plan(plan.source, plan.data_dir, _new_sandbox)


def with_free_port(plan: Plan) -> Plan:
    """The same plan, on another port where the sandbox's has been taken since. Only for the one who holds the data directory."""
    return plan if plan.sandbox is None or _is_free(plan.sandbox.port) else settled(plan)


def plan_again(plan: Plan, running: Sandbox | None) -> Plan:
    """Read the config once more, for what runs by `plan`. The sandbox stays the one that runs. Raises ConfigError, SandboxMissing."""

    def the_one_that_runs(_folder: Path) -> Sandbox:
        if running is None:
            raise SandboxMissing
        return running

    return _plan(read_source(plan.path), plan.data_dir, the_one_that_runs)


def _plan(source: Source, data_dir: Path | None, sandbox_in: Callable[[Path], Sandbox]) -> Plan:
    refers = any(name.startswith("SANDBOX_") for name in references(source))
    # the secret lies in the data directory, which only the config tells: it is read with stand-ins first
    stand_ins = sandbox_environment("http://127.0.0.1:9", new_webhook_secret()) if refers else {}
    loaded = config_of(source.with_variables(stand_ins))
    root = (data_dir or loaded.config.data_dir).absolute()
    watches = nothing_configured(loaded.config)
    sandbox = None
    if refers or watches:
        sandbox = sandbox_in(root / SANDBOX_FOLDER)
        source = source.with_variables(sandbox.variables)
        loaded = config_of(source)
    config = loaded.config.model_copy(update={"data_dir": root})
    if sandbox is not None and watches:
        config = watching_sandbox(config, sandbox.url).model_copy(update={"data_dir": root / SANDBOX_FOLDER})
    elif sandbox is not None:
        config = allowing_loopback(config)
    remarks = (*_remarks(loaded, watches), *(str(warning) for warning in loaded.warnings))
    return Plan(source, root, data_dir, config, sandbox, watches, remarks)


def _foreseen_sandbox(folder: Path) -> Sandbox:
    port = last_sandbox_port(folder)
    return Sandbox(port, folder, foreseen_environment(folder, port))


def _new_sandbox(folder: Path) -> Sandbox:
    port = sandbox_port(folder)
    return Sandbox(port, folder, load_environment(folder, port))


def config_of_worker(path: Path | None, environ: Mapping[str, str] = os.environ) -> Config:
    """The config for one part: as the file says, with what `up` decided where it was `up` that started the part."""
    return as_decided(read_config(path, environ=environ).config, environ)


def as_decided(config: Config, environ: Mapping[str, str] = os.environ) -> Config:
    """The config with what `up` decided, where the environment tells of it."""
    match environ.get(SANDBOX_VARIABLE):
        case "providers":
            config = watching_sandbox(config, environ["SANDBOX_URL"])
        case "receiver":
            config = allowing_loopback(config)
    if data_dir := environ.get(DATA_DIR_VARIABLE):
        config = config.model_copy(update={"data_dir": Path(data_dir)})
    return config


def nothing_configured(config: Config) -> bool:
    """Whether providers are named and none has its credentials. `providers: {}` names none, and means it."""
    return bool(config.providers.named()) and not config.providers.configured()


def watching_sandbox(config: Config, url: str) -> Config:
    """The config with the sandbox's providers, on topics of their own where the cluster may hold real ones."""
    kafka = config.kafka
    if kafka.bootstrap_servers is not None:
        kafka = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}.{SANDBOX_PREFIX}"})
    providers = Providers.model_validate(sandbox_providers(url))
    return allowing_loopback(config).model_copy(update={"providers": providers, "kafka": kafka})


def allowing_loopback(config: Config) -> Config:
    """The sandbox's receiver is on this machine, which deliveries may not reach unless it is allowed."""
    network = config.network.model_copy(update={"allow": [*config.network.allow, _LOOPBACK]})
    return config.model_copy(update={"network": network})


def _remarks(loaded: Loaded, watches: bool) -> list[str]:
    """What the reader should know about providers without credentials."""
    missing = [name for name, provider in loaded.config.providers.named().items() if not provider.configured]
    if watches:
        names = [name for provider in missing for name in loaded.unset.get(provider, ())]
        why = f" ({_listed(names)} not set)" if names else ""
        return [f"No provider is configured{why}: watching the built-in sandbox."]
    return [
        f"{provider} is not configured, and not polled"
        + (f": {_listed(loaded.unset[provider])} not set." if loaded.unset.get(provider) else ": it has no credential.")
        for provider in missing
    ]


def _listed(names: list[str] | tuple[str, ...]) -> str:
    """`A is`, `A and B are`, `A, B and C are`."""
    unique = list(dict.fromkeys(names))
    if len(unique) == 1:
        return f"{unique[0]} is"
    return f"{', '.join(unique[:-1])} and {unique[-1]} are"


def sandbox_port(folder: Path) -> int:
    """The port of the last time, else the usual one, else any that is free: addresses of pictures hold it, and a picture whose
    address has changed is a change."""
    candidates = (last_sandbox_port(folder), _USUAL_SANDBOX_PORT, _free_port())
    port = next(port for port in candidates if _is_free(port))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _PORT_FILE).write_text(str(port))
    return port


def last_sandbox_port(folder: Path) -> int:
    """The port that the sandbox of this folder was given last; the usual one where there was none."""
    note = folder / _PORT_FILE
    said = note.read_text() if note.exists() else ""
    return int(said) if said.isdecimal() and 0 < int(said) <= _HIGHEST_PORT else _USUAL_SANDBOX_PORT


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
