"""The map: customer, candidates and who was ruled out, with rings of distance, a graticule and a scale bar."""

import math
from collections.abc import Mapping
from itertools import pairwise

from contracts.divisions import prefectures
from workers.picture.labels import Box, Room, shortened, spread, width_of
from workers.picture.marks import COLOURS, INK, customer, mark, step_badge
from workers.picture.markup import Markup, element, together
from workers.picture.projection import XY, View, graticule, nice, rings, view_of
from workers.picture.scene import Scene, Spot
from workers.picture.words import REASONS, VERDICTS, Language, say, text

WIDTH, HEIGHT = 960.0, 600.0
_MARGIN = 90.0
_APART = 25.0
_RANK = {"chosen": 0, "could_ship_all": 1, "could_ship_some": 2, "ruled_out": 3}
_NAMES_AT_MOST = 40
_HALO: dict[str, object] = {
    "stroke": "#f8fafb",
    "stroke_width": 3,
    "paint_order": "stroke",
    "stroke_linejoin": "round",
}
_FONT = "system-ui, 'PingFang SC', 'Noto Sans CJK SC', 'Source Han Sans SC', 'Microsoft YaHei', sans-serif"


def map_of(scene: Scene, language: Language) -> Markup:
    """One SVG element that needs nothing from outside."""
    view = view_of(scene.customer, [spot.point for spot in scene.spots], WIDTH, HEIGHT, _MARGIN)
    room = Room(WIDTH, HEIGHT)
    spots = sorted(scene.spots, key=lambda spot: (_RANK[spot.verdict], spot.distance_km or 0.0, spot.id))
    shown = spread([view.place(spot.point) for spot in spots], view.origin, _APART)
    at = {spot.id: place for spot, place in zip(spots, shown, strict=True)}
    room.take(*view.origin, 14)
    for place in shown:
        room.take(*place, 11)
    bar = _scale_bar(view, room)
    north = _north(room)
    names = _spot_names(spots, at, room, language)
    home = _home(scene, view, room, language)
    layers = [
        element("rect", width=WIDTH, height=HEIGHT, fill="#f4f7f9"),
        _rings(view, spots, room),
        _graticule(view),
        _places(view, room, language),
        _ways(scene, spots, at, view),
        *[_true_place(view.place(spot.point), at[spot.id]) for spot in spots],
        names,
        *[_spot(spot, at[spot.id], view.origin, language) for spot in reversed(spots)],
        home,
        bar,
        north,
    ]
    return element(
        "svg",
        element("title", text("map_alt", language)),
        *layers,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        font_family=_FONT,
        class_="map",
    )


def kilometres(distance: float) -> str:
    """With as many digits as matter."""
    digits = 2 if distance < 1 else 1 if distance < 100 else 0
    return f"{distance:,.{digits}f}\u00a0km"


def _graticule(view: View) -> Markup:
    parts = []
    for label, points in graticule(view):
        line = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(element("path", d=line, fill="none", stroke="#dbe3ea", stroke_width=1))
        at = _edge(view, points, label.endswith(("N", "S")))
        if at is not None:
            x, y = at
            parts.append(element("text", label, x=x, y=y, font_size=10, fill="#9aa7b2"))
    return together(parts)


