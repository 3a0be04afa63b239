"""A proposal's series drawn with characters: what was asked for, the band of the sum ahead, position, reorder point.

Shape and place say everything, colour nothing. Pure: lines of text out of what `why` answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Literal

from rich.cells import cell_len

from contracts.supply import Forecast, Target
from workers.cli.supply_tables import position

Row = Mapping[str, Any]
Language = Literal["en", "zh"]
LEAST_WIDTH = 40
"""Columns; a terminal that is narrower breaks the lines."""
LEVELS = "▁▂▃▄▅▆▇█"
NOTHING, OUT = "·", "×"
_OUTER, _INNER = (0.05, 0.95), (0.25, 0.75)
_WORDS: dict[str, tuple[str, str]] = {
    "history": ("Asked for each day, {first} to {last} (up to {top})", "每日需求，{first} 至 {last}（最高 {top}）"),
    "ahead": ("then expected for {days} days", "其后为未来 {days} 天预测"),
    "out": (
        "× out of stock for a part of the day: at least so many were asked for",
        "× 当日缺货：至少这么多",
    ),
    "sum": ("The sum of {days} days, and what there is", "未来 {days} 天需求之和与现有数量"),
    "demand": ("demand", "需求"),
    "position": ("position", "库存位置"),
    "reorder": ("reorder at", "再订货点"),
    "up_to": ("fill up to", "目标库存"),
    "band": ("▒ 50 % and ░ 90 % of such sums, ┃ their mean", "▒ 50% 与 ░ 90% 区间，┃ 均值"),
    "gone": ("The forecast of this run is kept no more.", "该次运行的预测已不再保存。"),
}


def plot_of(found: Row, width: int, language: Language) -> Iterator[str]:
    """Of an answer of `/v1/supply/proposals/…/why`. What is drawn takes at most `width` columns (LEAST_WIDTH, if that
    is more); the words about it may be longer, and break."""
    width = max(width, LEAST_WIDTH)
    forecast = Forecast.model_validate(found["forecast"]) if found["forecast"] else None
    yield from _history(found["history"], forecast, width, language)
    if forecast is None or not found["target"]:
        yield _say("gone", language)
        return
    target = Target.model_validate(found["target"])
    yield ""
    yield from _sums(forecast, target, position(found["proposal"]["explanation"]["position"]), width, language)


def bars(values: Sequence[float], top: float) -> str:
    """A character each: eight heights up to `top`; what is above 0 is never shown as nothing."""
    found = (ceil(len(LEVELS) * value / top - 1e-9) if value > 0 else 0 for value in values)
    return "".join(LEVELS[min(max(level, 1), len(LEVELS)) - 1] if level else NOTHING for level in found)


def _say(name: str, language: Language, **values: object) -> str:
    return _WORDS[name][language == "zh"].format(**values)


def _history(history: Sequence[Row], forecast: Forecast | None, width: int, language: Language) -> Iterator[str]:
    """The newest days that fit beside those ahead."""
    ahead = _daily(forecast)[: width // 2] if forecast else []
    days = history[-(width - len(ahead) - 1) :]
    top = max([*(day["sold"] for day in days), *ahead], default=0)
    if days:
        yield _say("history", language, first=days[0]["day"], last=days[-1]["day"], top=_number(top))
    yield bars([day["sold"] for day in days], top) + (f"│{bars(ahead, top)}" if ahead else "")
    out = "".join(OUT if day["censored"] else " " for day in days)
    if out.strip():
        yield out.rstrip()
    said = [_say("ahead", language, days=forecast.protection_days)] if forecast else []
    said += [_say("out", language)] if out.strip() else []
    yield from (f"  {words}" for words in said)


def _daily(forecast: Forecast) -> list[float]:
    days = forecast.protection_days
    return forecast.daily[:days] or [forecast.mean / days] * days


def _sums(forecast: Forecast, target: Target, there: int, width: int, language: Language) -> Iterator[str]:
    """Each number on a line of its own, all of them along the same axis, which has 0 in it."""
    outer, inner = ([forecast.at(level) for level in pair] for pair in (_OUTER, _INNER))
    marked = {"reorder": target.reorder_point, "up_to": target.order_up_to}
    numbers = {"demand": forecast.mean, "position": float(there), **marked}
    names = {name: _say(name, language) for name in numbers}
    wide = max(cell_len(words) for words in names.values())
    long = max(len(_number(value)) for value in numbers.values())
    room = width - wide - long - 3
    axis = _Axis(min(0.0, there), max(outer[1], *numbers.values(), 1.0), room)
    drawn = {
        "demand": _band(axis, outer, inner, forecast.mean),
        "position": axis.filled(0.0, there, "█"),
        **{name: axis.marked(value, "▲") for name, value in marked.items()},
    }
    yield _say("sum", language, days=forecast.protection_days)
    for name, value in numbers.items():
        label = names[name] + " " * (wide - cell_len(names[name]))
        yield f"{label} {_number(value):>{long}} │{drawn[name]}".rstrip()
    ends = (_number(axis.low), _number(axis.high))
    yield f"{' ' * (wide + long + 2)}└{ends[0]}{'─' * (room - len(ends[0]) - len(ends[1]))}{ends[1]}"
    yield f"  {_say('band', language)}"


class _Axis:
    """Units from left to right over `room` columns."""

    def __init__(self, low: float, high: float, room: int) -> None:
        self.low, self.high, self.room = low, high, room

    def at(self, units: float) -> int:
        """The column, from 0."""
        place = (units - self.low) / (self.high - self.low) * (self.room - 1)
        return min(max(round(place), 0), self.room - 1)

    def filled(self, first: float, second: float, mark: str) -> str:
        """From one to the other; nothing where they are the same."""
        begin, end = sorted((self.at(first), self.at(second)))
        return " " * begin + mark * (end - begin + 1 if first != second else 0)

    def marked(self, units: float, mark: str) -> str:
        return " " * self.at(units) + mark


def _band(axis: _Axis, outer: Sequence[float], inner: Sequence[float], mean: float) -> str:
    columns = list(axis.filled(outer[0], outer[1], "░").ljust(axis.room))
    first, last = (axis.at(units) for units in inner)
    columns[first : last + 1] = "▒" * (last + 1 - first)
    columns[axis.at(mean)] = "┃"
    return "".join(columns).rstrip()


def _number(value: float) -> str:
    return f"{value:.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.1f}"
