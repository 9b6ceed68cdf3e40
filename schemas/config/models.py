"""The shape of `changecast.yaml`. Every bound is a setting with the default that the design argues for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
)

from schemas.config.addresses import BaseUrl, SecretUrl, Url, has_userinfo
from schemas.config.connections import Certificates, ClientCertificate, OAuth2, ProxyUrl
from schemas.config.durations import Duration, Moment, Period
from schemas.config.expressions import compile_when
from schemas.config.fields import (
    Cidr,
    Count,
    Headers,
    HttpSecret,
    Invalid,
    Many,
    Nameserver,
    Number,
    Secret,
    Section,
    Servers,
    SigningSecret,
    UrnText,
    matching,
)
from schemas.config.providers import PROVIDER_NAMES, Pbs, Providers, Tmdb, TmdbWatch, Tvdb, every_provider
from schemas.config.templates import compile_template
from schemas.event import Action
from schemas.topics import Topics

__all__ = [
    "Breaker",
    "Config",
    "Delivery",
    "Kafka",
    "Match",
    "Metrics",
    "Network",
    "Pbs",
    "Providers",
    "Slack",
    "Subscription",
    "Tmdb",
    "TmdbWatch",
    "Tvdb",
    "Webhook",
]

_TOPIC_PREFIX = matching(r"[a-zA-Z0-9._-]{1,100}", 'a topic prefix is made of letters, digits, ".", "_" and "-", at most 100')
_HEAP = matching(r"[1-9]\d*[kKmMgG]", "not a heap size of Java: write 256m or 1g")
_NAME = matching(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}",
    'a subscription\'s name is made of letters, digits, "-" and "_", at most 64, and starts with a letter or a digit',
)
_LISTEN = matching(
    r"[\w.-]+|[\da-fA-F.]*:[\da-fA-F.]*:[\da-fA-F:.]*",
    "not an address to listen on: write 127.0.0.1 (this machine alone), 0.0.0.0 or :: (all of its networks), or a host's name",
)
_CONTENT_TYPE = matching(
    r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( *; *[\w-]+=[\w\"-]+)*",
    "not a content type: write application/json, or text/plain; charset=utf-8",
)

if TYPE_CHECKING:
    ProviderName = str
else:
    ProviderName = Literal[PROVIDER_NAMES]

_RETRY_SCHEDULE = [timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)]
"""After the first attempt: soon for a hiccup, then ever more rarely, 75.6 hours in all: longer than a weekend."""


class Kafka(Section):
    """`bootstrap_servers: null` runs the embedded broker. `embedded_auth`: `none` lets every program on this machine read and write its
    topics; with `sasl` it asks for a login (`changecast kafka properties` prints it). The other fields are aiokafka's, for a cluster."""

    bootstrap_servers: Servers | None = None
    embedded_port: Count = Field(default=9092, ge=0, le=65535)
    embedded_heap: Annotated[str, _HEAP] = "256m"
    embedded_auth: Literal["none", "sasl"] = "none"
    topic_prefix: Annotated[str, _TOPIC_PREFIX] = "changecast"
    partitions: Count = Field(default=4, ge=1, le=1000)
    replication_factor: Count | None = Field(default=None, ge=1)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "GSSAPI", "OAUTHBEARER"] | None = None
    sasl_plain_username: str | None = None
    sasl_plain_password: Secret | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: Secret | None = None

    @property
    def topics(self) -> Topics:
        return Topics(self.topic_prefix, self.partitions)


class Network(Section):
    """`allow`: CIDRs that webhooks may reach although they are private. `nameservers`: DNS servers that deliveries ask, instead of
    the system's. `ca`: certificates in PEM that every HTTP client trusts beside the system's. `proxy`: for providers and downloads,
    instead of HTTPS_PROXY; webhooks have `delivery.proxy`."""

    allow: Annotated[list[Cidr], Many] = Field(default=[])
    nameservers: Annotated[list[Nameserver], Many] = Field(default=[])
    ca: Certificates | None = None
    proxy: ProxyUrl | None = None


class Breaker(Section):
    """Opens when, of at least `requests` in `window`, the share `failed` failed; after `open_for` one probe goes out."""

    window: Period = timedelta(minutes=5)
    requests: Count = Field(default=10, ge=1)
    failed: Number = Field(default=0.7, gt=0, le=1)
    open_for: Period = timedelta(seconds=30)


