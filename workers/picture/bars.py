"""What each candidate would cost, as bars that are stacked out of the terms."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.explanations import Why
from contracts.money import display
from contracts.routing import Terms
from workers.picture.labels import shortened
from workers.picture.marks import INK, mark
from workers.picture.markup import Markup, element, together
from workers.picture.words import TERMS, VERDICTS, Language, say, text

WIDTH = 960.0
_LEFT, _RIGHT, _ROW, _BAR = 260.0, 150.0, 34.0, 16.0
_TERMS = ("freight", "handling", "lateness", "scarcity")
_FILLS = {"freight": "#2f6f9f", "handling": "#7fb2d6", "lateness": "#d9820b", "scarcity": "#8a4b9c"}
_RANK = {"chosen": 0, "could_ship_all": 1, "could_ship_some": 2, "ruled_out": 3}
_FONT = "system-ui, 'PingFang SC', 'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', sans-serif"


@dataclass(frozen=True, slots=True)
class _Bar:
    label: str
    verdict: str
    terms: Terms
    total: float


def bars_of(why: Why, names: dict[str, str], language: Language) -> Markup | None:
    """One SVG element; None where no costs were reckoned."""
    bars = _bars(why, names, language)
    if not bars:
        return None
    longest = max(bar.total for bar in bars) or 1.0
    height = _ROW * len(bars) + 40
    unit = (WIDTH - _LEFT - _RIGHT) / longest
    rows = [_row(bar, number, unit, why.currency, language) for number, bar in enumerate(bars)]
    return element(
        "svg",
        element("title", text("costs", language)),
        element("rect", width=WIDTH, height=height, fill="#fff"),
        _legend(bars, language),
        *rows,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        font_family=_FONT,
        class_="bars",
    )


def _bars(why: Why, names: dict[str, str], language: Language) -> list[_Bar]:
    """The winner first when it is more than one location, for then no candidate stands for it."""
    bars = []
    if why.winner and why.winner.terms and len(why.winner.parts) > 1:
        label = " + ".join(names.get(part.location) or part.location for part in why.winner.parts)
        bars.append(_Bar(label, "chosen", why.winner.terms, why.winner.total or 0.0))
    judged = [one for one in why.candidates if one.terms is not None and one.total is not None]
    for one in sorted(judged, key=lambda one: (_RANK[one.verdict], one.total or 0.0, one.location)):
        if one.terms is not None and one.total is not None:
            bars.append(_Bar(names.get(one.location) or one.location, one.verdict, one.terms, one.total))
    return bars


def _row(bar: _Bar, number: int, unit: float, currency: str, language: Language) -> Markup:
    y = 40 + number * _ROW
    middle = y + _ROW / 2
    x = _LEFT
    parts = [
        mark(18.0, middle, bar.verdict, None, say(VERDICTS, bar.verdict, language)),
        element("text", shortened(bar.label, _LEFT - 46, 13), x=36, y=middle + 4, font_size=13, fill=INK),
    ]
    for name in _TERMS:
        amount = float(getattr(bar.terms, name))
        wide = max(amount, 0.0) * unit
        if wide <= 0:
            continue
        tip = f"{say(TERMS, name, language)} {display(round(amount), currency)}"
        box = element("rect", element("title", tip), x=x, y=middle - _BAR / 2, width=wide, height=_BAR, **_fill(name))
        parts.append(box)
        if wide > 54:
            look = {"font_size": 10, "fill": "#fff" if name != "handling" else INK, "text_anchor": "middle"}
            parts.append(element("text", display(round(amount), currency), x=x + wide / 2, y=middle + 3.5, **look))
        x += wide
    weight = 700 if bar.verdict == "chosen" else 400
    total = display(round(bar.total), currency)
    parts.append(element("text", total, x=x + 8, y=middle + 4, font_size=13, fill=INK, font_weight=weight))
    return together(parts)


def _fill(name: str) -> dict[str, object]:
    """Neighbours differ in brightness too, and are parted by a line."""
    return {"fill": _FILLS[name], "stroke": "#fff", "stroke_width": 1}


def _legend(bars: Sequence[_Bar], language: Language) -> Markup:
    shown = [name for name in _TERMS if any(getattr(bar.terms, name) for bar in bars)]
    parts, x = [], _LEFT
    for name in shown:
        words = say(TERMS, name, language)
        parts.append(element("rect", x=x, y=12, width=12, height=12, fill=_FILLS[name]))
        parts.append(element("text", words, x=x + 18, y=22, font_size=12, fill=INK))
        x += 110
    return together(parts)
