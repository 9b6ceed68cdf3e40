"""`changecast.yaml`: its models, and the loader that says file, line and column of what is wrong."""

from schemas.config.document import Path as Place
from schemas.config.document import Value
from schemas.config.expressions import BoundEvent, Expression, ExpressionError, bind, compile_when
from schemas.config.loader import Loaded, config_of, data_dir_of, load_config, read_config, references
from schemas.config.models import Breaker, Config, Delivery, Kafka, Match, Metrics, Network, Slack, Subscription, Webhook
from schemas.config.problems import ConfigError, Problem
from schemas.config.providers import Pbs, Provider, Providers, Tmdb, TmdbWatch, Tvdb
from schemas.config.secret_files import SecretFiles
from schemas.config.secrets import secrets_of
from schemas.config.source import DEFAULT_PATH, Source, read_source

__all__ = [
    "DEFAULT_PATH",
    "BoundEvent",
    "Breaker",
    "Config",
    "ConfigError",
    "Delivery",
    "Expression",
    "ExpressionError",
    "Kafka",
    "Loaded",
    "Match",
    "Metrics",
    "Network",
    "Pbs",
    "Place",
    "Problem",
    "Provider",
    "Providers",
    "SecretFiles",
    "Slack",
    "Source",
    "Subscription",
    "Tmdb",
    "TmdbWatch",
    "Tvdb",
    "Value",
    "Webhook",
    "bind",
    "compile_when",
    "config_of",
    "data_dir_of",
    "load_config",
    "read_config",
    "read_source",
    "references",
    "secrets_of",
]
