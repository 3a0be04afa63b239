"""What an order's own view says to a customer's question. Pure: out of the API's JSON."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from contracts.applications import Language
from contracts.bot import Fact
from contracts.hours import TIME_ZONE

_PREPARING = frozenset({"offered", "accepted", "packed", "held"})
_ON_WAY = frozenset({"shipped"})
_OVER = frozenset({"rejected", "expired", "withdrawn"})


def status_of(order: Mapping[str, Any], language: Language) -> Fact:
    """How far an order has come, with each parcel's tracking."""
    stage, values = order["stage"], _about(order, language)
    if stage in ("cancelled", "cancelling"):
        return Fact(f"status_{stage}", values=values)
    parcels = _going(order)
    states = {parcel["state"] for parcel in parcels}
    if not parcels:
        kind = "status_awaits_payment" if stage == "held" and order.get("hold_until") else "status_looking"
    elif states <= {"delivered"}:
        kind = "status_delivered"
    elif states <= _PREPARING:
        kind = "status_preparing"
    elif states <= _ON_WAY:
        kind = "status_shipped"
    else:
        kind = "status_parts"
    return Fact(
        kind, values={**values, "parcels": parcels_told(parcels, language), **_eta_value(parcels, order, language)}
    )


def eta_of(order: Mapping[str, Any], language: Language, asked: str | None, now: datetime) -> Fact:
    """When what is not delivered will come, as last predicted; `asked`: the ISO date that the customer needs it by."""
    values = {**_about(order, language), "parcels": parcels_told(_going(order), language)}
    if order["stage"] in ("cancelled", "cancelling"):
        return Fact(f"status_{order['stage']}", values=values)
    waited = [parcel for parcel in _going(order) if parcel["state"] != "delivered"]
    if _going(order) and not waited:
        return Fact("status_delivered", values=values)
    day = _expected(waited, order)
    if day is None:
        return Fact("eta_unknown", values=values)
    values["day"] = day_told(day, language)
    if day < now.astimezone(ZoneInfo(TIME_ZONE)).date():
        return Fact("eta_late", values=values)
    if asked:
        wished = date.fromisoformat(asked)
        return Fact(
            "eta_in_time" if day <= wished else "eta_too_late", values={**values, "asked": day_told(wished, language)}
        )
    return Fact("eta", values=values)


def refund_of(order: Mapping[str, Any], returns: Sequence[Mapping[str, Any]], language: Language) -> Fact:
    """What was paid back, and what is still to come."""
    payment, values = order["payment"], _about(order, language)
    values["refunded"] = money_told(payment["refunded"], order["currency"])
    waiting = [one for one in returns if one["state"] not in ("closed", "refused", "refunded")]
    if waiting:
        return Fact(f"refund_return_{waiting[0]['state']}", values={**values, "return": waiting[0]["id"]})
    if order["stage"] in ("cancelling", "refunding"):
        return Fact("refund_under_way", values=values)
    if payment["refunded"] > 0:
        return Fact("refund_done", values=values)
    if order["stage"] == "cancelled" and payment["captured"] == 0:
        return Fact("refund_nothing_taken", values=values)
    if any(one["state"] == "refused" for one in returns):
        return Fact("refund_return_refused", found=False, values=values)
    return Fact("refund_none", values=values)


def cancellable(order: Mapping[str, Any], language: Language) -> Fact:
    """Whether there is something to cancel; the order itself decides when it is told."""
    values = _about(order, language)
    if order["stage"] in ("cancelled", "cancelling"):
        return Fact(f"status_{order['stage']}", values=values)
    parcels = _going(order)
    if parcels and all(parcel["state"] not in _PREPARING for parcel in parcels):
        return Fact("cancel_too_late", values=values)
    return Fact("cancel_confirm", values=values)


def movable(order: Mapping[str, Any], line: str | None, language: Language) -> Fact:
    """Whether the order can still go elsewhere; `line`: the address that was named."""
    values = _about(order, language)
    if order["stage"] in ("cancelled", "cancelling"):
        return Fact(f"status_{order['stage']}", values=values)
    if any(parcel["state"] not in _PREPARING for parcel in _going(order)):
        return Fact("address_too_late", values=values)
    return Fact("address_confirm", values={**values, "address": line}) if line else Fact("address_which", values=values)


