"""Which place a customer is to go to, and when it is open. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from activities.service.bot.facts import day_told
from activities.service.bot.places import name_with_city
from contracts.applications import Language
from contracts.bot import Fact
from contracts.divisions import division
from contracts.geo import Point, distance_km
from contracts.hours import Hours, periods_from

SHOWN = 3
_SERVES = "service"
"""The channel of places that take goods in for repair; where none has it, every store is an outlet."""
_LEAST_NAME = 2


@dataclass(frozen=True, slots=True)
class Outlet:
    id: str
    name: str
    division: str
    point: Point | None
    time_zone: str
    hours: Hours | None


def outlets_of(locations: Sequence[Mapping[str, Any]]) -> list[Outlet]:
    """The stores among locations as the API shows them; those for service alone, where there are such."""
    stores = [one for one in locations if one["active"] and one["kind"] == "store"]
    serving = [one for one in stores if _SERVES in one["channels"]]
    return [_outlet(one) for one in serving or stores]


def nearest(outlets: Sequence[Outlet], code: str, here: Point | None) -> list[tuple[Outlet, float | None]]:
    """By distance from `here`, else from the middle of the city; those of the district first where neither is known,
    and those without a point last. With km."""
    start = here or _centre(code)
    far = [(one, distance_km(start, one.point) if start and one.point else None) for one in outlets]
    return sorted(
        far,
        key=lambda pair: (
            pair[1] is None,
            _apart(pair[0].division, code) if here is None else 0,
            pair[1] or 0,
            pair[0].id,
        ),
    )


def _apart(one: str, other: str) -> int:
    """0: the same district; 1: the same city; 2: the same province; 3: farther."""
    same = [digits for digits in (6, 4, 2) if one[:digits] == other[:digits]]
    return {6: 0, 4: 1, 2: 2}[same[0]] if same else 3


def named_in(text: str, outlets: Sequence[Outlet], place: str | None) -> Outlet | None:
    """The outlet whose name shares the longest run of characters with the text, longer than the name of the place does;
    none where two share as much."""
    plain = text.replace("店", " ").lower()
    known = division(place).name[:2] if place else ""
    shared = [
        (_shared(plain.replace(known, " ") if known else plain, one.name.replace("店", "").lower()), one)
        for one in outlets
    ]
    longest = max((length for length, _ in shared), default=0)
    best = [one for length, one in shared if length == longest]
    return best[0] if longest >= _LEAST_NAME and len(best) == 1 else None


def _shared(text: str, name: str) -> int:
    for size in range(len(name), _LEAST_NAME - 1, -1):
        if any(name[at : at + size] in text for at in range(len(name) - size + 1)):
            return size
    return 0


def outlet_fact(outlets: Sequence[Outlet], code: str, here: Point | None, now: datetime, language: Language) -> Fact:
    """The nearest few with distance and opening hours."""
    place = name_with_city(code)
    near = nearest(outlets, code, here)[:SHOWN]
    if not near:
        return Fact("outlet_none", found=False, values={"place": place})
    comma = "，" if language == "zh" else ", "
    lines = [
        f"{number}. {one.name}{_far(km, language, exact=here is not None)}{comma}{hours_told(one, None, now, language)}"
        for number, (one, km) in enumerate(near, 1)
    ]
    return Fact("outlets", values={"place": place, "outlets": "\n".join(lines)})


def hours_fact(outlet: Outlet | None, place: str, day: str | None, now: datetime, language: Language) -> Fact:
    if outlet is None:
        return Fact("outlet_none", found=False, values={"place": place})
    asked = date.fromisoformat(day) if day else None
    return Fact("hours", values={"outlet": outlet.name, "hours": hours_told(outlet, asked, now, language)})


def hours_told(outlet: Outlet, asked: date | None, now: datetime, language: Language) -> str:
    """Of a day, today's without one, and whether it is open now or when it opens again."""
    chinese = language == "zh"
    if outlet.hours is None:
        return "全天营业" if chinese else "open at all hours"
    local = now.astimezone(ZoneInfo(outlet.time_zone))
    day = asked or local.date()
    periods = ("、" if chinese else ", ").join(f"{a:%H:%M}–{b:%H:%M}" for a, b in outlet.hours.on(day))
    name = ("今天" if chinese else "today") if day == local.date() else day_told(day, language)
    told = f"{name} {periods}" if periods else f"{name}{'不营业' if chinese else ' closed'}"
    if asked is not None and asked != local.date():
        return told
    return f"{told}{'，' if chinese else ', '}{_now(outlet, local, language)}"


def _now(outlet: Outlet, local: datetime, language: Language) -> str:
    chinese = language == "zh"
    assert outlet.hours is not None
    coming = periods_from(outlet.hours, outlet.time_zone, local)
    if not coming:
        return "近期不营业" if chinese else "closed for the time being"
    opens, closes = coming[0]
    if opens <= local:
        return f"营业中，{closes:%H:%M} 关门" if chinese else f"open now, closes at {closes:%H:%M}"
    day = "今天" if opens.date() == local.date() and chinese else day_told(opens.date(), language)
    return f"现在休息，{day} {opens:%H:%M} 开门" if chinese else f"closed now, opens {day} {opens:%H:%M}"


def _far(km: float | None, language: Language, *, exact: bool) -> str:
    """Without an address only the middle of the city is known, which is no distance of the customer's."""
    if km is None or not exact:
        return ""
    return f"，约 {km:.1f} 公里" if language == "zh" else f", about {km:.1f} km"


def _centre(code: str) -> Point | None:
    known = division(code)
    while known.centre is None and known.parent is not None:
        known = division(known.parent)
    return known.centre


def _outlet(location: Mapping[str, Any]) -> Outlet:
    point, hours = location.get("point"), location.get("hours")
    return Outlet(
        location["id"],
        location["name"],
        location["division"],
        Point.model_validate(point) if point else None,
        location["time_zone"],
        Hours.model_validate(hours) if hours else None,
    )
