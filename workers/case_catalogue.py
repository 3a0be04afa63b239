"""Events about service cases: to whom each goes, and an example; and what partners answer."""

from datetime import UTC, datetime, timedelta

from contracts.case_events import (
    CASE_REPLY_TYPE,
    CaseChanged,
    CaseClock,
    CaseReplies,
    CaseReply,
    CaseReplyEvent,
    CaseTold,
)
from contracts.partner_events import Bilingual
from contracts.subjects import RETAILER
from workers.catalogue import LOCATION, Told

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_CASE = "case-01kjt3w9x8c4m2p7q5"
_ORDER = "shop-100042"

OF_CASES: tuple[Told, ...] = (
    Told(
        "case.opened.v1",
        LOCATION,
        "A service case concerns you. With a `question`: answer it by `answer_by` with `case.replies.v1`.",
        _CASE,
        CaseTold(
            case=_CASE,
            kind="late_missed",
            state="open",
            priority="high",
            order=_ORDER,
            parcel=f"{_ORDER}.p1",
            words=Bilingual(zh=f"包裹已超过承诺时间：工单 {_CASE}。", en=f"A parcel is late: case {_CASE}."),
        ),
    ),
    Told(
        "case.updated.v1",
        LOCATION,
        "News of a case that you were told of: you are asked something, or it is resolved.",
        _CASE,
        CaseTold(
            case=_CASE,
            kind="late_missed",
            state="waiting_partner",
            priority="high",
            order=_ORDER,
            parcel=f"{_ORDER}.p1",
            question="When will the parcel be handed over?",
            answer_by=_AT + timedelta(hours=8),
            words=Bilingual(
                zh=f"包裹已超过承诺时间：请在时限内答复工单 {_CASE}。",
                en=f"A parcel is late: please answer case {_CASE} in time.",
            ),
        ),
    ),
    Told(
        "case.changed.v1",
        RETAILER,
        "How a case stands from now on; `why` says in codes what happened. When `messages` has grown, fetch them with "
        "GET /v1/cases/{id}/messages: what is not internal is for the customer.",
        _CASE,
        CaseChanged(
            case=_CASE,
            kind="complaint",
            state="waiting_customer",
            priority="high",
            level=1,
            region="330106",
            order=_ORDER,
            team="first-east",
            assignee="lin",
            messages=3,
            why="message",
        ),
    ),
    Told(
        "case.clock.v1",
        RETAILER,
        "So many percent of a promise are used up, 100: it is broken; or a case has climbed the ladder, to "
        "`escalated_to`. See that team and assignee hear of it.",
        _CASE,
        CaseClock(
            case=_CASE,
            clock="first_response",
            percent=75,
            at=_AT,
            level=1,
            team="first-east",
            assignee="lin",
            words=Bilingual(
                zh=f"工单 {_CASE} 首次响应已用去 75%。", en=f"The first response of {_CASE}: 75% is used up."
            ),
        ),
    ),
)

CASE_ANSWERED = CaseReplyEvent(
    specversion="1.0",
    id="7c1f0f5e-30a7-4a0e-9a7e-2b8f4e1d9c33",
    source=LOCATION,
    type=CASE_REPLY_TYPE,
    time=_AT,
    data=CaseReplies(replies=[CaseReply(id=f"{_CASE}:1", case=_CASE, text="今天 18 点前交给快递。")]),
)
"""An example."""
