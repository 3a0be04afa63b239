"""Finds room for labels on a picture, so that none lies on another or on a mark. Pure."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field

from workers.picture.projection import XY

_AROUND = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1))
_LINE = 1.25
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )


def spread(wanted: Sequence[XY], fixed: XY, least: float) -> list[XY]:
    """Moves marks apart that lie on each other, as little as it takes; the `fixed` one stays where it is."""
    places = [*wanted, fixed]
    last = len(wanted)
    for _ in range(_ROUNDS):
        moved = False
        for one in range(last):
            for other in range(one + 1, last + 1):
                across, down = places[other][0] - places[one][0], places[other][1] - places[one][1]
                away = math.hypot(across, down)
                if away >= least - 0.01:
                    continue
                # Marks on one and the same spot part in directions of their own.
                angle = math.atan2(down, across) if away > 0.01 else 2.4 * (one + 1)
                push = (least - away) * (1 if other == last else 0.5)
                x, y = push * math.cos(angle), push * math.sin(angle)
                places[one] = (places[one][0] - x, places[one][1] - y)
                if other != last:
                    places[other] = (places[other][0] + x, places[other][1] + y)
                moved = True
        if not moved:
            break
    return places[:last]


def width_of(words: str, size: float) -> float:
    """Pixels, about: East Asian characters are as wide as high, others somewhat more than half."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in words)
    return size * (wide + 0.58 * (len(words) - wide))


def shortened(words: str, most: float, size: float) -> str:
    """As much of the words as is about `most` pixels wide."""
    if width_of(words, size) <= most:
        return words
    kept = len(words) - 1
    while kept and width_of(words[:kept] + "…", size) > most:
        kept -= 1
    return words[:kept] + "…"


@dataclass(slots=True)
class Room:
    """The picture's area and what is taken of it."""

    width: float
    height: float
    taken: list[Box] = field(default_factory=list)

    def take(self, x: float, y: float, radius: float) -> None:
        self.taken.append(Box(x - radius, y - radius, x + radius, y + radius))

    def find(
        self, x: float, y: float, lines: list[tuple[str, float]], gap: float, reach: int = 3
    ) -> tuple[Box, bool] | None:
        """A free box near a mark for lines of (words, size), nearest first; and whether it is far enough to need a
        line that leads to it. None where there is no room."""
        wide = max(width_of(words, size) for words, size in lines) + 4
        high = sum(size * _LINE for _, size in lines) + 2
        for far in range(reach):
            for across, down in _AROUND:
                away = gap + far * 16
                left = x + across * away - (wide if across < 0 else wide / 2 if across == 0 else 0)
                top = y + down * away - (high if down < 0 else high / 2 if down == 0 else 0)
                box = Box(left, top, left + wide, top + high)
                if self._free(box):
                    self.taken.append(box)
                    return box, far > 0
        return None

    def _free(self, box: Box) -> bool:
        inside = box.left >= 2 and box.top >= 2 and box.right <= self.width - 2 and box.bottom <= self.height - 2
        return inside and not any(box.meets(other) for other in self.taken)
