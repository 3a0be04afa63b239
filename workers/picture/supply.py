"""A proposal as a page: what was asked for, what is expected, and what will be there. No network, no script."""

from collections.abc import Iterator
from math import sqrt

from activities.supply.explaining import Told
from contracts.money import display
from contracts.supply import Forecast
from workers.picture.markup import Markup, element, empty, style_sheet, together
from workers.picture.page import POLICY
from workers.picture.style import RULES
from workers.picture.words import Language

_WIDTH, _HEIGHT = 960.0, 250.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 14.0, 16.0, 30.0
_OUTER, _INNER = (0.05, 0.95), (0.25, 0.75)
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Why this quantity", "为什么是这个数量"),
    "kind": ("Kind", "类型"),
    "purchase": ("purchase", "采购"),
    "transfer": ("transfer", "调拨"),
    "quantity": ("Quantity", "数量"),
    "value": ("Value", "金额"),
    "due": ("Due", "到货日"),
    "state": ("State", "状态"),
    "demand": ("What was asked for, and what is expected each day", "历史需求与每日预测"),
    "stock": ("What will be there if nothing is ordered", "若不补货，库存将如何变化"),
    "steps": ("How the quantity came about", "数量的由来"),
    "step": ("Step", "步骤"),
    "number": ("Number", "数值"),
    "meaning": ("Meaning", "说明"),
    "sold": ("asked for", "需求"),
    "censored": ("out of stock for a part of the day: at least so many", "当日缺货：至少这么多"),
    "band": ("expected, with 50 % and 90 % bands", "预测，含 50% 与 90% 区间"),
    "position": ("position less expected demand", "库存位置减去预计需求"),
    "reorder": ("reorder point", "再订货点"),
    "up_to": ("order-up-to", "目标库存"),
    "gone": ("The forecast of this run is kept no more.", "该次运行的预测已不再保存。"),
}


def page_of_proposal(told: Told, language: Language) -> str:
    """One file of HTML."""
    one = told.proposal
    head = element(
        "head",
        empty("meta", charset="utf-8"),
        empty("meta", http_equiv="Content-Security-Policy", content=POLICY),
        empty("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{_say('title', language)}: {one.id}"),
        style_sheet(RULES),
    )
    facts = [
        (_say("kind", language), _say(one.kind, language)),
        (_say("quantity", language), str(one.quantity)),
        (_say("value", language), display(one.value, one.currency)),
        (_say("due", language), f"{one.due}"),
        (_say("state", language), one.state),
    ]
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    summary = told.summary.zh if language == "zh" else told.summary.en
    main = element(
        "main",
        element("header", element("h1", summary), element("p", one.id, class_="sub"), element("dl", *rows)),
        *_pictures(told, language),
        _steps(told, language),
    )
    return "<!DOCTYPE html>\n" + element(
        "html", head, element("body", main), lang="zh-CN" if language == "zh" else "en"
    )


def _say(name: str, language: Language) -> str:
    return _WORDS[name][language == "zh"]


def _pictures(told: Told, language: Language) -> Iterator[Markup]:
    if told.forecast is None or told.target is None:
        yield element("p", _say("gone", language), class_="sub")
        return
    for name, drawn, legend in (
        ("demand", _demand(told, told.forecast), ("sold", "censored", "band")),
        ("stock", _stock(told, told.forecast), ("position", "reorder", "up_to")),
    ):
        items = [element("li", element("span", _swatch(one)), " ", _say(one, language)) for one in legend]
        yield element(
            "section",
            element("h2", _say(name, language)),
            element("div", drawn, class_="wide"),
            element("ul", *items, class_="legend"),
        )


_COLOURS = {
    "sold": "#5b8bb5",
    "censored": "#d9b36c",
    "band": "#0b7a4b",
    "position": "#1d5fbf",
    "reorder": "#b0413e",
    "up_to": "#6b4fa1",
}


def _swatch(name: str) -> Markup:
    return element(
        "svg", empty("rect", width=14, height=14, rx=3, fill=_COLOURS[name]), width=14, height=14, aria_hidden="true"
    )


