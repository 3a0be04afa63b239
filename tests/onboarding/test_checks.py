"""The checks by machine: an applicant whose papers are in order passes, and every single fault is found where it is."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.onboarding.case import Other, Others
from activities.onboarding.checks import machine_checks, verdicts, with_verdicts
from activities.onboarding.documents import identity_fault
from activities.onboarding.names import normalised
from activities.onboarding.risk import builtin_weights, risk_of
from activities.onboarding.scope import word_found
from activities.onboarding.territory import conflicts, overlap
from bench.applicants import complete
from contracts.applications import Application, Check, Evidence, TerritoryWanted, standing_items
from contracts.onboarding import ItemStanding
from contracts.partnership import PartnerRecord
from contracts.requirements import builtin_sets, categories

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
TODAY = date(2026, 11, 23)
SET = builtin_sets()["franchise@1"]
UNHURRIED = settings(deadline=None)


def applicant(**changes: Any) -> Application:
    return complete(1, SET, NOW).model_copy(update=changes, deep=True)


def found(application: Application, others: Others | None = None) -> list[Check]:
    return machine_checks(application, SET, others or Others(), NOW)


def faults(application: Application, others: Others | None = None) -> dict[tuple[str, str], str]:
    """Codes of what did not pass, by check and item; the deposit is still open."""
    return {
        (check.name, check.item): check.code
        for check in found(application, others)
        if check.verdict != "passed" and check.name != "bank_account"
    }


def with_fact(item: str, **said: Any) -> Application:
    application = applicant()
    document = application.documents[item]
    assert document.facts is not None
    application.documents[item] = document.model_copy(update={"facts": document.facts.model_copy(update=said)})
    return application


def with_form(form: str, **said: Any) -> Application:
    application = applicant()
    changed = getattr(application.fields, form).model_copy(update=said)
    return application.model_copy(update={"fields": application.fields.model_copy(update={form: changed})})


def partner(**changes: Any) -> PartnerRecord:
    made: dict[str, Any] = {
        "id": "P1",
        "kind": "franchise",
        "state": "active",
        "name": "别家",
        "credit_code": "91330100799655058B",
        "territory": ["3301"],
        "exclusive": True,
        "categories": ["food"],
        "application": "app-x",
        "agreement": "agr-x",
        "agreement_until": NOW + timedelta(days=365),
    }
    return PartnerRecord.model_validate({**made, **changes})


@pytest.mark.parametrize("name", sorted(builtin_sets()))
def test_papers_in_order_pass(name: str) -> None:
    requirements = builtin_sets()[name]
    application = complete(7, requirements, NOW, kind=requirements.kinds[0] if requirements.kinds else "supplier")
    checks = machine_checks(application, requirements, Others(), NOW)
    bad = [(check.name, check.item, check.code) for check in checks if check.verdict != "passed"]
    assert bad == [("bank_account", "bank_account", "deposit_open")]
    asked = {item.id for item in requirements.asked_of(application.categories)}
    assert {check.item for check in checks} == asked


def test_every_result_says_what_was_compared_and_when() -> None:
    for check in found(applicant()):
        assert check.at == NOW and check.words.zh and check.words.en
        assert check.evidence or check.name == "bank_account", check
    names = next(c for c in found(applicant()) if c.name == "names" and c.item == "food_licence")
    assert {evidence.source for evidence in names.evidence} >= {
        "documents.food_licence.facts.name",
        "fields.company.name",
    }
    digest = applicant().documents["food_licence"].file
    assert digest is not None and names.evidence[0] == Evidence(
        source="documents.food_licence.facts.name", value=names.evidence[1].value, digest=digest.digest
    )


def test_words_hold_no_personal_data() -> None:
    application = with_fact("food_licence", legal_representative="欧阳某某")
    contact = application.fields.contact
    assert contact is not None
    told = "".join(check.words.zh + check.words.en for check in found(application))
    assert "欧阳" not in told and contact.phone not in told and contact.name not in told


@pytest.mark.parametrize(
    ("fact", "said", "code"),
    [
        ("name", "别家食品有限公司", "name_differs"),
        ("credit_code", "91330100799655058B", "credit_code_differs"),
        ("legal_representative", "赵钱孙", "legal_representative_differs"),
    ],
)
def test_documents_that_differ_from_the_form(fact: str, said: str, code: str) -> None:
    assert faults(with_fact("food_licence", **{fact: said})) == {("names", "food_licence"): code}


@UNHURRIED
@given(st.data())
def test_writing_the_same_name_otherwise_changes_nothing(data: st.DataObject) -> None:
    """Width, blanks and brackets; drawn anew for each character."""
    name = "杭州(西湖)ABC·食品12有限公司"
    ways = {"(": "（(〔", ")": "）)〕", "A": "AＡaａ", "B": "Bｂ", "1": "1１", "·": "·•・"}
    written = "".join(data.draw(st.sampled_from(ways.get(character, character))) for character in name)
    blanks = data.draw(st.lists(st.integers(0, len(written)), max_size=4))
    for place in blanks:
        written = written[:place] + data.draw(st.sampled_from(" \u3000\u00a0\t")) + written[place:]
    assert normalised(written) == normalised(name)


def test_the_account_is_the_companys() -> None:
    assert faults(with_form("bank_account", holder="王某")) == {("names", "bank_account"): "name_differs"}
    assert faults(with_fact("bank_account_certificate", number="6222021299999999")) == {
        ("names", "bank_account_certificate"): "account_differs"
    }


@pytest.mark.parametrize(
    ("left", "code"),
    [(-1, "expired"), (0, "runs_out_soon"), (89, "runs_out_soon"), (90, None), (10_000, None)],
)
def test_ninety_days_must_be_left(left: int, code: str | None) -> None:
    until = (TODAY + timedelta(days=left)).isoformat()
    expected = {("validity", "food_licence"): code} if code else {}
    assert faults(with_fact("food_licence", valid_until=until)) == expected


def test_days_are_counted_in_china() -> None:
    """It is the next day in China already."""
    application = with_fact("food_licence", valid_until="2026-11-23")
    late = datetime(2026, 11, 23, 17, tzinfo=UTC)
    codes = {c.code for c in machine_checks(application, SET, Others(), late) if c.name == "validity"}
    assert "expired" in codes


def test_validity_without_end_and_before_its_beginning() -> None:
    assert faults(with_fact("food_licence", valid_until=None, long_term=True)) == {}
    assert faults(with_fact("food_licence", valid_from="2027-01-01")) == {("validity", "food_licence"): "not_valid_yet"}


@pytest.mark.parametrize(
    ("scope", "covered", "named"),
    [
        ("许可项目：食品销售；日用百货销售", "食品销售", True),
        ("日用百货（不含食品销售）", None, True),
        ("批发零售，除食品销售外", None, True),
        ("食品销售（不含酒类）", "食品销售", True),
        ("不含危险化学品；食品销售", "食品销售", True),
        ("服装零售", None, False),
        ("食 品 销 售", "食品销售", True),
    ],
)
def test_what_a_scope_covers(scope: str, covered: str | None, named: bool) -> None:
    assert word_found(scope, ["食品销售"]) == (covered, named)


def test_scopes_of_both_licences_are_looked_at() -> None:
    assert faults(with_fact("business_licence", scope="日用百货销售")) == {
        ("scope", "business_licence"): "scope_lacks_category"
    }
    assert faults(with_fact("food_licence", scope="预包装食品（不含冷藏冷冻食品）")) == {}
    assert faults(with_fact("food_licence", scope="热食类制售")) == {("scope", "food_licence"): "scope_lacks_category"}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("11010519491231002X", None),  # the example of the standard
        ("110105194912310021", "check_character_wrong"),
        ("E12345678", "other_identity"),
        ("330106201501011231", "check_character_wrong"),
    ],
)
def test_identity_numbers(number: str, code: str | None) -> None:
    fault = identity_fault(number, TODAY)
    assert (fault[0] if fault else None) == code


def test_the_same_applicant_is_known_again() -> None:
    others = Others(
        applications=(
            Other("app-a", "franchise", "review", frozenset({"phone", "bank_account"})),
            Other("app-b", "supplier", "checking", frozenset({"credit_code"})),
        )
    )
    assert faults(applicant(), others) == {
        ("duplicate", "contact"): "same_phone",
        ("duplicate", "bank_account"): "same_bank_account",
        ("duplicate", "company"): "same_credit_code",
    }
    assert verdicts(found(applicant(), others))["company"] == "doubtful"


def test_a_partner_of_this_kind_is_a_failure_and_of_another_a_doubt() -> None:
    same, other = Others(same_company=(partner(),)), Others(same_company=(partner(kind="supplier"),))
    assert faults(applicant(), same) == {("duplicate", "company"): "already_partner"}
    assert verdicts(found(applicant(), same))["company"] == "failed"
    assert verdicts(found(applicant(), other))["company"] == "doubtful"


@pytest.mark.parametrize(
    ("changes", "exclusive", "code"),
    [
        ({}, False, "exclusive_to_other"),
        ({"territory": ["330106"]}, False, "exclusive_to_other"),
        ({"territory": [""]}, False, "exclusive_to_other"),
        ({"territory": ["3302"]}, False, None),
        ({"categories": ["clothing"]}, False, None),
        ({"kind": "counter"}, False, None),
        ({"state": "terminated"}, False, None),
        ({"state": "suspended"}, False, "exclusive_to_other"),
        ({"exclusive": False}, False, None),
        ({"exclusive": False}, True, "not_free_for_exclusive"),
    ],
)
def test_territories_in_the_way(changes: dict[str, Any], exclusive: bool, code: str | None) -> None:
    application = with_form("territory", exclusive=exclusive)
    expected = {("territory", "territory"): code} if code else {}
    assert faults(application, Others(near=(partner(**changes),))) == expected


prefixes = st.lists(st.text("0123", max_size=4).filter(lambda prefix: len(prefix) != 3), max_size=4)
CODES = [f"{number:04d}" for number in range(3334) if set(f"{number:04d}") <= set("0123")]


@UNHURRIED
@given(prefixes, prefixes)
def test_overlap_is_that_of_some_division(one: list[str], other: list[str]) -> None:
    """Compared with what it means: a full code that both cover."""
    both = any(any(c.startswith(p) for p in one) and any(c.startswith(p) for p in other) for c in CODES)
    assert bool(overlap(one, other)) == both
    assert bool(overlap(one, other)) == bool(overlap(other, one))


@UNHURRIED
@given(prefixes, st.booleans())
def test_without_exclusivity_nobody_is_in_the_way(wanted: list[str], exclusive: bool) -> None:
    them = partner(territory=wanted, exclusive=False)
    assert conflicts("franchise", wanted, False, ["food"], [them]) == []
    assert bool(conflicts("franchise", wanted, exclusive, ["food"], [them])) == (exclusive and bool(wanted))


def test_a_feed_below_the_minimum() -> None:
    assert faults(with_form("stock_feed", skus=3)) == {("stock_feed", "stock_feed"): "too_few_skus"}
    assert faults(with_form("stock_feed", every_minutes=31)) == {("stock_feed", "stock_feed"): "too_seldom"}
    assert applicant().fields.territory == TerritoryWanted(prefixes=["330106"])


def test_what_is_missing_is_named() -> None:
    application = applicant(declarations={})
    assert faults(application) == {
        ("completeness", one): "missing"
        for one in ("truthfulness", "integrity", "privacy_protection", "price_discipline")
    }


def test_risk_names_its_terms() -> None:
    checks = found(with_fact("food_licence", name="别家"))
    risk = risk_of(checks, applicant(), NOW)
    assert {term.term: term.points for term in risk.terms} == {
        "names.failed": 30,
        "bank_account.not_checked": 10,
        "regulated": 5,
    }
    assert risk.score == 45 and risk.reviewers_needed == 2
    assert risk.terms[0].because == ["names:food_licence:name_differs"]


@UNHURRIED
@given(st.lists(st.sampled_from(sorted(builtin_weights().checks)), max_size=30), st.integers(0, 30))
def test_more_bad_results_never_lower_the_risk(names: list[str], fewer: int) -> None:
    def result(name: str) -> Check:
        check, verdict = name.split(".")
        return SOME.model_copy(update={"name": check, "verdict": verdict})

    all_of_them = [result(name) for name in names]
    more, less = (risk_of(checks, APPLICANT, NOW) for checks in (all_of_them, all_of_them[: len(names) - fewer]))
    assert 0 <= less.score <= more.score <= 100
    assert more.score == min(sum(term.points for term in more.terms), 100)


APPLICANT = applicant()
SOME = found(APPLICANT)[0]


def test_an_accepted_item_comes_back_when_a_check_fails_now() -> None:
    application = with_form("company", credit_code="91110000600037342P")
    items = [ItemStanding(item="company", state="accepted"), ItemStanding(item="contact", state="accepted")]
    company, contact = with_verdicts(items, found(application), builtin_weights().must_pass)
    assert (company.state, company.verdict, company.must_pass) == ("supplied", "failed", True)
    assert (contact.state, contact.verdict, contact.must_pass) == ("accepted", "passed", False)


def test_every_weighted_check_exists_and_every_category_has_words() -> None:
    names = {check.name for check in found(applicant())}
    assert {name.split(".")[0] for name in builtin_weights().checks} <= names
    assert set(builtin_weights().must_pass) <= names
    assert set(builtin_weights().regulated.categories) <= set(categories())


def test_items_stand_as_they_are_supplied() -> None:
    application = applicant()
    states = {item.item: item.state for item in standing_items(application, SET)}
    assert set(states.values()) == {"supplied"}
    del application.documents["lease"]
    assert {i.item for i in standing_items(application, SET) if i.state == "missing"} == {"lease"}
