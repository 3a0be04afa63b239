"""Markup by construction: whatever is not markup already is escaped when it is put into an element."""

import re
from collections.abc import Iterable
from html import escape

_UNPRINTABLE = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
"""What XML does not allow, and marks that turn the direction of writing, with which names can lie."""


class Markup(str):
    """Text that is well-formed markup. Only this module makes it, out of elements."""


def escaped(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=True))


def element(name: str, /, *children: object, **attributes: object) -> Markup:
    """`class_` and `for_` lose their underscore, others turn theirs into a dash; None leaves an attribute out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escaped(child) for child in children if child is not None)
    return Markup(f"<{name}{given}>{inner}</{name}>")


def empty(name: str, /, **attributes: object) -> Markup:
    """An element of HTML that has no end."""
    return Markup(str(element(name, **attributes)).removesuffix(f"</{name}>"))


def together(parts: Iterable[Markup]) -> Markup:
    return Markup("".join(parts))


def style_sheet(rules: str) -> Markup:
    """Our own constant rules, which hold nothing from outside."""
    return Markup(f"<style>{rules}</style>")


def _number(value: object) -> object:
    """Coordinates to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value
