"""Reads `changecast.yaml`: the text, its variables, the models; and all that is wrong with any of them, at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from schemas import redaction
from schemas.config.checks import duplicate_names, ended_secrets, short_windows
from schemas.config.document import Document, Value, read_document
from schemas.config.document import Path as Place
from schemas.config.environment import Substituted, names_in, substitute
from schemas.config.explain import Explainer
from schemas.config.filters import idle_filters
from schemas.config.models import Config
from schemas.config.paths import absolute
from schemas.config.problems import ConfigError, Problem, in_order
from schemas.config.secret_files import fill_in_files
from schemas.config.secrets import secrets_of
from schemas.config.source import Source, read_source


@dataclass(frozen=True)
class Loaded:
    """A good config, and what an operator may want to hear of it. `unset`: the variables of credentials that have no value, for
    each provider that the config names. `warnings` are allowed, and probably slips. `files`: for each secret that comes from a file,
    the path as the config has it."""

    config: Config
    path: Path
    unset: dict[str, tuple[str, ...]] = field(default_factory=dict)
    warnings: list[Problem] = field(default_factory=list)
    files: dict[Place, Value] = field(default_factory=dict)


def load_config(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Config:
    """The config at `path` (default: `changecast.yaml` here), with `${NAME}` from `environ` (default: the process's) or a `.env`
    beside the file. Paths in it are relative to its folder. Raises ConfigError with everything that is wrong."""
    return read_config(path, environ=environ).config


def read_config(path: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Loaded:
    """As `load_config`, with warnings and unset credentials beside the config."""
    return config_of(read_source(path, environ=environ))


def config_of(source: Source) -> Loaded:
    """The config that a text makes. From here on the process redacts its secrets. Raises ConfigError with everything that is wrong."""
    document = _document(source)
    substituted = substitute(document, source.variables)
    folder = source.path.absolute().parent
    fill_in_files(substituted, folder, source.files)
    explainer = Explainer(str(source.path), document, substituted)
    problems = _faults(document, substituted, explainer)
    config = None
    try:
        config = Config.model_validate({} if substituted.value is None else substituted.value)
    except ValidationError as error:
        problems += _unless_told(list(explainer.problems(error)), problems)
    if config is not None:
        problems += [explainer.at(place, message) for place, message in short_windows(substituted.value, config.providers)]
    if problems or config is None:
        raise ConfigError(problems)
    findings = [*idle_filters(substituted.value, config.providers), *ended_secrets(substituted.value, datetime.now(UTC))]
    redaction.learn(secrets_of(config))
    warnings = in_order(explainer.at(place, message) for place, message in findings)
    files = {secret: document.at(place) for secret, place in substituted.files.items()}
    return Loaded(_anchored(config, folder), source.path, substituted.unset, warnings, files)


def references(source: Source) -> set[str]:
    """The names that the config's values refer to, as `{"TMDB_TOKEN"}`; comments don't count. Raises ConfigError for a text that
    is no YAML."""
    return set(names_in(_document(source).value))


def data_dir_of(source: Source) -> Path:
    """Where the config keeps its data, also when the rest is wrong, or names variables that are not set here. Raises ConfigError
    for a text that is no YAML."""
    value = substitute(_document(source), source.variables).value
    written = value.get("data_dir") if isinstance(value, dict) else None
    data_dir = Path(written) if isinstance(written, str) else Config().data_dir
    return absolute(data_dir, source.path.absolute().parent)


def _document(source: Source) -> Document:
    document = read_document(source.text)
    if not document.parsed:
        explainer = Explainer(str(source.path), document, Substituted(None))
        raise ConfigError([explainer.at((), flaw.message, flaw.span) for flaw in document.flaws])
    return document


def _faults(document: Document, substituted: Substituted, explainer: Explainer) -> list[Problem]:
    """What is wrong before the models look: YAML that we don't take, variables without a value, names that occur twice."""
    problems = [explainer.at(flaw.path, flaw.message, flaw.span) for flaw in document.flaws]
    problems += [explainer.at(place, message) for place, message in substituted.faults]
    lines = {place: spot.span.line + 1 for place, spot in document.spots.items()}
    return problems + [explainer.at(place, message) for place, message in duplicate_names(substituted.value, lines)]


def _unless_told(found: list[Problem], told: list[Problem]) -> list[Problem]:
    """Without those whose place has a problem already: a text whose variable is unset is no good address either."""
    places = {(problem.path, problem.line, problem.column) for problem in told}
    return [problem for problem in found if (problem.path, problem.line, problem.column) not in places]


def _anchored(config: Config, folder: Path) -> Config:
    """With every path absolute: relative ones start at the config file's folder, wherever the program runs."""
    files = {name: getattr(config.kafka, name) for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    files = {name: None if path is None else absolute(path, folder) for name, path in files.items()}
    kafka = config.kafka.model_copy(update=files)
    return config.model_copy(update={"data_dir": absolute(config.data_dir, folder), "kafka": kafka})
