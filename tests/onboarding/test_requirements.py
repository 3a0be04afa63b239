"""Which requirement set counts: the most specific one, whatever order they are in, with a reason for each."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.requirements import Item, RequirementSet, builtin_sets, categories, choose

ITEM = {"id": "company", "kind": "form", "title": {"zh": "企业", "en": "Company"}}


def a_set(name: str, version: int = 1, **more: Any) -> RequirementSet:
    return RequirementSet.model_validate(
        {"id": name, "version": version, "title": {"zh": name, "en": name}, "items": [ITEM], **more}
    )


GENERAL = a_set("general")
SETS = [
    GENERAL,
    a_set("stores", kinds=["franchise", "counter"]),
    a_set("stores", 2, kinds=["franchise", "counter"]),
    a_set("stores-east", kinds=["franchise"], regions=["3"]),
    a_set("stores-hangzhou", kinds=["franchise"], regions=["3301", "3302"]),
    a_set("food-stores", kinds=["franchise"], categories=["food"]),
    a_set("zhejiang", regions=["33"]),
]


@pytest.mark.parametrize(
    ("kind", "region", "wanted", "expected"),
    [
        ("supplier", "110101", ["tea"], "general@1"),
        ("supplier", "330106", ["tea"], "zhejiang@1"),
        ("counter", "330106", ["tea"], "stores@2"),
        ("franchise", "110101", ["tea"], "stores@2"),
        ("franchise", "110101", ["tea", "food"], "food-stores@1"),
        ("franchise", "310101", ["food"], "stores-east@1"),
        ("franchise", "330206", ["food"], "stores-hangzhou@1"),
        ("franchise", "BR-SP", ["clothing"], "stores@2"),
    ],
)
def test_the_most_specific_counts(kind: str, region: str, wanted: list[str], expected: str) -> None:
    choice = choose(SETS, kind, region, wanted)
    assert choice.chosen is not None and choice.chosen.pinned == expected
    assert [one.requirements for one in choice.considered if one.because.startswith("the most specific")] == [expected]


def test_every_set_is_given_a_reason() -> None:
    because = {one.requirements: one.because for one in choose(SETS, "franchise", "330206", ["tea"]).considered}
    assert because == {
        "food-stores@1": "is for none of the categories tea",
        "general@1": "less specific than another",
        "stores@2": "less specific than another",
        "stores-east@1": "less specific than another",
        "stores-hangzhou@1": "the most specific that matches",
        "zhejiang@1": "less specific than another",
    }
    assert choose(SETS[3:], "supplier", "110101", ["tea"]).chosen is None


@settings(deadline=None)
@given(st.permutations(SETS), st.sampled_from(["franchise", "counter", "supplier"]), st.sampled_from(["330106", "31"]))
def test_the_order_of_sets_changes_nothing(sets: list[RequirementSet], kind: str, region: str) -> None:
    assert choose(sets, kind, region, ["food"]) == choose(SETS, kind, region, ["food"])


@settings(deadline=None)
@given(
    st.sampled_from(["distributor", "franchise", "counter", "supplier", "carrier", "service"]),
    st.sampled_from(["330106", "310101", "650100", "BR-SP"]),
    st.lists(st.sampled_from(sorted(categories())), min_size=1, max_size=5),
)
def test_every_applicant_is_asked_something(kind: str, region: str, wanted: list[str]) -> None:
    chosen = choose(builtin_sets().values(), kind, region, wanted).chosen
    assert chosen is not None
    asked = {item.id for item in chosen.asked_of(wanted)}
    assert {"company", "business_licence", "bank_account", "truthfulness"} <= asked
    assert ("food_licence" in asked) == (bool({"food", "fresh", "health_food"} & set(wanted)) and kind in SELLING)


SELLING = {"distributor", "franchise", "counter", "supplier"}


def test_built_in_sets_name_what_there_is() -> None:
    for one in builtin_sets().values():
        assert set(one.categories) <= set(categories())
        for item in one.items:
            assert set(item.categories) <= set(categories())
            if item.covers == "licence":
                assert all(item.id in categories()[category].licences for category in item.categories)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "papers", "kind": "form", "title": {"zh": "x", "en": "x"}},
        {"id": "promise", "kind": "declaration", "title": {"zh": "x", "en": "x"}},
        {"id": "company", "kind": "form", "title": {"zh": "x", "en": "x"}, "expires": True},
    ],
)
def test_items_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Item.model_validate(wrong)


def test_an_item_is_listed_once() -> None:
    with pytest.raises(ValidationError, match="company is listed twice"):
        a_set("twice", items=[ITEM, ITEM])
