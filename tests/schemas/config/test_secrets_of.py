"""What the redactor is given of a config, and that loading one is enough."""

from __future__ import annotations

import base64
from pathlib import Path

from schemas import redaction
from schemas.config import secrets_of
from tests.schemas.config.samples import SECRET, load

CONFIG = f"""\
kafka: {{sasl_plain_username: operator, sasl_plain_password: kafka-pw, ssl_password: ssl-password-1}}
providers:
  tmdb: {{token: tmdb-token-1, base_url: "https://tmdb.test/3"}}
  pbs: {{key: pbskey, secret: pbssec}}
  tvdb: {{apikey: tvdb-apikey-1, userkey: tvdb-userkey-1, username: somebody}}
subscriptions:
  - name: hook
    webhook:
      url: "https://example.org/hooks/in?sig=4bcdefgh5jklmnop&x=1"
      secret: ["{SECRET}"]
      previous_secrets: [{{secret: "whsec_{base64.b64encode(b"o" * 32).decode()}", until: 2099-01-01}}]
      headers:
        Authorization: Bearer bearer-token-1
        X-Basic: Basic {base64.b64encode(b"me:basic-pw").decode()}
        Content-Type: application/json
        X-Source: changecast
  - {{name: login, webhook: {{url: "https://me:userinfo%21@example.org/in", secret: "{SECRET}"}}}}
  - {{name: short, webhook: {{url: "https://example.org/in", secret: "{SECRET}"}}}}
  - {{name: slack, slack: {{webhook_url: "https://hooks.slack.com/services/T0/B0/abcdef0123456789"}}}}
  - {{name: bot, slack: {{token: xoxb-token-1, channel: news}}}}
"""


def test_all_that_gives_access_is_a_secret(tmp_path: Path) -> None:
    found = {secret.value for secret in secrets_of(load(tmp_path, CONFIG))}

    assert found >= {
        *("kafka-pw", "ssl-password-1", "tmdb-token-1", "userinfo!", "pbskey", "pbssec", "tvdb-apikey-1", "tvdb-userkey-1"),
        *(SECRET, SECRET.removeprefix("whsec_"), base64.b64encode(b"o" * 32).decode()),
        *("/hooks/in?sig=4bcdefgh5jklmnop&x=1", "4bcdefgh5jklmnop", "/hooks/in"),
        *("Bearer bearer-token-1", "bearer-token-1", "basic-pw", "xoxb-token-1"),
        *("https://hooks.slack.com/services/T0/B0/abcdef0123456789", "/services/T0/B0/abcdef0123456789", "abcdef0123456789"),
    }
    assert not found & {
        "application/json",
        "changecast",
        "/in",
        "example.org",
        "operator",
        "somebody",
        "news",
        "https://example.org/in",
        "x=1",
    }


def test_a_process_redacts_the_secrets_of_the_config_that_it_has_loaded(tmp_path: Path) -> None:
    load(tmp_path, CONFIG)

    for pair in (b"pbskey:pbssec", b"operator:kafka-pw", b"anybody:tvdb-apikey-1"):
        assert redaction.redact(f"Basic {base64.b64encode(pair).decode()}").startswith("Basic ***")
    assert redaction.redact("POST https://example.org/hooks/in?sig=4bcdefgh5jklmnop&x=1") == "POST https://example.org***"
    assert redaction.redact("to https://example.org/in, application/json") == "to https://example.org/in, application/json"
