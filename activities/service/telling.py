"""What customers, partners and the retailer are told of a case. Texts in Chinese and English. Pure."""

from datetime import datetime
from typing import Literal

from activities.service.work import Work
from contracts.case_events import CaseChanged, CaseClock, CaseTold
from contracts.cases import CaseRecord
from contracts.partner_events import Bilingual
from contracts.requirements import Words
from contracts.subjects import RETAILER

_CLOCKS = {
    "first_response": ("首次响应", "The first response"),
    "next_response": ("后续响应", "The next response"),
    "resolution": ("问题解决", "The resolution"),
}
_KINDS: dict[str, tuple[str, str]] = {
    "late_predicted": ("包裹预计无法按时送达", "A parcel will probably be late"),
    "late_missed": ("包裹已超过承诺时间", "A parcel is late"),
    "order_refused": ("订单被多家门店拒绝", "Several stores refused an order"),
    "refund_failed": ("退款失败", "A refund has failed"),
    "partner_silent": ("您已接单但未按时交付", "You accepted a parcel and have not handed it over"),
}
_RESOLVED = {
    "zh": "您的问题已处理完毕。如未解决，请直接回复，我们会继续为您处理；也欢迎为本次服务打分（1 到 5 分）。",
    "en": "Your case is resolved. If it is not, just answer and we go on; please also rate our service from 1 to 5.",
}
_GIVEN_UP = {
    "zh": "因长时间未收到您的回复，工单已结束。如仍需帮助，请直接回复。也欢迎为本次服务打分（1 到 5 分）。",
    "en": "We have not heard from you, so the case is ended. Answer if you still need us, and please rate us, 1 to 5.",
}


def resolved_words(language: str, code: str) -> str:
    return (_GIVEN_UP if code == "given_up" else _RESOLVED)[language]


def tell_clock(
    work: Work, clock: str, percent: int, at: datetime, words: Words | None = None, level: int | None = None
) -> None:
    """`case.clock.v1`. `words`: of the ladder; `level`: to which the case has come."""
    case = work.case
    zh, en = _CLOCKS.get(clock, ("处理时限", "The time at this level"))
    if percent == 100:
        plain = Bilingual(zh=f"工单 {case.id} {zh}已超时。", en=f"{en} of {case.id} is overdue.")
    else:
        plain = Bilingual(zh=f"工单 {case.id} {zh}已用去 {percent}%。", en=f"{en} of {case.id}: {percent}% is used up.")
    data = CaseClock(
        case=case.id,
        clock=clock,
        percent=percent,
        at=at,
        level=case.level,
        team=case.team,
        assignee=case.assignee,
        escalated_to=level,
        words=plain if words is None else Bilingual(zh=words.zh, en=words.en),
    )
    work.tell(RETAILER, "case.clock.v1", data)


def tell_partner(work: Work, question: str | None = None, answer_by: datetime | None = None) -> None:
    """`case.opened.v1` at first, then `case.updated.v1`, on the partner's stream."""
    case = work.case
    if case.partner is None:
        return
    told = case.partner in case.partners_told
    case.partners_told = case.partners_told if told else [*case.partners_told, case.partner]
    data = CaseTold(
        case=case.id,
        kind=case.kind,
        state=case.state,
        priority=case.priority,
        order=case.order,
        parcel=case.parcel,
        question=question,
        answer_by=answer_by,
        words=_for_partner(case, question is not None),
    )
    work.tell(case.partner, "case.updated.v1" if told else "case.opened.v1", data)


def _for_partner(case: CaseRecord, asked: bool) -> Bilingual:
    zh, en = _KINDS.get(case.kind, ("有一个涉及您的服务工单", "A service case concerns you"))
    if case.state in ("resolved", "closed"):
        return Bilingual(zh=f"{zh}：工单 {case.id} 已解决。", en=f"{en}: case {case.id} is resolved.")
    if asked:
        return Bilingual(zh=f"{zh}：请在时限内答复工单 {case.id}。", en=f"{en}: please answer case {case.id} in time.")
    return Bilingual(zh=f"{zh}：工单 {case.id}。", en=f"{en}: case {case.id}.")


def tell_changes(work: Work) -> None:
    """At the end of a step: the retailer hears that something changed, the partner that it is over."""
    case, before = work.case, work.before
    if _seen(case) == _seen(before):
        return
    over: Literal["resolved"] = "resolved"
    if case.state == over and before.state != over and case.partner in case.partners_told:
        tell_partner(work)
    data = CaseChanged(
        case=case.id,
        kind=case.kind,
        state=case.state,
        priority=case.priority,
        level=case.level,
        region=case.region,
        order=case.order,
        partner=case.partner,
        team=case.team,
        assignee=case.assignee,
        messages=case.messages,
        why=", ".join(dict.fromkeys(work.why)) or "message",
    )
    work.tell(RETAILER, "case.changed.v1", data)


def _seen(case: CaseRecord) -> tuple[object, ...]:
    money = [(one.number, one.state) for one in case.compensations]
    return (case.state, case.priority, case.level, case.team, case.assignee, case.messages, case.kind, money)
