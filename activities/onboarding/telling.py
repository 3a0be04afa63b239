"""What the retailer is told of applications. No personal data is in it."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from contracts.onboarding import Standing
from contracts.partner_events import ApplicationChanged, ApplicationWaits, Bilingual
from contracts.subjects import RETAILER

_WAITS: dict[str, tuple[str, str]] = {
    "draft": ("等待申请人提交申请。", "The applicant is to submit the application."),
    "revision": ("等待申请人补正被退回的材料。", "The applicant is to correct what was returned."),
    "bank": ("等待申请人确认小额打款金额。", "The applicant is to confirm the amount of the deposit."),
    "review": ("等待审核人员审核。", "The application waits for a reviewer."),
    "agreement": ("等待各方签署协议。", "The agreement waits for its signers."),
    "testing": ("等待合作伙伴确认收到测试事件。", "The partner is to acknowledge the test event."),
}


def told_change(row: Mapping[str, Any], before: Standing, after: Standing) -> list[tuple[str, str, BaseModel]]:
    """Nothing when it came to no other stage."""
    if after.stage == before.stage:
        return []
    data = ApplicationChanged(
        application=after.application,
        kind=row["kind"],
        region=row["region"],
        stage=after.stage,
        revision=after.revision,
        risk=after.risk,
        reasons=after.reasons,
        agreement=after.agreement,
        partner=after.partner,
    )
    return [(RETAILER, "application.changed.v1", data)]


def told_turn(standing: Standing) -> list[tuple[str, str, BaseModel]]:
    turn = standing.turn
    if turn is None:
        return []
    zh, en = _WAITS[standing.stage]
    if turn.role is not None:
        zh, en = f"{zh}已逾期，升级至 {turn.role}。", f"{en} It is overdue and was given to {turn.role}."
    elif turn.reminders:
        zh, en = f"提醒：{zh}", f"Reminder: {en}"
    data = ApplicationWaits(
        application=standing.application,
        stage=standing.stage,
        who=turn.who,
        due=turn.due,
        reminder=turn.reminders,
        escalated_to=turn.role,
        words=Bilingual(zh=zh, en=en),
    )
    return [(RETAILER, "application.waits.v1", data)]
