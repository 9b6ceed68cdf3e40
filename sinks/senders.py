"""The way to each subscription's endpoint, by its config."""

from __future__ import annotations

from runtime.clock import Clock
from runtime.outbound import Outbound
from runtime.rate import RateLimit
from schemas.config import Config, Subscription
from sinks.answer import Sender
from sinks.breaker import Limits
from sinks.client import HttpClient, Paced, Poster, Rate
from sinks.endpoint import Bounds
from sinks.oauth2 import Authorized, Tokens
from sinks.signing import BadSecret
from sinks.slack import SlackSender
from sinks.webhook import WebhookSender


class Rates:
    """The rate limits of endpoints. Subscriptions that post to one Slack channel share one, since Slack counts by channel."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._channels: dict[tuple[str | None, str | None], RateLimit] = {}

    def of(self, subscription: Subscription) -> RateLimit | None:
        if (slack := subscription.slack) is not None:
            address = slack.webhook_url or slack.token
            channel = (address.get_secret_value() if address else None, slack.channel)
            return self._channels.setdefault(channel, RateLimit(slack.rate, self._clock))
        rate = subscription.webhook.rate if subscription.webhook else None
        return None if rate is None else RateLimit(rate, self._clock)


def sender_of(subscription: Subscription, config: Config, client: HttpClient, rate: Rate | None) -> Sender:
    """Raises BadSecret that names the subscription."""
    if subscription.slack is not None:
        return SlackSender(subscription, Paced(client, rate))
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
    )
