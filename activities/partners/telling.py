"""What a partner and the retailer are told of how the partner stands, in both languages."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from contracts.hours import TIME_ZONE
from contracts.lifecycle import AGREEMENT, Ending
from contracts.partner_events import Bilingual, PartnerChanged, PartnerDocument, PartnerEnding, PartnerRenewal
from contracts.partnership import Offered
from contracts.requirements import Words, builtin_sets
from contracts.subjects import RETAILER

Told = tuple[str, str, BaseModel]
"""To whom, which type of event, and what it says."""

_STATES: dict[str, tuple[str, str]] = {
    "testing": ("账号已开通，请确认收到测试事件。", "You are set up. Acknowledge the test event."),
    "active": ("合作已生效，可以接收订单。", "You are active and are offered orders."),
    "suspended": (
        "合作已暂停：不再分配新订单，已有订单请继续完成。",
        "You are suspended: you get no new orders; finish those that you have.",
    ),
    "terminating": (
        "合作即将终止：不再分配新订单，已有订单与结算完成后终止。",
        "You are leaving: no new orders; it ends when open orders and settlements are done.",
    ),
    "terminated": ("合作已终止，访问凭证已失效。", "Your partnership has ended; keys and credentials are void."),
}


@cache
def _titles() -> dict[str, Words]:
    return {item.id: item.title for known in builtin_sets().values() for item in known.items}


def title_of(requirement: str) -> tuple[str, str]:
    """What a document is called, in both languages; its id, where a set of the operator's own asks for it."""
    title = _titles().get(requirement)
    return (f"“{title.zh}”", title.en) if title else (f"资质文件 {requirement}", requirement)


def _why_and_what_then(reason: str) -> tuple[str, str]:
    """Why somebody is suspended, and what ends it."""
    requirement = reason.removeprefix("document_expired:")
    if requirement != reason:
        zh, en = title_of(requirement)
        return (
            f"{zh}已到期，请提交新的文件（{requirement}），审核通过后自动恢复。",
            f"{en} has ended: send a new one ({requirement}), and you are active again when it is accepted.",
        )
    if reason == "agreement_expired":
        return (
            "协议已到期，续签后自动恢复。",
            "The agreement has ended: you are active again when the next one is signed.",
        )
    return "由我方暂停，恢复请联系我方。", "It was we who suspended you: ask us."


def told_state(partner: str, state: str, reasons: Sequence[str] = (), note: str | None = None) -> list[Told]:
    """`partner.changed.v1`, to both. Who is suspended is told why, and what to do."""
    zh, en = _STATES[state]
    if state == "suspended":
        why = [_why_and_what_then(reason) for reason in reasons]
        zh, en = zh + "".join(one for one, _ in why), " ".join([en, *(one for _, one in why)])
    data = PartnerChanged(partner=partner, state=state, reasons=list(reasons), note=note, words=Bilingual(zh=zh, en=en))
    return [(whom, "partner.changed.v1", data) for whom in (partner, RETAILER)]


def told_ending(partner: str, ending: Ending, days: int) -> list[Told]:
    """`partner.ending.v1`, to both."""
    what_zh, what = ("协议", "The agreement") if ending.what == AGREEMENT else title_of(ending.what)
    last = f"{(ending.until - timedelta(microseconds=1)).astimezone(ZoneInfo(TIME_ZONE)):%Y-%m-%d}"
    data = PartnerEnding(
        partner=partner,
        what=ending.what,
        until=ending.until,
        days=days,
        words=Bilingual(
            zh=f"{what_zh}将于 {days} 天内到期（有效期至 {last}）；到期未更新将暂停分配新订单。",
            en=f"{what} ends within {days} days; its last day is {last}. Without a new one you get no new orders from"
            " then on.",
        ),
    )
    return [(whom, "partner.ending.v1", data) for whom in (partner, RETAILER)]


_DOCUMENTS: dict[str, tuple[str, str]] = {
    "offered": ("已收到新的资质文件，等待审核。", "The new document was taken in and waits for a reviewer."),
    "waits": ("新的资质文件仍在等待审核。", "The new document still waits for a reviewer."),
    "accepted": ("新的资质文件已通过审核。", "The new document was accepted."),
    "returned": ("新的资质文件被退回，请按说明重新提交。", "The new document was returned; see the comment."),
}


def told_document(
    partner: str, offer: Offered, state: Literal["accepted", "returned"] | None = None, comment: str | None = None
) -> list[Told]:
    """`partner.document.v1`, to both; that a reviewer is awaited for too long, to the retailer only."""
    shown: Literal["offered", "waits", "accepted", "returned"]
    shown = state or ("offered" if offer.remind_at is not None else "waits")
    zh, en = _DOCUMENTS[shown]
    data = PartnerDocument(
        partner=partner,
        requirement=offer.requirement,
        state=shown,
        due=offer.due if state is None else None,
        escalated_to=offer.role,
        comment=comment,
        words=Bilingual(zh=zh, en=en),
    )
    whom = (RETAILER,) if shown == "waits" else (partner, RETAILER)
    return [(one, "partner.document.v1", data) for one in whom]


_RENEWALS: dict[str, tuple[str, str]] = {
    "signed": ("续签协议已签署。", "The next agreement is signed."),
    "declined": ("续签协议被拒签。", "The next agreement was declined."),
    "expired": ("续签协议未在期限内签署。", "The next agreement was not signed in time."),
    "cancelled": ("续签协议已撤回。", "The next agreement was withdrawn."),
}


def told_renewal(partner: str, agreement: str, outcome: str, until: datetime | None) -> list[Told]:
    """`partner.renewal.v1`, to both."""
    zh, en = _RENEWALS.get(outcome, ("续签协议未能生成。", "The next agreement could not be drafted."))
    data = PartnerRenewal(
        partner=partner, agreement=agreement, outcome=outcome, until=until, words=Bilingual(zh=zh, en=en)
    )
    return [(whom, "partner.renewal.v1", data) for whom in (partner, RETAILER)]