class Delivery(Section):
    """How every endpoint is called and called again. `queue`: deliveries of one endpoint that wait in memory. `total_queue_bytes`: what
    waits of all of them; beyond it deliveries wait in Kafka, as they do beyond a full queue. `max_connections`: calls of all endpoints
    at a time; null: half of the file descriptors that the process may open. `alert_every`: of one endpoint, no two alerts come closer
    together. `removed_subscription_grace`: for so long the retries and the place of a subscription that no worker's config has are
    kept. `proxy`: webhooks and Slack go by way of this HTTP proxy, which then resolves their names in place of
    the address guard."""

    timeout: Period = timedelta(seconds=15)
    connect_timeout: Period = timedelta(seconds=5)
    retry_schedule: Annotated[list[Duration], Many] = Field(default=_RETRY_SCHEDULE)
    jitter: Number = Field(default=0.1, ge=0, le=1)
    retry_after_limit: Period = timedelta(hours=10)
    max_response_bytes: Count = Field(default=16 * 1024, gt=0)
    max_body_bytes: Count = Field(default=256 * 1024, gt=0)
    queue: Count = Field(default=1000, ge=1)
    total_queue_bytes: Count = Field(default=128 * 1024 * 1024, ge=1024 * 1024)
    max_connections: Count | None = Field(default=None, ge=1)
    disable_after: Period = timedelta(days=5)
    alert_every: Period = timedelta(hours=1)
    removed_subscription_grace: Duration = timedelta(hours=24)
    breaker: Breaker = Breaker()
    proxy: ProxyUrl | None = None


class Metrics(Section):
    """Where each worker shows its metrics to Prometheus; `port: null` does not. `changecast up` gives its parts this port and the next
    two; 0 takes any that is free, and the log says which."""

    port: Count | None = Field(default=None, ge=0, le=65533)
    host: Annotated[str, _LISTEN] = "127.0.0.1"


class Match(Section):
    """What a subscription wants. A key that is missing matches all; one change must satisfy key, action and language together."""

    provider: Annotated[list[ProviderName] | None, Many] = None
    entity: Annotated[list[str] | None, Many] = None
    key: Annotated[list[str] | None, Many] = None
    action: Annotated[list[Action] | None, Many] = None
    language: Annotated[list[str | None] | None, Many] = None
    id: Annotated[list[UrnText] | None, Many] = None
    within: Annotated[list[UrnText] | None, Many] = None
    unchanged: bool = False

    @field_validator("language", mode="before")
    @classmethod
    def _one_language_is_a_list(cls, value: Any) -> Any:
        """`language: null` in the file means changes that have no language."""
        return [None] if value is None else value


class PreviousSecret(Section):
    """A secret that has been replaced, and signs along until its receiver has the new one: to `until`, and not after."""

    secret: SigningSecret
    until: Moment