def _edge(view: View, points: list[tuple[float, float]], parallel: bool) -> tuple[float, float] | None:
    """Where a line of the graticule enters the picture: parallels at the left, meridians at the top."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if parallel and min(x0, x1) <= 4 <= max(x0, x1) and x0 != x1:
            y = y0 + (4 - x0) / (x1 - x0) * (y1 - y0)
            return (4.0, y - 3) if 24 < y < HEIGHT - 24 else None
        if not parallel and min(y0, y1) <= 12 <= max(y0, y1) and y0 != y1:
            x = x0 + (12 - y0) / (y1 - y0) * (x1 - x0)
            return (x + 3, 12.0) if 24 < x < WIDTH - 90 else None
    return None


def _rings(view: View, spots: list[Spot], room: Room) -> Markup:
    far = max((_km_to(view, spot) for spot in spots), default=0.0)
    x, y = view.origin
    parts, labels = [], []
    for radius in reversed(rings(far)):
        pixels = radius * view.scale
        circle = {
            "fill": "#fff",
            "fill_opacity": 0.4,
            "stroke": "#a9b8c5",
            "stroke_width": 1,
            "stroke_dasharray": "3 4",
        }
        parts.append(element("circle", cx=x, cy=y, r=pixels, **circle))
        words = kilometres(radius).replace(".0\u00a0", "\u00a0").replace(".00\u00a0", "\u00a0")
        for across, down in ((0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.71, 0.71), (-0.71, -0.71)):
            at = (x + across * pixels, y + down * pixels)
            if view.holds(at, 16) and (found := room.find(*at, [(words, 10)], 2, reach=1)):
                box, _ = found
                look = {"font_size": 10, "fill": "#6b7a87", **_HALO}
                labels.append(element("text", words, x=box.left + 2, y=box.bottom - 4, **look))
                break
    return together([*parts, *labels])


def _km_to(view: View, spot: Spot) -> float:
    x, y = view.place(spot.point)
    return float(((x - view.origin[0]) ** 2 + (y - view.origin[1]) ** 2) ** 0.5 / view.scale)


def _places(view: View, room: Room, language: Language) -> Markup:
    """Names of prefectures where there is room for them, those near the customer first."""
    found = []
    for one in prefectures():
        if one.centre is None:
            continue
        at = view.place((one.centre.lat, one.centre.lon))
        if view.holds(at, 14):
            away = (at[0] - view.origin[0]) ** 2 + (at[1] - view.origin[1]) ** 2
            found.append((away, at, one.name if language == "zh" else (one.pinyin or one.name).title()))
    parts = []
    for _, (x, y), name in sorted(found)[:_NAMES_AT_MOST]:
        found_room = room.find(x, y, [(name, 11)], 4, reach=1)
        if found_room is not None:
            box = found_room[0]
            left, anchor = _aligned(box, x)
            look: dict[str, object] = {**_HALO, "font_size": 11, "fill": "#8494a1", "text_anchor": anchor}
            parts.append(element("circle", cx=x, cy=y, r=1.8, fill="#93a1ad"))
            parts.append(element("text", name, x=left, y=box.bottom - 5, **look))
    return together(parts)


def _true_place(true: XY, shown: XY) -> Markup | None:
    """Where a mark was moved aside, a dot at the place itself and a line to the mark."""
    if math.dist(true, shown) < 3:
        return None
    line = element("line", x1=true[0], y1=true[1], x2=shown[0], y2=shown[1], stroke=INK, stroke_width=1)
    return together([line, element("circle", cx=true[0], cy=true[1], r=2.2, fill=INK)])


def _ways(scene: Scene, spots: list[Spot], at: Mapping[str, XY], view: View) -> Markup:
    """Where the parcels come from, and where the order had been before."""
    chosen = [part.location for part in scene.why.winner.parts] if scene.why.winner else []
    parts = []
    for spot in spots:
        x, y = at[spot.id]
        way: dict[str, object] = {"x1": x, "y1": y, "x2": view.origin[0], "y2": view.origin[1]}
        if spot.id in chosen:
            parts.append(element("line", **way, stroke=COLOURS["chosen"], stroke_width=3, opacity=0.75))
        elif spot.step is not None:
            parts.append(element("line", **way, stroke=COLOURS["ruled_out"], stroke_width=1.4, stroke_dasharray="6 5"))
    return together(parts)


def _spot(spot: Spot, at: XY, home: XY, language: Language) -> Markup:
    x, y = at
    words = [spot.id, spot.name, say(VERDICTS, spot.verdict, language)]
    if spot.reason:
        words.append(say(REASONS, spot.reason, language))
    if spot.distance_km is not None:
        words.append(kilometres(spot.distance_km))
    badge = step_badge(x, y, spot.step, -1 if x < home[0] else 1) if spot.step is not None else None
    return element("g", mark(x, y, spot.verdict, spot.reason, ", ".join(words)), badge)


def _spot_names(spots: list[Spot], at: Mapping[str, XY], room: Room, language: Language) -> Markup:
    """Names beside the marks, the important ones first; those without room are in the tables below."""
    parts = []
    for spot in spots:
        x, y = at[spot.id]
        name = shortened(spot.name or spot.id, 170, 12)
        distance = kilometres(spot.distance_km) if spot.distance_km is not None else ""
        reason = say(REASONS, spot.reason, language) if spot.reason else ""
        second = shortened(" · ".join(word for word in (distance, reason) if word), 230, 10)
        lines: list[tuple[str, float]] = [(name, 12.0)] + ([(second, 10.0)] if second else [])
        found = room.find(x, y, lines, 13)
        if found is None:
            continue
        box, away = found
        if away:
            near_x, near_y = min(max(x, box.left), box.right), min(max(y, box.top), box.bottom)
            parts.append(element("line", x1=x, y1=y, x2=near_x, y2=near_y, stroke="#9aa7b2", stroke_width=1))
        look: dict[str, object] = {**_HALO}
        weight = 700 if spot.verdict == "chosen" else 400
        left, anchor = _aligned(box, x)
        look["text_anchor"] = anchor
        parts.append(element("text", name, x=left, y=box.top + 12, font_size=12, fill=INK, font_weight=weight, **look))
        if second:
            parts.append(element("text", second, x=left, y=box.top + 26, font_size=10, fill="#52616d", **look))
    return together(parts)


def _aligned(box: Box, x: float) -> tuple[float, str]:
    """Words at the left of a mark end beside it; others begin beside it, or stand in the middle above or below it."""
    if box.right <= x:
        return box.right - 2, "end"
    return (box.left + 2, "start") if box.left >= x else ((box.left + box.right) / 2, "middle")


def _home(scene: Scene, view: View, room: Room, language: Language) -> Markup:
    x, y = view.origin
    words = text("customer", language)
    found = room.find(x, y, [(words, 12)], 14)
    parts = [customer(x, y, f"{words}, {scene.division}")]
    if found is not None:
        left, anchor = _aligned(found[0], x)
        look: dict[str, object] = {**_HALO, "font_weight": 700, "text_anchor": anchor}
        parts.append(element("text", words, x=left, y=found[0].top + 12, font_size=12, fill=INK, **look))
    return together(parts)


def _scale_bar(view: View, room: Room) -> Markup:
    length = nice(180 / view.scale)
    pixels = length * view.scale
    words = kilometres(length).replace(".0\u00a0", "\u00a0").replace(".00\u00a0", "\u00a0")
    x, y = 18.0, HEIGHT - 20
    room.taken.append(Box(x - 6, y - 24, x + max(pixels, width_of(words, 11)) + 6, y + 10))
    bar = f"M{x:.1f},{y - 5:.1f} v5 h{pixels:.1f} v-5"
    return together(
        [
            element("path", d=bar, fill="none", stroke=INK, stroke_width=1.6),
            element("text", words, x=x + pixels / 2, y=y - 6, font_size=11, text_anchor="middle", fill=INK),
        ]
    )


def _north(room: Room) -> Markup:
    x, y = WIDTH - 26, 34.0
    room.take(x, y, 24)
    arrow = f"M{x:.1f},{y - 18:.1f} l6,16 l-6,-4 l-6,4 Z"
    return together(
        [
            element("path", d=arrow, fill=INK),
            element("text", "N", x=x, y=y + 12, font_size=11, text_anchor="middle", fill=INK, font_weight=700),
        ]
    )
