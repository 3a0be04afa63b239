"""What a partner and the retailer are told of how the partner stands, in both languages."""

from collections.abc import Sequence

from pydantic import BaseModel

from contracts.events import Bilingual, PartnerChanged
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


def told_state(partner: str, state: str, reasons: Sequence[str] = (), note: str | None = None) -> list[Told]:
    """`partner.changed.v1`, to both."""
    zh, en = _STATES[state]
    data = PartnerChanged(partner=partner, state=state, reasons=list(reasons), note=note, words=Bilingual(zh=zh, en=en))
    return [(whom, "partner.changed.v1", data) for whom in (partner, RETAILER)]