class _Axes:
    """Days from left to right, units from the bottom up."""

    def __init__(self, days: int, low: float, high: float) -> None:
        self.days, self.low, self.high = max(days, 1), low, max(high, low + 1)

    def x(self, day: float) -> float:
        return _LEFT + day / self.days * (_WIDTH - _LEFT - _RIGHT)

    def y(self, units: float) -> float:
        return _HEIGHT - _BOTTOM - (units - self.low) / (self.high - self.low) * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self, ticks: int = 4) -> Iterator[Markup]:
        for number in range(ticks + 1):
            units = self.low + (self.high - self.low) * number / ticks
            y = self.y(units)
            yield empty("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, stroke="#dfe6ec")
            words = f"{units:.1f}" if self.high - self.low < 10 else f"{units:.0f}"
            yield element("text", words, x=_LEFT - 6, y=y + 4, text_anchor="end", font_size=11, fill="#5b6875")

    def line(self, points: list[tuple[float, float]], **look: object) -> Markup:
        path = " ".join(f"{self.x(day):.1f},{self.y(units):.1f}" for day, units in points)
        return empty("polyline", points=path, fill="none", **look)

    def area(self, low: list[tuple[float, float]], high: list[tuple[float, float]], **look: object) -> Markup:
        path = " ".join(f"{self.x(day):.1f},{self.y(units):.1f}" for day, units in [*high, *reversed(low)])
        return empty("polygon", points=path, stroke="none", **look)

    def label(self, day: float, words: str) -> Markup:
        return element("text", words, x=self.x(day), y=_HEIGHT - 10, text_anchor="middle", font_size=11, fill="#5b6875")


def _drawing(parts: Iterator[Markup], words: str) -> Markup:
    return element(
        "svg",
        together(parts),
        class_="bars",
        viewBox=f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}",
        role="img",
        aria_label=words,
    )


def _demand(told: Told, forecast: Forecast) -> Markup:
    """Bars of the past, the band of a day's share of the sum ahead."""
    ahead, past = forecast.protection_days, len(told.history)
    mean = forecast.mean / ahead
    bands = [
        [max(0.0, mean + (forecast.at(level) - forecast.mean) / sqrt(ahead)) for level in pair]
        for pair in (_OUTER, _INNER)
    ]
    top = max([bands[0][1], *(day.sold for day in told.history)], default=1.0)
    axes = _Axes(past + ahead, 0.0, top * 1.05)

    def parts() -> Iterator[Markup]:
        yield from axes.grid()
        width = max((axes.x(1) - axes.x(0)) * 0.8, 0.8)
        for number, day in enumerate(told.history):
            y = axes.y(day.sold)
            yield empty(
                "rect",
                x=axes.x(number + 0.1),
                y=min(y, axes.y(0) - 1.5 if day.censored else y),
                width=width,
                height=max(axes.y(0) - y, 1.5 if day.censored else 0.0),
                fill=_COLOURS["censored" if day.censored else "sold"],
            )
        for (low, high), strength in zip(bands, (0.18, 0.32), strict=True):
            ends = [(float(past), low), (float(past + ahead), low)], [(float(past), high), (float(past + ahead), high)]
            yield axes.area(*ends, fill=_COLOURS["band"], fill_opacity=strength)
        yield axes.line([(past, mean), (past + ahead, mean)], stroke=_COLOURS["band"], stroke_width=2)
        yield axes.label(0 if not past else past / 12, f"{told.history[0].day}" if told.history else "")
        yield axes.label(past, f"{told.today}")

    return _drawing(parts(), "demand")


def _stock(told: Told, forecast: Forecast) -> Markup:
    """The position less what is expected until each day; its band is that of the sum, which grows with the root."""
    ahead, start = forecast.protection_days, float(told.proposal.explanation.position.total)
    assert told.target is not None
    days = range(ahead + 1)

    def left(level: float | None) -> list[tuple[float, float]]:
        spread = 0.0 if level is None else forecast.at(level) - forecast.mean
        return [(float(day), start - forecast.mean * day / ahead - spread * sqrt(day / ahead)) for day in days]

    outer, inner = (tuple(left(level) for level in pair) for pair in (_OUTER, _INNER))
    low = min(0.0, *(units for _, units in outer[1]))
    high = max(start, told.target.order_up_to, told.target.reorder_point)
    axes = _Axes(ahead, low, high * 1.08)

    def parts() -> Iterator[Markup]:
        yield from axes.grid()
        for (more, less), strength in ((outer, 0.15), (inner, 0.28)):
            yield axes.area(less, more, fill=_COLOURS["position"], fill_opacity=strength)
        yield axes.line(left(None), stroke=_COLOURS["position"], stroke_width=2)
        for name, units in (("reorder", told.target.reorder_point), ("up_to", told.target.order_up_to)):  # type: ignore[union-attr]
            ends = [(0.0, units), (float(ahead), units)]
            yield axes.line(ends, stroke=_COLOURS[name], stroke_width=1.5, stroke_dasharray="6 4")
        if low < 0:
            yield axes.line([(0.0, 0.0), (float(ahead), 0.0)], stroke="#1f2933", stroke_width=1)
        yield axes.label(ahead * 0.04, f"{told.today}")
        yield axes.label(ahead * 0.97, f"+{ahead}")

    return _drawing(parts(), "stock")


def _steps(told: Told, language: Language) -> Markup:
    rows = [
        element(
            "tr",
            element("th", step.name),
            element("td", f"{step.value}", class_="n"),
            element("td", step.words.zh if language == "zh" else step.words.en),
        )
        for step in told.steps
    ]
    heads = [element("th", _say(name, language)) for name in ("step", "number", "meaning")]
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element("section", element("h2", _say("steps", language)), element("div", table, class_="wide"))