def returnable(order: Mapping[str, Any], language: Language) -> Fact:
    """Whether there is one parcel that can come back; `parcel` is its id."""
    values = _about(order, language)
    had = [parcel for parcel in _going(order) if parcel["state"] == "delivered"]
    if len(had) == 1:
        return Fact("return_confirm", values={**values, "parcel": had[0]["id"]})
    return Fact("return_which" if had else "return_not_delivered", found=bool(had), values=values)


def price_of(order: Mapping[str, Any], language: Language) -> Fact:
    """What was paid, for whoever compares prices."""
    return Fact("paid", values=_about(order, language))


def parcels_told(parcels: Sequence[Mapping[str, Any]], language: Language) -> str:
    """A line for each parcel."""
    colon, number = ("：", "，运单号 ") if language == "zh" else (": ", ", tracking ")
    lines = []
    for parcel in parcels:
        carrier = (parcel.get("service") or "").split("/")[0]
        tracking = " ".join(filter(None, (carrier, parcel.get("tracking")))) if parcel.get("tracking") else ""
        shown = f"{number}{tracking}" if tracking else ""
        lines.append(f"· {parcel['id']}{colon}{_STATES[language][parcel['state']]}{shown}")
    return "\n".join(lines)


def money_told(amount: int, currency: str) -> str:
    """Minor units as people write them."""
    sign = {"CNY": "¥", "BRL": "R$"}.get(currency, currency + " ")
    return f"{sign}{amount // 100:,}.{amount % 100:02d}"


def day_told(day: date, language: Language) -> str:
    if language == "zh":
        return f"{day.month}月{day.day}日（周{'一二三四五六日'[day.weekday()]}）"
    return f"{day:%a} {day.day} {day:%b}"


def _about(order: Mapping[str, Any], language: Language) -> dict[str, str]:
    return {
        "order": order["id"],
        "total": money_told(order["total"], order["currency"]),
        "placed": day_told(_moment(order["placed_at"]).astimezone(ZoneInfo(TIME_ZONE)).date(), language),
    }


def _going(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [parcel for parcel in order["parcels"] if parcel["state"] not in _OVER]


def _expected(parcels: Sequence[Mapping[str, Any]], order: Mapping[str, Any]) -> date | None:
    """The day of the last parcel that is waited for, else the order's promise."""
    known = [parcel["promised_at"] for parcel in parcels if parcel.get("promised_at")]
    if parcels and len(known) == len(parcels):
        return max(_moment(one) for one in known).astimezone(ZoneInfo(TIME_ZONE)).date()
    promised = order.get("deliver_by")
    return _moment(promised).astimezone(ZoneInfo(TIME_ZONE)).date() if promised else None


def _eta_value(parcels: Sequence[Mapping[str, Any]], order: Mapping[str, Any], language: Language) -> dict[str, str]:
    waited = [parcel for parcel in parcels if parcel["state"] != "delivered"]
    day = _expected(waited, order) if waited else None
    if day is None:
        return {"eta": ""}
    told = day_told(day, language)
    return {"eta": f"预计 {told} 送达。" if language == "zh" else f"Expected by {told}."}


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_STATES: dict[Language, dict[str, str]] = {
    "zh": {
        "held": "待付款", "offered": "等待门店接单", "accepted": "门店已接单，备货中", "packed": "已打包，等待揽收",
        "shipped": "已发货，运输中", "delivered": "已签收", "returning": "退回途中", "returned": "已退回",
        "lost": "已丢失",
    },
    "en": {
        "held": "waiting for payment", "offered": "waiting for a store to take it", "accepted": "being prepared",
        "packed": "packed, waiting for the courier", "shipped": "on its way", "delivered": "delivered",
        "returning": "on its way back", "returned": "back with us", "lost": "lost",
    },
}  # fmt: skip
