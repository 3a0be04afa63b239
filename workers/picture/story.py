"""What happened to the order, in its order: offers, answers, and each time it was decided again."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from workers.picture.markup import Markup, element
from workers.picture.scene import Scene
from workers.picture.words import HAPPENINGS, OUTCOMES, REASONS, Language, say, text

_TOLD = ("order.", "parcel.", "address.", "hold.", "payment.")


def story_of(scene: Scene, language: Language) -> Markup:
    """An ordered list. Decisions stand where they were made, the one that the picture is about in bold."""
    entries = sorted([*_happenings(scene, language), *_decisions(scene, language)], key=lambda one: one[:2])
    items = [
        element(
            "li",
            element("time", _moment(at)),
            " ",
            element("span", f"+{_age(at - scene.placed_at)}", class_="age"),
            words,
        )
        for at, _, words in entries
    ]
    return element("ol", *items, class_="story")


_Entry = tuple[datetime, int, Markup]


def _happenings(scene: Scene, language: Language) -> Iterator[_Entry]:
    for entry in scene.timeline:
        if not entry.what.startswith(_TOLD):
            continue
        words: list[object] = [" ", say(HAPPENINGS, entry.what, language)]
        if entry.location:
            words += [" ", element("b", scene.names.get(entry.location) or entry.location)]
        if entry.reason and (entry.what, entry.reason) != ("parcel.expired", "no_answer"):
            words.append(f" ({say(REASONS, entry.reason, language)})")
        yield entry.at, 0 if entry.what == "order.placed" else 2, element("span", *words, class_=_class(entry.what))


def _decisions(scene: Scene, language: Language) -> Iterator[_Entry]:
    for number, decision in enumerate(scene.decisions, 1):
        where = ", ".join(scene.names.get(part.location) or part.location for part in decision.allocations)
        outcome = say(OUTCOMES, decision.outcome, language)
        colon = text("colon", language)
        words = f" {text('decision', language, number=number, all=scene.why.decisions)}{colon}{outcome}"
        name = "b" if number == scene.why.decision else "span"
        yield decision.at, 1, element(name, words + (f"{colon}{where}" if where else ""), class_="decision")


def _class(what: str) -> str:
    bad = (
        "rejected",
        "expired",
        "withdrawn",
        "backordered",
        "cancelled",
        "overdue",
        "lost",
        "declined",
        "refused_at_door",
    )
    return "bad" if what.endswith(bad) else "good"


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _age(span: timedelta) -> str:
    minutes, seconds = divmod(max(int(span.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
