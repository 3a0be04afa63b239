"""What is said about a partner's keys and credentials over HTTP. Answers that hold them are kept nowhere."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from contracts.base import Request
from infra.credentials import Credentials

OVERLAP_MAX_S = 30 * 86_400


class Rotation(Request):
    """`overlap_s`: so long the credentials that the partner has count beside the new ones."""

    overlap_s: float = Field(default=3600, ge=0, le=OVERLAP_MAX_S)


class Nothing(Request):
    """Nothing is asked for."""


class BusCredentials(BaseModel):
    """`creds`: the text of a `.creds` file; shown now and never again. `inbox`: the prefix that its client must use."""

    creds: str
    inbox: str
    streams: list[str]
    expires_at: datetime


class PartnerKey(BaseModel):
    """An API key; shown now and never again."""

    key: str


class Access(BaseModel):
    """An API key and credentials for the bus; shown now and never again."""

    partner: str
    key: str
    credentials: BusCredentials


class Revoked(BaseModel):
    """`keys`: how many API keys ended; `webhooks`: how many are sent nothing any more, until an operator resumes them.
    `revoked_at`: the bus has taken the credentials back by then."""

    keys: int
    webhooks: int
    revoked_at: datetime


def shown(made: Credentials) -> dict[str, Any]:
    return {"creds": made.creds, "inbox": made.inbox, "streams": list(made.streams), "expires_at": made.expires_at}
