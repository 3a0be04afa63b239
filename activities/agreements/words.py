"""What signers are told, in Chinese and English. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from contracts.agreement_record import Agreement, NoticeKind, NoticeWords
from contracts.hours import TIME_ZONE

_REASON_MAX = 500


def words_of(agreement: Agreement, kind: NoticeKind) -> NoticeWords:
    """The same for all who are told."""
    zh, en = _TEXTS[kind]
    shown = {
        "id": agreement.id,
        "partner": agreement.partner.name,
        "retailer": agreement.retailer.name,
        "until": _day(agreement.expires_at),
        "from": _day(agreement.effective_from),
        "end": _day(agreement.effective_until),
        "who": next((s.name for s in agreement.signers if s.id == agreement.declined_by), ""),
        "reason": _reason(agreement),
    }
    return NoticeWords(zh=zh.format_map(shown), en=en.format_map(shown))


def _reason(agreement: Agreement) -> str:
    declined = next((s.reason for s in agreement.signers if s.id == agreement.declined_by), None)
    return (declined or agreement.cancel_reason or "-")[:_REASON_MAX]


def _day(moment: datetime | None) -> str:
    return f"{moment.astimezone(ZoneInfo(TIME_ZONE)):%Y-%m-%d %H:%M}" if moment else "-"


_TEXTS: dict[NoticeKind, tuple[str, str]] = {
    "asked": (
        "请签署{retailer}与{partner}的合作协议 {id}。链接有效至 {until}（北京时间）。",
        "Please sign the agreement {id} between {retailer} and {partner}. The link is good until {until} (China).",
    ),
    "reminded": (
        "合作协议 {id} 仍待您签署，请在 {until}（北京时间）前完成。",
        "The agreement {id} still waits for your signature. Please sign before {until} (China).",
    ),
    "declined": (
        "{who}拒绝签署合作协议 {id}，协议未成立。原因：{reason}",
        "{who} has declined to sign the agreement {id}; it is not concluded. Reason: {reason}",
    ),
    "expired": (
        "合作协议 {id} 未在 {until}（北京时间）前完成签署，已失效。",
        "The agreement {id} was not signed by all before {until} (China); it is not concluded.",
    ),
    "cancelled": (
        "合作协议 {id} 已由{retailer}撤回。原因：{reason}",
        "{retailer} has withdrawn the agreement {id}. Reason: {reason}",
    ),
    "signed": (
        "合作协议 {id} 已由各方签署，自 {from} 起生效，至 {end} 止（北京时间）。",
        "All parties have signed the agreement {id}. It counts from {from} until {end} (China).",
    ),
}
