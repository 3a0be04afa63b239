"""A deadline that explains itself: which hours counted, where the clock stood, and by which calendar. Pure."""

from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from activities.service.clocks import Promise
from contracts.base import Document, Moment
from contracts.caseclock import ClockKind, ClockState, Pause, counted, used_s
from contracts.requirements import Words
from contracts.service_calendar import ServiceCalendar
from contracts.worktime import Counted, DayKind

State = Literal["running", "standing", "met", "breached"]
_NAMES: dict[ClockKind, Words] = {
    "first_response": Words(zh="首次响应", en="First response"),
    "next_response": Words(zh="后续响应", en="Next response"),
    "resolution": Words(zh="解决", en="Resolution"),
    "level": Words(zh="本级停留", en="Stay at this level"),
    "silence": Words(zh="处理人无动作", en="Silence of the assignee"),
}
_DAYS: dict[DayKind, Words | None] = {
    "plain": None,
    "holiday": None,
    "make_up": Words(zh="调休上班", en="make-up workday"),
}
_SHOWN = 12


class CountedStretch(Document):
    """Working time that counted. `provisional`: the holidays of its year are not published."""

    start: Moment
    end: Moment
    kind: DayKind
    provisional: bool


class DeadlineExplained(Document):
    """One clock. `due` is null while it stands; `counted` are the hours of the target up to `due`."""

    clock: ClockKind
    state: State
    policy: str
    calendar: str
    zone: str
    target_s: int
    used_s: int
    started_at: Moment
    due: Moment | None
    met_at: Moment | None
    breached_at: Moment | None
    counted: list[CountedStretch]
    stood: list[Pause]
    words: Words


def explained(clock: ClockState, given: Promise, now: datetime) -> DeadlineExplained:
    """`given` has the calendar by which the clock was reckoned."""
    hours = counted(clock, given.calendar)
    used = used_s(clock, given.calendar, now)
    return DeadlineExplained(
        clock=clock.kind,
        state=_state(clock, now),
        policy=given.policy.pinned,
        calendar=given.calendar.pinned,
        zone=given.calendar.zone,
        target_s=clock.target_s,
        used_s=round(used),
        started_at=clock.started_at,
        due=clock.due,
        met_at=clock.met_at,
        breached_at=clock.breached_at,
        counted=[
            CountedStretch(start=one.start, end=one.end, kind=one.kind, provisional=one.provisional) for one in hours
        ],
        stood=clock.pauses,
        words=_words(clock, given.calendar, hours),
    )


def _state(clock: ClockState, now: datetime) -> State:
    if clock.breached_at is not None or (clock.met_at is None and clock.due is not None and clock.due <= now):
        return "breached"
    return "met" if clock.met_at is not None else "standing" if clock.stands else "running"


def _words(clock: ClockState, calendar: ServiceCalendar, hours: list[Counted]) -> Words:
    here = ZoneInfo(calendar.zone)
    due = f"{clock.due.astimezone(here):%Y-%m-%d %H:%M}" if clock.due is not None else None
    name, span, title = _NAMES[clock.kind], _span(clock.target_s), calendar.title
    stops = [one for one in clock.pauses if one.end is not None]
    zh = [f"{name.zh}时限 {span} 工作时间，按“{title.zh}”计算", f"截止 {due}" if due else "计时已暂停"]
    en = [
        f"{name.en}: {span} of working time by \u201c{title.en}\u201d",
        f"due {due}" if due else "the clock stands",
    ]
    zh.append("计入：" + "；".join(_stretch(one, here, "zh") for one in hours[:_SHOWN]))
    en.append("counted: " + "; ".join(_stretch(one, here, "en") for one in hours[:_SHOWN]))
    if len(hours) > _SHOWN:
        zh.append(f"以及另外 {len(hours) - _SHOWN} 段")
        en.append(f"and {len(hours) - _SHOWN} more stretches")
    if stops:
        zh.append(f"其间暂停 {len(stops)} 次，暂停的工作时间不计")
        en.append(f"it stood {len(stops)} times, and working time while it stood does not count")
    return Words(zh="；".join(zh) + "。", en="; ".join(en) + ".")


def _stretch(one: Counted, here: ZoneInfo, language: Literal["zh", "en"]) -> str:
    begun, ended = one.start.astimezone(here), one.end.astimezone(here)
    end = "24:00" if ended.date() != begun.date() and f"{ended:%H:%M}" == "00:00" else f"{ended:%H:%M}"
    notes = []
    kind = _DAYS[one.kind]
    if kind is not None:
        notes.append(getattr(kind, language))
    if one.provisional:
        notes.append({"zh": "该年节假日尚未公布", "en": "holidays not published"}[language])
    return f"{begun:%Y-%m-%d %H:%M}-{end}" + (f" ({', '.join(notes)})" if notes else "")


def _span(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest:02}" if rest else "")
