"""The page of a decision: well-formed, self-contained, in two languages, and proof against hostile names."""

import re
from collections.abc import Sequence
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from activities.orders.explaining import why_of
from contracts.explanations import Near
from contracts.orders import OrderState, TimelineEntry
from contracts.routing import AllocatedItem, Allocation, Candidate, Decision, Terms
from tests.builders import NOW, location, order, parcel
from workers.picture.page import page_of
from workers.picture.scene import Scene, concerned, scene_of
from workers.picture.words import HAPPENINGS, OUTCOMES, REASONS, TERMS, TEXTS, VERDICTS, Language

HOSTILE = [
    '<script>alert(1)</script>"',
    "'><img src=x onerror=alert(1)>",
    "]]></title></svg><svg onload=alert(1)>",
    "</style><style>@import url(//evil.example)</style>",
    "javascript:alert(1)//",
    "&lt;b&gt; &#x3c;script&#x3e;",
    "zero\x00byte \x1b[31m and \u202eturned",
]


def decision(*chosen: str, number: int = 1, terms: Terms | None = None, **changes: Any) -> Decision:
    parts = [
        Allocation(location=place, distance_km=10.0, items=[AllocatedItem(line=1, sku="tea", quantity=1)], terms=terms)
        for place in chosen
    ]
    fields: dict[str, Any] = {
        "at": NOW + timedelta(minutes=number),
        "attempt": number,
        "outcome": "none" if not chosen else "single" if len(chosen) == 1 else "split",
        "allocations": parts,
        "candidates": [
            Candidate(location=p, distance_km=10.0, ships_all=True, chosen=True, terms=terms) for p in chosen
        ],
        "ruled_out": {"no_stock": 3, "excluded": 1},
        "policy": "default@1",
        "stock_version": 7,
        "stock_rows": 1,
        "terms": terms,
        "reason": "nearest of 2",
    }
    return Decision(**{**fields, **changes})


def scene(of: OrderState, decisions: Sequence[Decision], timeline: Sequence[TimelineEntry] = (), **names: str) -> Scene:
    """Locations lie north of the customer, 10 km from one to the next, and are named as is said."""
    near = [Near(location="empty", distance_km=3.0, reason=next(iter(decisions[-1].ruled_out)))] if names else []
    why = why_of(of.id, of.currency, decisions, near=near)
    places = concerned(of, why)
    known = {place: location(place, 10.0 * n + 3, name=names.get(place, place)) for n, place in enumerate(places)}
    return scene_of(of, why, decisions, timeline, known)


