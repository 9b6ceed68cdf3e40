"""The redactor of this process: it knows every secret of the config and every token of a login.

There is one, as there is one root logger: a secret that one part holds must not leave by way of another.

    redaction.learn(secrets)          # when a config is loaded
    redaction.obtained(token)         # when a login answers
    redaction.redact(text)            # before a text is logged, stored or shown
    redaction.excerpt(body, 2048)     # the beginning of what somebody sent, redacted before it is cut
"""

from schemas.redaction.index import Secret
from schemas.redaction.redactor import MASK, Redactor

__all__ = ["MASK", "PROCESS", "Redactor", "Secret", "excerpt", "learn", "obtained", "redact", "redact_all"]

PROCESS = Redactor()

learn = PROCESS.learn
obtained = PROCESS.obtained
redact = PROCESS.redact
excerpt = PROCESS.excerpt
redact_all = PROCESS.redact_all
