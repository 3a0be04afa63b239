"""What the first level of service understands, knows and says."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from contracts.applications import Language
from contracts.base import Document, Request

Intent = Literal[
    "order_status",
    "delivery_eta",
    "cancel_order",
    "change_address",
    "return_request",
    "refund_status",
    "price_protection",
    "invoice",
    "nearest_outlet",
    "opening_hours",
    "complaint",
    "talk_to_human",
    "other",
]
INTENTS: tuple[Intent, ...] = get_args(Intent)

TEXT_MAX = 4000
Utterance = Annotated[str, StringConstraints(max_length=TEXT_MAX)]


class ToClassify(Request):
    """One line that `tongqu bot classify` reads."""

    text: Utterance


class Classified(Document):
    """One line that it writes. `handover`: a person is wanted or needed, because the customer asks for one or is
    angry; that the bot is not sure is in `confidence`, between 0 and 1."""

    intent: Intent
    confidence: float = Field(ge=0, le=1)
    handover: bool


@dataclass(frozen=True, slots=True)
class Thresholds:
    """answer: at least so sure of the intent to answer by it. ask: at least so sure to ask whether it is meant; below,
    the customer is asked to say it in other words. person: from which probability on a person is wanted or needed."""

    answer: float
    ask: float
    person: float


@dataclass(frozen=True, slots=True)
class Address:
    """Out of a message: `division` is a code of GB/T 2260, `line` the whole address as it was written."""

    division: str
    line: str


@dataclass(frozen=True, slots=True)
class Slots:
    """What a message names. `day`: ISO date."""

    order: str | None = None
    day: str | None = None
    division: str | None = None
    address: Address | None = None
    yes: bool = False
    no: bool = False


@dataclass(frozen=True, slots=True)
class Understood:
    """A message as the bot reads it. `person`: probability that a person is wanted or needed."""

    intent: Intent
    confidence: float
    second: Intent
    person: float
    slots: Slots = field(default_factory=Slots)


class Dialogue(Document):
    """What the bot must know of a conversation between messages. Nothing personal: an address that waits to be
    confirmed is read again from the message with the number `address_in`."""

    language: Language = "zh"
    intent: Intent | None = None
    """What was last answered or is being settled."""
    order: str | None = None
    division: str | None = None
    awaits: Literal["", "intent", "order", "place", "address", "confirm"] = ""
    """What the last question was about."""
    address_in: int | None = None
    failures: int = 0
    """Questions in a row that led nowhere."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known for an answer: a kind of answer, and what is filled into its sentence. `found`: there is an answer
    at all; else `kind` says what stands in its way."""

    kind: str
    found: bool = True
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deed:
    """A command to an order. `key`: idempotency key; the same message gives the same key, so it is done once."""

    what: Literal["cancel", "address", "return"]
    order: str
    key: str
    address: Address | None = None
    parcel: str | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """What the bot must look up before it can say more; `deed` is to be done."""

    what: Intent
    order: str | None = None
    division: str | None = None
    deed: Deed | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One step of a conversation. Where `ask` is set nothing is said yet: `reply` is called again with its facts."""

    does: Literal["answered", "asks", "hands_over"]
    text: str
    dialogue: Dialogue
    intent: Intent | None = None
    why: str = ""
    ask: Ask | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of the customer. `number`: in its case."""

    case: str
    number: int
    at: datetime
    text: str
