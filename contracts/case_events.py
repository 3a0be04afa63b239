"""Data of the events about service cases (see contracts.events). Nothing personal is in them."""

from typing import Literal

from pydantic import Field

from contracts.base import Document, Moment, Request
from contracts.ids import EventId
from contracts.partner_events import Bilingual


class CaseTold(Document):
    """`case.opened.v1` and `case.updated.v1`, to the partner that it concerns: what it is about, and how it stands.

    `question`: what you are asked, until `answer_by`; answer with `case.replies.v1`.
    """

    case: str
    kind: str
    state: str
    priority: str
    order: str | None = None
    parcel: str | None = None
    question: str | None = None
    answer_by: Moment | None = None
    words: Bilingual


class CaseChanged(Document):
    """`case.changed.v1`, to the retailer: how a case stands from now on; `messages` are to be fetched."""

    case: str
    kind: str
    state: str
    priority: str
    level: int
    region: str
    order: str | None = None
    partner: str | None = None
    team: str | None = None
    assignee: str | None = None
    messages: int
    """How many there are by now."""
    why: str


class CaseClock(Document):
    """`case.clock.v1`, to the retailer: so many percent of a promise are used up; 100: it is broken."""

    case: str
    clock: str
    percent: int
    at: Moment
    """When it came about."""
    level: int
    team: str | None = None
    assignee: str | None = None
    escalated_to: int | None = None
    """The level of the ladder that has it from now on."""
    words: Bilingual


CASE_REPLY_TYPE = "case.replies.v1"


class CaseReply(Request):
    """What a partner says about a case that it was told of."""

    id: EventId
    case: str = Field(min_length=1, max_length=40)
    text: str = Field(min_length=1, max_length=4000)


class CaseReplies(Request):
    """`case.replies.v1`, from a partner: up to 100 answers in one message."""

    replies: list[CaseReply] = Field(min_length=1, max_length=100)


class CaseReplyEvent(Document):
    """The envelope that a partner sends to `reply.v1.<its stream>`."""

    specversion: Literal["1.0"]
    id: EventId
    source: str
    type: Literal["case.replies.v1"]
    time: Moment | None = None
    data: CaseReplies
