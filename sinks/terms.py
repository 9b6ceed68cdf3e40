"""Which limits the config sets, and which subscriptions share them: those of one address, the strictest of each kind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

from schemas.config import Subscription

_N = TypeVar("_N", int, float)


class Terms(NamedTuple):
    """`key`: hash of the address, so that no secret is in a topic. None: no such limit."""

    key: str
    rate: float | None
    concurrency: int | None

    @classmethod
    def of(cls, subscription: Subscription) -> Self:
        """One subscription's own."""
        if (slack := subscription.slack) is not None:
            if slack.webhook_url is not None:
                return cls(_hash(_address(slack.webhook_url.get_secret_value())), slack.rate, None)
            token = slack.token.get_secret_value() if slack.token else ""
            return cls(_hash(_address(slack.api_url), token, slack.channel or ""), slack.rate, None)
        webhook = subscription.webhook
        assert webhook is not None
        concurrency = webhook.concurrency if "concurrency" in webhook.model_fields_set else None
        return cls(_hash(_address(webhook.url)), webhook.rate, concurrency)

    @property
    def limited(self) -> bool:
        return self.rate is not None or self.concurrency is not None

    def strictest(self, other: Terms) -> Terms:
        """Both hold for one address."""
        return Terms(self.key, _least(self.rate, other.rate), _least(self.concurrency, other.concurrency))


def _least(one: _N | None, other: _N | None) -> _N | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _address(url: str) -> str:
    """Scheme and host are the same in any case."""
    parts = urlsplit(url)
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def terms_of(subscriptions: Iterable[Subscription]) -> dict[str, Terms]:
    """By subscription, those that are limited: the strictest terms of all subscriptions with its address."""
    own = {subscription.name: Terms.of(subscription) for subscription in subscriptions}
    by_key: dict[str, Terms] = {}
    for terms in own.values():
        by_key[terms.key] = terms.strictest(by_key.get(terms.key, terms))
    return {name: by_key[terms.key] for name, terms in own.items() if by_key[terms.key].limited}
