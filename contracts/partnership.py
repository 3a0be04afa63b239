"""Partners: who they are to the retailer, what they may hear and say, and how they stand."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.base import Document, Moment
from contracts.carriers import DivisionPrefix
from contracts.ids import LocationId

PartnerKind = Literal["distributor", "franchise", "counter", "supplier", "carrier", "service"]
"""distributor; franchise store; counter in somebody else's shop; supplier; carrier; after-sales outlet."""
KINDS: tuple[PartnerKind, ...] = ("distributor", "franchise", "counter", "supplier", "carrier", "service")
SHIPPING: frozenset[PartnerKind] = frozenset({"distributor", "franchise", "counter"})
"""Kinds whose places ship orders, and so become locations."""

PartnerId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]

PartnerState = Literal["provisioning", "testing", "active", "suspended", "terminated"]
"""testing: everything is made, a test event waits to be acknowledged. suspended: no new orders, open ones finish."""


class HeldDocument(Document):
    """A document that counts for a partner: the requirement that it fulfils, and until when it is valid."""

    requirement: str
    digest: str
    """SHA-256 of the file, hex."""
    valid_until: Moment | None = None


class Offered(Document):
    """A new document in place of one that ends; it waits for a reviewer. `found`: codes of what the machine found
    wrong; with any it can only be returned."""

    requirement: str
    digest: str
    valid_until: Moment | None
    offered_at: Moment
    by: str
    found: list[str] = []
    remind_at: Moment | None = None
    """When the reviewers are reminded; null: they were."""
    due: Moment
    """They have so long; then it goes to `role`, and again after each such time."""
    role: str | None = None
    escalated: int = 0


class Enrolment(Document):
    course: str
    enrolled_at: Moment
    completed_at: Moment | None = None


Access = Literal["none", "to_collect", "collected", "revoked"]
"""Of the partner's API key and NATS credentials: they are made when the partner collects them, shown then and never
again, and kept nowhere."""


class PartnerRecord(Document):
    """A partner as it is kept in `partners`."""

    id: str
    kind: PartnerKind
    state: PartnerState
    name: str
    credit_code: str
    locations: list[LocationId] = []
    territory: list[DivisionPrefix] = []
    exclusive: bool = False
    """Whether nobody else of its kind may serve its territory with its categories."""
    categories: list[Category] = []
    price_list: str | None = None
    access: Access = "none"
    application: str
    agreement: str
    agreement_until: Moment
    test_number: int | None = None
    """The partner's number of its first test event, known once it was told."""
    agreements: int = 1
    """How many were drafted, for the application and since."""
    documents: list[HeldDocument] = []
    training: list[Enrolment] = []
    suspended_for: list[str] = Field(default=[])
    """Why it is suspended: codes such as `document_expired:business_licence`; empty unless it is."""
    terminating: bool = False
    """It goes when nothing is open any more."""
    renewing: str | None = None
    """The agreement that is out for signature in place of the one that ends."""
    reminded: dict[str, list[int]] = {}
    """By what ends (`agreement`, or a requirement): days before its end on which it was told."""
    offered: list[Offered] = []
    step: int = 0
    """The last step of its life that was carried out."""
    version: int = 1

    @property
    def streams(self) -> list[str]:
        """The streams that it reads and answers on: its own, and those of its locations."""
        return [self.id, *(location for location in self.locations if location != self.id)]
