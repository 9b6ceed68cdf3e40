"""Requests that polling leaves to an operator's command, as it stands in `changecast.cursors` under `<provider>:<holder>:loan`."""

from __future__ import annotations

import orjson
from pydantic import BaseModel, ConfigDict, Field

_SUFFIX = ":loan"


class Loan(BaseModel):
    """`holder` asks for `rate` requests/s of `provider`. Written again every few seconds while it is needed, and deleted after."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    provider: str
    holder: str
    rate: float = Field(gt=0)

    @property
    def key(self) -> bytes:
        return f"{self.provider}:{self.holder}{_SUFFIX}".encode()

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(mode="json"))


def is_loan_key(key: bytes) -> bool:
    """Whether a record of `changecast.cursors` is a loan, and neither a cursor nor a status."""
    return key.endswith(_SUFFIX.encode())