class Webhook(Section):
    """`secret`: `whsec_…` or `whsk_…`; several sign side by side. `previous_secrets`: those that a rotation has replaced.
    `rate`, `concurrency`: limits of the address over all workers, where the config sets them. `format`: the CloudEvent; `thin`, ids and
    links only; or `template`, a Jinja2 template over `event`. `content_type`: instead of the format's own. `client_certificate`: for
    receivers that want one (mutual TLS). `oauth2`: an access token in every request."""

    url: Url
    secret: Annotated[list[SigningSecret], Many] = Field(min_length=1)
    previous_secrets: Annotated[list[PreviousSecret], Many] = Field(default=[])
    headers: Headers = Field(default={})
    concurrency: Count = Field(default=8, ge=1, le=1000)
    rate: Number | None = Field(default=None, gt=0)
    format: Literal["cloudevent", "thin", "template"] = "cloudevent"
    template: Annotated[str, AfterValidator(lambda text: compile_template(text).text)] | None = Field(
        default=None, validate_default=True
    )
    content_type: Annotated[str, _CONTENT_TYPE] | None = None
    client_certificate: ClientCertificate | None = None
    oauth2: OAuth2 | None = None

    @field_validator("headers")
    @classmethod
    def _one_authorization(cls, headers: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if "authorization" in map(str.lower, headers) and has_userinfo(info.data.get("url", "")):
            raise Invalid("either an Authorization header, or a user and password in the address: both are the same header")
        return headers

    @field_validator("content_type")
    @classmethod
    def _one_content_type(cls, content_type: str | None, info: ValidationInfo) -> str | None:
        if content_type is not None and "content-type" in map(str.lower, info.data.get("headers", ())):
            raise Invalid("stands in `headers` already, as Content-Type: write one of them")
        return content_type

    @property
    def own_content_type(self) -> str | None:
        """Instead of the format's."""
        named = (value.get_secret_value() for name, value in self.headers.items() if name.lower() == "content-type")
        return self.content_type or next(named, None)

    @field_validator("template")
    @classmethod
    def _template_where_the_format_is_one(cls, template: str | None, info: ValidationInfo) -> str | None:
        if "format" not in info.data:
            return template
        if template is None and info.data["format"] == "template":
            raise Invalid("`format: template` needs a template beside it")
        if template is not None and info.data["format"] != "template":
            raise Invalid("a template is used with `format: template` only")
        return template

    @field_validator("oauth2")
    @classmethod
    def _no_other_authorization(cls, oauth2: OAuth2 | None, info: ValidationInfo) -> OAuth2 | None:
        if oauth2 is not None and any(name.lower() == "authorization" for name in info.data.get("headers", {})):
            raise Invalid("oauth2 sets the header Authorization: leave it out of headers")
        if oauth2 is not None and has_userinfo(info.data.get("url", "")):
            raise Invalid("oauth2 sets the header Authorization: leave user and password out of url")
        return oauth2

    @field_validator("client_certificate")
    @classmethod
    def _for_tls(cls, certificate: ClientCertificate | None, info: ValidationInfo) -> ClientCertificate | None:
        if certificate is not None and info.data.get("url", "https://").lower().startswith("http://"):
            raise Invalid("a client certificate is for https:// alone")
        return certificate


class Slack(Section):
    """An incoming webhook's `webhook_url`, or a bot `token` with a `channel`."""

    webhook_url: SecretUrl | None = None
    token: HttpSecret | None = None
    channel: str | None = Field(default=None, validate_default=True)
    api_url: BaseUrl = "https://slack.com/api"
    rate: Number = Field(default=1, gt=0)

    @field_validator("channel")
    @classmethod
    def _one_way_in(cls, channel: str | None, info: ValidationInfo) -> str | None:
        """Stands at the field, not at the model, so that it is told together with whatever else is wrong."""
        if "webhook_url" not in info.data or "token" not in info.data:
            return channel
        if (info.data["webhook_url"] is None) == (info.data["token"] is None):
            raise Invalid("needs either webhook_url, or token and channel")
        if info.data["token"] is not None and channel is None:
            raise Invalid("a bot token needs the channel to post to")
        return channel


class Subscription(Section):
    """`alerts`: it is told what is wrong with the other endpoints, beside what `match` and `when` let through; with neither of them,
    it gets alerts and no changes."""

    name: Annotated[str, _NAME]
    match: Match = Match()
    when: Annotated[str, AfterValidator(lambda text: compile_when(text).text)] | None = None
    since: Duration | None = Field(default=None, alias="from")
    webhook: Webhook | None = None
    slack: Slack | None = Field(default=None, validate_default=True)
    alerts: bool = False

    @field_validator("slack")
    @classmethod
    def _one_endpoint(cls, slack: Slack | None, info: ValidationInfo) -> Slack | None:
        if "webhook" in info.data and (info.data["webhook"] is None) == (slack is None):
            raise Invalid("needs exactly one endpoint: webhook or slack")
        return slack

    @property
    def alerts_only(self) -> bool:
        return self.alerts and self.when is None and "match" not in self.model_fields_set

    @model_serializer(mode="wrap")
    def _alerts_only_stays_so(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A `match` that is written matches something, even where it is all defaults."""
        written: dict[str, Any] = write(self)
        return {key: value for key, value in written.items() if key != "match"} if self.alerts_only else written


class Config(Section):
    data_dir: Path = Path(".changecast")
    kafka: Kafka = Kafka()
    providers: Providers = every_provider()
    network: Network = Network()
    delivery: Delivery = Delivery()
    metrics: Metrics = Metrics()
    subscriptions: list[Subscription] = Field(default=[])