class Reader(HTMLParser):
    """What a browser would make of the page: its elements with their attributes, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


ALLOWED = frozenset(
    "html head meta title style body main header section footer h1 h2 p dl dt dd div span b time ol ul li table thead "
    "tbody tr th td svg g path rect circle line text".split()
)


def assert_harmless(page: str) -> None:
    """Only our own kinds of elements, nothing that runs or is fetched, and drawings that any program can read."""
    read = Reader(page)
    assert {tag for tag, _ in read.elements} <= ALLOWED
    given = [(name, value) for _, attributes in read.elements for name, value in attributes.items()]
    assert not [name for name, _ in given if name.startswith("on") or name in ("href", "src", "xlink:href", "style")]
    assert {value for name, value in given if name == "xmlns"} <= {"http://www.w3.org/2000/svg"}
    assert [tag for tag, _ in read.elements].count("style") == 1
    rules = page.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url|import|expression", rules)
    for drawing in re.findall(r"<svg .*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_stay_text(hostile: str, language: Language) -> None:
    of = order(("tea", 1), order_id="order-1")
    parcel(of, hostile)
    told = TimelineEntry(at=NOW, what="parcel.rejected", location=hostile, reason=hostile, by=hostile)
    made = decision(
        hostile,
        number=2,
        reason=hostile,
        policy=hostile,
        excluded=[hostile],
        ruled_out={hostile: 1},
        runner_up=[hostile],
    )
    shown = scene(of, [decision("near"), made], [told], empty=hostile, **{hostile: hostile})
    page = page_of(shown, language)
    assert_harmless(page)
    seen = re.sub("[\x00\x1b\u202e]", "\ufffd", hostile)
    assert seen in Reader(page).words


def test_a_split_with_costs_is_shown_with_all_its_parts() -> None:
    of = order(("tea", 1))
    terms = Terms(freight=1200, handling=300, lateness=500, scarcity=85.4)
    made = decision("near", "far", terms=terms, runner_up=["third"], runner_up_total=2400.0, exact=False, gap=12.0)
    read = Reader(page_of(scene(of, [made], near="Near & Co", far="遠い店"), "en"))
    for words in (
        "Near & Co",
        "遠い店",
        "third, ¥3.15 more",
        "¥20.85",
        "at most ¥0.12 above the best",
        "has none of it",
    ):
        assert words in read.words, words
    assert sum(a.get("class") == "map" for tag, a in read.elements if tag == "svg") == 1
    assert sum(a.get("class") == "bars" for tag, a in read.elements if tag == "svg") == 1


def test_without_costs_the_page_says_so_and_draws_no_bars() -> None:
    page = page_of(scene(order(("tea", 1)), [decision("near")]), "en")
    assert "Costs were not reckoned" in page
    assert 'class="bars"' not in page


def test_an_order_that_nobody_could_ship_has_a_page_too() -> None:
    nothing = decision(candidates=[], ruled_out={})
    for language in ("en", "zh"):
        assert_harmless(page_of(scene(order(("tea", 1)), [nothing]), language))


def test_locations_without_a_point_are_named_and_not_drawn() -> None:
    of = order(("tea", 1))
    made = decision("near")
    why = why_of(of.id, of.currency, [made])
    read = Reader(page_of(scene_of(of, why, [made], [], {"near": location("near", None, name="Somewhere")}), "en"))
    assert "their place is not known: Somewhere" in read.words


def test_the_story_is_told_in_its_order_with_the_decisions_in_it() -> None:
    of = order(("tea", 1))
    told = [
        TimelineEntry(at=NOW, what="order.placed", by="api"),
        TimelineEntry(at=NOW + timedelta(minutes=1), what="parcel.offered", location="near"),
        TimelineEntry(at=NOW + timedelta(minutes=1, seconds=30), what="parcel.expired", location="near"),
    ]
    words = Reader(page_of(scene(of, [decision("near"), decision("far", number=2)], told), "en")).words
    wanted = [
        "The order was placed",
        "decision 1 of 2: ",
        "offered to near",
        "No answer from near",
        "decision 2 of 2: ",
    ]
    story = words[words.index("What happened") :]
    assert sorted(wanted, key=story.index) == wanted


def test_a_location_that_lost_the_order_again_carries_its_number() -> None:
    of = order(("tea", 1))
    parcel(of, "near")
    made = decision("far", number=2, excluded=["near"])
    shown = scene(of, [decision("near"), made])
    assert {spot.id: spot.step for spot in shown.spots}["near"] == 1


def test_all_words_exist_in_both_languages_with_the_same_blanks() -> None:
    for table in (REASONS, VERDICTS, TERMS, OUTCOMES, HAPPENINGS, TEXTS):
        for key, (english, chinese) in table.items():
            assert english and chinese, key
            assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", chinese)), key


def test_the_map_holds_what_was_weighed_and_only_the_nearest_of_the_rest() -> None:
    of = order(("tea", 1))
    near = [Near(location=f"empty-{n}", distance_km=n, reason="no_stock") for n in range(1, 6)]
    near.append(Near(location="moon", distance_km=5_000.0, reason="excluded"))
    made = decision("near")
    why = why_of(of.id, of.currency, [made], near=near)
    known = {place: location(place, 10.0 + n) for n, place in enumerate(concerned(of, why))}
    shown = scene_of(of, why, [made], [], known)
    assert [spot.id for spot in shown.spots] == ["near", "empty-1", "empty-2", "empty-3"]
    words = Reader(page_of(shown, "en")).words
    for place in ("empty-5", "moon"):
        assert place in words


def test_a_name_that_is_too_long_for_the_picture_is_cut_and_told_whole_beside_it() -> None:
    long = "天下第一大旗舰店" * 12
    page = page_of(scene(order(("tea", 1)), [decision("near")], near=long), "zh")
    assert long in page
    assert "…</text>" in page
