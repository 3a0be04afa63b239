"""The page: one file of HTML that needs no network and no script."""

from collections.abc import Collection

from contracts.divisions import UnknownDivision, name_of
from contracts.money import display
from workers.picture.bars import bars_of
from workers.picture.map import kilometres, map_of
from workers.picture.marks import group_of, mark
from workers.picture.markup import Markup, element, empty, style_sheet, together
from workers.picture.scene import Scene
from workers.picture.story import story_of
from workers.picture.style import RULES
from workers.picture.words import REASONS, TERMS, VERDICTS, Language, say, text

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""What a browser may load for the page: nothing."""
_TERMS = ("freight", "handling", "lateness", "scarcity")


def page_of(scene: Scene, language: Language) -> str:
    why = scene.why
    title = text("title", language, order=why.order)
    head = element(
        "head",
        empty("meta", charset="utf-8"),
        empty("meta", http_equiv="Content-Security-Policy", content=POLICY),
        empty("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        style_sheet(RULES),
    )
    body = element(
        "body",
        element(
            "main",
            _headline(scene, title, language),
            _map(scene, language),
            *_costs(scene, language),
            _ruled_out(scene, language),
            _story(scene, language),
            _footer(scene, language),
        ),
    )
    return "<!DOCTYPE html>\n" + element("html", head, body, lang="zh-CN" if language == "zh" else "en")


def _headline(scene: Scene, title: str, language: Language) -> Markup:
    why = scene.why
    number = text("decision", language, number=why.decision, all=why.decisions)
    facts: list[tuple[str, str]] = [
        (text("winner", language), _winner(scene, language)),
        (text("runner_up", language), _runner_up(scene, language)),
        (text("to", language), f"{_division(scene.division)} ({scene.division}), {scene.channel}"),
        (text("placed", language), f"{scene.placed_at:%Y-%m-%d %H:%M:%S}"),
    ]
    if why.exchanged_with:
        facts.append((text("exchanged", language), ", ".join(why.exchanged_with)))
    rows = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element(
        "header",
        element("h1", title),
        element("p", f"{number}{text('comma', language)}{why.at:%Y-%m-%d %H:%M:%S} UTC", class_="sub"),
        element("dl", *rows),
    )


def _winner(scene: Scene, language: Language) -> Markup:
    winner = scene.why.winner
    if winner is None:
        return element("span", text("nobody", language))
    parts = []
    for part in winner.parts:
        items = ", ".join(f"{item.quantity} × {item.sku}" for item in part.items)
        words = [element("b", scene.names.get(part.location) or part.location), f" {_km(part.distance_km, language)}"]
        more = [items]
        if part.service:
            more.append(f"{text('service', language)} {part.service}")
        if part.promised_at:
            more.append(f"{text('promised', language)} {part.promised_at:%Y-%m-%d %H:%M}")
        parts.append(element("div", *words, element("span", f" · {' · '.join(more)}", class_="sub")))
    if winner.total is not None:
        parts.append(element("div", display(round(winner.total), scene.why.currency), class_="total"))
    return together(parts)


def _runner_up(scene: Scene, language: Language) -> str:
    second = scene.why.runner_up
    if second is None:
        return text("nobody", language)
    names = " + ".join(scene.names.get(place) or place for place in second.locations)
    if second.by is None:
        return names
    if round(second.by) == 0:
        return f"{names}{text('comma', language)}{text('same_cost', language)}"
    return (
        f"{names}{text('comma', language)}{text('by', language, amount=display(round(second.by), scene.why.currency))}"
    )


def _map(scene: Scene, language: Language) -> Markup:
    parts = [
        element("h2", text("map", language)),
        element("div", map_of(scene, language), class_="wide"),
        _legend(scene, language),
    ]
    if scene.unplaced:
        names = ", ".join(scene.names.get(place) or place for place in scene.unplaced)
        parts.append(element("p", f"{text('no_place', language)}{text('colon', language)}{names}", class_="sub"))
    return element("section", *parts)


def _legend(scene: Scene, language: Language) -> Markup:
    """Only the marks that are on the map; reasons that look alike share an entry."""
    entries: dict[tuple[str, str | None], list[str]] = {}
    for spot in scene.spots:
        out = spot.verdict == "ruled_out"
        words = say(REASONS, spot.reason or "", language) if out else say(VERDICTS, spot.verdict, language)
        said = entries.setdefault((spot.verdict, group_of(spot.reason) if out else None), [])
        if words not in said:
            said.append(words)
    reasons = {group_of(spot.reason): spot.reason for spot in scene.spots if spot.verdict == "ruled_out"}
    order = list(VERDICTS)
    items = []
    for (verdict, group), said in sorted(entries.items(), key=lambda one: (order.index(one[0][0]), one[0][1] or "")):
        drawn = mark(12.0, 12.0, verdict, reasons.get(group or ""), said[0])
        words = " / ".join(said)
        shown = f"{say(VERDICTS, verdict, language)}{text('colon', language)}{words}" if group else words
        items.append(
            element("li", element("svg", drawn, viewBox="0 0 24 24", width=22, height=22, role="img"), f" {shown}")
        )
    return element("ul", *items, class_="legend", aria_label=text("legend", language))


def _costs(scene: Scene, language: Language) -> list[Markup]:
    why = scene.why
    if not why.candidates:
        return []
    names = dict(scene.names)
    bars = bars_of(why, names, language)
    said = element("p", text("no_costs", language), class_="sub")
    drawn = element("div", bars, class_="wide") if bars is not None else said
    heads = [text(name, language) for name in ("location", "verdict", "distance")]
    heads += [say(TERMS, name, language) for name in (*_TERMS, "total")] if bars is not None else []
    rows = []
    for one in why.candidates:
        cells = [
            element(
                "th", names.get(one.location) or one.location, element("div", one.location, class_="sub"), scope="row"
            ),
            element("td", say(VERDICTS, one.verdict, language), class_=f"v-{one.verdict}"),
            element("td", _number(one.distance_km), class_="n"),
        ]
        if bars is not None:
            amounts = [getattr(one.terms, name) if one.terms else None for name in _TERMS]
            cells += [
                element("td", "" if amount is None else display(round(amount), why.currency), class_="n")
                for amount in (*amounts, one.total)
            ]
        rows.append(element("tr", *cells))
    note = element("p", text("costs_note", language), class_="sub") if bars is not None else None
    table = element("table", _head(heads, range(2, 8)), element("tbody", *rows))
    return [
        element("section", element("h2", text("costs", language)), note, drawn, element("div", table, class_="wide"))
    ]


def _head(words: list[str], numbers: Collection[int]) -> Markup:
    """`numbers`: the columns of figures, which stand at the right."""
    cells = [element("th", word, scope="col", class_="n" if at in numbers else None) for at, word in enumerate(words)]
    return element("thead", element("tr", *cells))


def _ruled_out(scene: Scene, language: Language) -> Markup:
    heading = element("h2", text("ruled_out", language))
    if not scene.why.ruled_out:
        return element("section", heading, element("p", text("none_ruled_out", language)))
    rows = []
    for reason in scene.why.ruled_out:
        named = [
            f"{scene.names.get(one.location) or one.location} ({_km(one.distance_km, language)})"
            for one in reason.nearest
        ]
        if reason.reason == "excluded" and not named:
            named = [scene.names.get(place) or place for place in scene.why.excluded]
        drawn = element("svg", _reason_mark(reason.reason), viewBox="0 0 24 24", width=22, height=22)
        rows.append(
            element(
                "tr",
                element("td", f"{reason.count:,}", class_="n"),
                element("td", drawn, f" {say(REASONS, reason.reason, language)}"),
                element("td", ", ".join(named)),
            )
        )
    heads = [text(name, language) for name in ("count", "reason", "nearest")]
    return element(
        "section", heading, element("div", element("table", _head(heads, {0}), element("tbody", *rows)), class_="wide")
    )


def _reason_mark(reason: str) -> Markup:
    """As on the map, where who has a part of it is shown as somebody who could ship that part."""
    verdict = "could_ship_some" if reason == "partial_stock" else "ruled_out"
    return mark(12.0, 12.0, verdict, reason, reason)


def _story(scene: Scene, language: Language) -> Markup:
    return element("section", element("h2", text("story", language)), story_of(scene, language))


def _footer(scene: Scene, language: Language) -> Markup:
    why = scene.why
    if why.exact:
        quality = text("exact", language)
    else:
        quality = text("cut_short", language)
        if why.gap is not None:
            quality += ", " + text("gap", language, amount=display(round(why.gap), why.currency))
    seen = text("stock_at", language, version=why.stock_version, rows=why.stock_rows)
    words = [
        f"{text('policy', language)} {why.policy}",
        f"{text('stock', language)} {seen}",
        f"{text('quality', language)} {quality}",
        text("all_times", language),
    ]
    reason = element("p", why.reason) if language == "en" else None
    return element("footer", reason, element("p", " · ".join(words)))


def _division(code: str) -> str:
    try:
        return name_of(code)
    except UnknownDivision:
        return code


def _km(distance: float | None, language: Language) -> str:
    return text("unknown_km", language) if distance is None else kilometres(distance)


def _number(distance: float | None) -> str:
    return "?" if distance is None else f"{distance:,.1f}"
