"""Marks on the map: every verdict, and every kind of reason, has a colour and a shape of its own."""

from workers.picture.markup import Markup, element, together

INK = "#1f2933"
COLOURS = {
    "chosen": "#0b7a4b",
    "could_ship_all": "#1d5fbf",
    "could_ship_some": "#d9820b",
    "ruled_out": "#b0413e",
}
_GROUPS = {
    "stock": ("no_stock", "partial_stock"),
    "refused": ("excluded",),
    "time": ("closed",),
    "capacity": ("capacity",),
    "place": ("region_licence", "radius", "no_carrier"),
    "off": ("inactive", "channel"),
}
_GROUP_OF = {reason: group for group, reasons in _GROUPS.items() for reason in reasons}
REASON_COLOURS = {
    "stock": "#8a4b9c",
    "refused": "#b0413e",
    "time": "#0f7c86",
    "capacity": "#6b5b1e",
    "place": "#5b6570",
    "off": "#5b6570",
}


def group_of(reason: str | None) -> str:
    """The kind of a reason; each kind has its own mark. Unknown ones look like those that take no orders."""
    return _GROUP_OF.get(reason or "", "off")


def mark(x: float, y: float, verdict: str, reason: str | None, title: str) -> Markup:
    """About 18 pixels wide, with a text for those who point at it or hear it read."""
    shapes = _out(x, y, group_of(reason)) if verdict == "ruled_out" else _IN[verdict](x, y)
    return element("g", element("title", title), *shapes, class_="mark")


def customer(x: float, y: float, title: str) -> Markup:
    """A house."""
    house = f"M{x - 10:.1f},{y:.1f} L{x:.1f},{y - 10:.1f} L{x + 10:.1f},{y:.1f} L{x + 7:.1f},{y:.1f} "
    house += f"L{x + 7:.1f},{y + 9:.1f} L{x - 7:.1f},{y + 9:.1f} L{x - 7:.1f},{y:.1f} Z"
    door = element("rect", x=x - 2.5, y=y + 2, width=5, height=7, fill="#fff")
    return element("g", element("title", title), element("path", d=house, fill=INK, **_HALO), door, class_="mark")


_HALO = {"stroke": "#fff", "stroke_width": 2, "paint_order": "stroke"}


def _chosen(x: float, y: float) -> list[Markup]:
    tick = f"M{x - 4.5:.1f},{y + 0.5:.1f} l3.2,3.4 l6,-7.4"
    return [
        element("circle", cx=x, cy=y, r=10.0, fill=COLOURS["chosen"], **_HALO),
        element("path", d=tick, fill="none", stroke="#fff", stroke_width=2.4, stroke_linecap="round"),
    ]


def _all(x: float, y: float) -> list[Markup]:
    diamond = f"M{x:.1f},{y - 9:.1f} l9,9 l-9,9 l-9,-9 Z"
    return [element("path", d=diamond, fill=COLOURS["could_ship_all"], **_HALO)]


def _some(x: float, y: float) -> list[Markup]:
    whole, half = f"M{x:.1f},{y - 9:.1f} l9,16 l-18,0 Z", f"M{x:.1f},{y - 9:.1f} l0,16 l-9,0 Z"
    return [
        element("path", d=whole, fill="#fff", stroke=COLOURS["could_ship_some"], stroke_width=2.0),
        element("path", d=half, fill=COLOURS["could_ship_some"]),
    ]


_IN = {"chosen": _chosen, "could_ship_all": _all, "could_ship_some": _some}


def _out(x: float, y: float, group: str) -> list[Markup]:
    line = {"stroke": REASON_COLOURS[group], "stroke_width": 2.0, "fill": "#fff", "stroke_linejoin": "round"}
    if group == "stock":
        box = element("rect", x=x - 7, y=y - 6, width=14, height=12, **line)
        return [box, element("path", d=f"M{x - 7:.1f},{y - 2:.1f} h14 M{x - 2:.1f},{y + 2:.1f} h4", **line)]
    if group == "refused":
        slash = f"M{x - 5:.1f},{y - 5:.1f} l10,10"
        return [element("circle", cx=x, cy=y, r=8.0, **line), element("path", d=slash, **line)]
    if group == "time":
        hands = f"M{x:.1f},{y - 5:.1f} v5 h4"
        return [element("circle", cx=x, cy=y, r=8.0, **line), element("path", d=hands, **{**line, "fill": "none"})]
    if group == "capacity":
        bars = f"M{x - 4:.1f},{y - 4:.1f} v8 M{x:.1f},{y - 4:.1f} v8 M{x + 4:.1f},{y - 4:.1f} v8"
        return [element("rect", x=x - 8, y=y - 7, width=16, height=14, rx=2, **line), element("path", d=bars, **line)]
    if group == "place":
        return [element("path", d=f"M{x - 8:.1f},{y - 6:.1f} h16 l-8,14 Z", **line)]
    cross = f"M{x - 6:.1f},{y - 6:.1f} l12,12 M{x + 6:.1f},{y - 6:.1f} l-12,12"
    halo = element("path", d=cross, stroke="#fff", stroke_width=6)
    return [halo, element("path", d=cross, stroke=REASON_COLOURS[group], stroke_width=2.6, stroke_linecap="round")]


def step_badge(x: float, y: float, step: int, side: int) -> Markup:
    """The how-manieth location that lost the order again; at the right (1) or left (-1) of its mark."""
    at = x + side * 9
    look = {"font_size": 9, "text_anchor": "middle", "fill": "#fff", "font_weight": 700}
    return together(
        [element("circle", cx=at, cy=y - 8, r=6.0, fill=INK), element("text", step, x=at, y=y - 4.8, **look)]
    )
