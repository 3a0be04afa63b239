"""Payments: what is asked of a payment provider and what it answers, one key each."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.money import Amount, Currency

PaymentOperation = Literal["authorise", "capture", "void", "refund"]
PaymentStatus = Literal["done", "declined", "failed"]

# Printable ASCII without spaces, because the key also travels as a header value.
PaymentKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,200}$")]

IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
INSTRUCTIONS_PER_REQUEST: Final = 200

# The one 409 that is not a refusal: the first request under this key has no answer yet.
IN_PROGRESS: Final = "request-in-progress"

# A capture or void that comes when the authorisation has lapsed: nothing is held any more, authorise anew.
AUTHORISATION_EXPIRED: Final = "authorisation-expired"

RESOURCES: Final[dict[PaymentOperation, str]] = {
    "authorise": "authorisations",
    "capture": "captures",
    "void": "voids",
    "refund": "refunds",
}


class PaymentInstruction(BaseModel):
    """One thing to do with an order's money; the same key always means the same thing.

    `reference` names the payment to capture, void or refund, as the authorisation answered it. A refund
    without it is of a payment that the customer made before the order came to us (prepaid); `paid` then says
    how much that was.
    A void ends the authorisation: its `amount` must be all that is authorised and not captured.
    """

    model_config = ConfigDict(frozen=True)

    key: PaymentKey
    order: str
    operation: PaymentOperation
    amount: Amount
    currency: Currency
    token: str | None = None
    reference: str | None = None
    paid: Amount | None = None


class PaymentOutcome(BaseModel):
    """`done` and `declined` are final; `failed` is unknown or temporary: try again under the same key."""

    model_config = ConfigDict(frozen=True)

    key: str
    status: PaymentStatus
    reference: str | None = None
    code: str | None = None
    detail: str | None = None


class PaymentInstructions(BaseModel):
    """Body of a bulk request; every item has its own key and its own answer."""

    instructions: list[PaymentInstruction] = Field(min_length=1, max_length=INSTRUCTIONS_PER_REQUEST)


class PaymentOutcomes(BaseModel):
    """Answer to a bulk request, in the order of its instructions."""

    outcomes: list[PaymentOutcome]


class PrepaidPayment(BaseModel):
    """A payment that the customer made before the order came to us, as a provider knows it."""

    model_config = ConfigDict(frozen=True)

    order: Annotated[str, StringConstraints(min_length=1)]
    amount: Amount
    currency: Currency
