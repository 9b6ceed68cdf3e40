"""The way to each subscription's endpoint, by its config."""

from __future__ import annotations

from runtime.outbound import Outbound
from schemas.config import Config, Subscription
from sinks.answer import Sender
from sinks.breaker import Limits
from sinks.client import HttpClient, Paced, Poster, Rate
from sinks.endpoint import Bounds
from sinks.oauth2 import Authorized, Tokens
from sinks.signing import BadSecret
from sinks.slack import SlackSender
from sinks.webhook import WebhookSender

_OVER_TIMEOUT_S = 0.5
"""A request ends by itself after `delivery.timeout`, and says more about why; an attempt of several requests is ended here."""


def sender_of(subscription: Subscription, config: Config, client: HttpClient, rate: Rate | None) -> Sender:
    """Raises BadSecret that names the subscription."""
    if subscription.slack is not None:
        return SlackSender(subscription, Paced(client, rate), rate)
    try:
        return WebhookSender(subscription, _poster_of(subscription, config, client, rate), config.delivery.max_body_bytes)
    except BadSecret as error:
        raise BadSecret(f"subscription {subscription.name}: {error}") from None


def _poster_of(subscription: Subscription, config: Config, client: HttpClient, rate: Rate | None) -> Poster:
    """The client of a webhook, with who we are to its receiver."""
    webhook = subscription.webhook
    assert webhook is not None
    certificate = webhook.client_certificate
    tls = None if certificate is None else Outbound.of(config.network).ssl_context_with(certificate)
    if webhook.oauth2 is None:
        return Paced(client, rate, tls)
    tokens = Tokens(webhook.oauth2, client)
    return Authorized(client, rate, tls, tokens, config.delivery.timeout.total_seconds())


def bounds_of(subscription: Subscription, config: Config) -> Bounds:
    webhook, delivery = subscription.webhook, config.delivery
    return Bounds(
        delivery.queue,
        concurrency=1 if webhook is None else webhook.concurrency,
        breaker=Limits.of(delivery.breaker),
        longest_pause=delivery.retry_after_limit.total_seconds(),
        longest_attempt=delivery.timeout.total_seconds() + _OVER_TIMEOUT_S,
    )
