"""A statement's lines and sums, and its PDF read back by other means than it was made with."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from activities.settlement.document import pages_of, pdf_of
from activities.settlement.statements import balances_of, json_of, lines_of
from contracts.settlement import Entry, Meaning, StatementContent
from tests.pdf_text import pages

AT = datetime(2026, 10, 3, 4, 5, tzinfo=UTC)


def entry(
    cause: str, meaning: Meaning, amount: int, *, hours: int = 0, currency: str = "CNY", number: int = 0
) -> Entry:
    parcel = cause.partition(":")[0]
    return Entry(
        id=f"{cause}:{meaning}:{number}",
        cause=cause,
        order=parcel.partition(".")[0],
        parcel=parcel,
        account="partner:shop",
        meaning=meaning,
        amount=amount,
        currency=currency,
        at=AT + timedelta(hours=hours),
        rule="sellers@3" if meaning == "commission" else None,
    )


def content(*entries: Entry, name: str = "杭州茶庄", opening: dict[str, int] | None = None) -> StatementContent:
    lines = lines_of(entries)
    return StatementContent(
        statement="settlement-shop-2026-10",
        revision=2,
        partner="shop",
        partner_name=name,
        period="2026-10",
        until=datetime(2026, 10, 31, 16, tzinfo=UTC),
        balances=balances_of(opening or {}, lines),
        lines=lines,
    )


def test_a_line_is_a_cause_with_its_amounts_and_rules() -> None:
    made = lines_of(
        [
            entry("o-2.p1:shipped", "goods", 500, hours=2),
            entry("o-1.p1:shipped", "commission", -100),
            entry("o-1.p1:shipped", "goods", 1_000),
            entry("o-1.p1:shipped", "commission", -50, number=1),
        ]
    )
    assert [(line.number, line.order, line.amount) for line in made] == [(1, "o-1", 850), (2, "o-2", 500)]
    assert (made[0].amounts, made[0].rules) == ({"goods": 1_000, "commission": -150}, ["sellers@3"])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-999, 999), st.sampled_from(["CNY", "BRL"])), max_size=20))
def test_balances_are_the_opening_and_all_entries(drawn: list[tuple[int, int, str]]) -> None:
    entries = [
        entry(f"o-{order}.p1:shipped", "goods", amount, currency=currency, number=number)
        for number, (order, amount, currency) in enumerate(drawn)
    ]
    opening = {"CNY": 77}
    for balance in balances_of(opening, lines_of(entries)):
        moved = sum(e.amount for e in entries if e.currency == balance.currency)
        assert balance.closing == balance.opening + moved
        assert balance.opening == opening.get(balance.currency, 0)


def test_the_pdf_says_in_two_languages_what_the_json_says() -> None:
    made = content(
        entry("o-1.p1:shipped", "goods", 123_456),
        entry("o-1.p1:shipped", "commission", -12_346),
        entry("o-1.p1:returned:2", "goods", -1_001, hours=1),
        entry("settlement-shop-2026-10:line-1:corrected", "correction", 99, hours=2),
        opening={"CNY": 1_000},
    )
    (text,) = pages(pdf_of(made))
    for words in (
        "结算单Settlementstatement",
        "修订Revision2",
        "杭州茶庄(shop)",
        "2026-11-0100:00",
        "期初余额Openingbalance¥10.00",
        "货款Goods¥1224.55",
        "平台佣金Commission-¥123.46",
        "期末余额Closingbalance¥1112.08",
        "发货Shippedo-1.p1",
        "退回或丢失Returnedorlost,2件units,o-1.p1",
        "更正Correction",
        "第1页，共1页·Page1of1",
    ):
        assert words in text, (words, text)


def test_many_lines_go_over_many_pages_each_with_its_number() -> None:
    made = content(*(entry(f"o-{number}.p1:shipped", "goods", 100 + number, hours=number) for number in range(200)))
    pdf = pdf_of(made)
    found = pages(pdf)
    assert len(found) == pages_of(pdf) > 3
    for number, text in enumerate(found, 1):
        assert f"Page{number}of{len(found)}" in text
    whole = "".join(found)
    assert all(f"o-{number}¥{(100 + number) / 100:.2f}" in whole for number in range(200))


def test_the_same_content_makes_the_same_bytes() -> None:
    made = content(entry("o-1.p1:shipped", "goods", 100))
    assert pdf_of(made) == pdf_of(made)
    assert json_of(made) == json_of(made)
    assert StatementContent.model_validate_json(json_of(made)) == made


@settings(max_examples=25, deadline=None)
@given(st.text("#*$()[]{}_@<>/-+=~%&!?.,:;|^0123456789\\", max_size=12))
def test_a_name_is_shown_and_never_obeyed(marks: str) -> None:
    """`#`, `*`, `$`, brackets and the like are markup for the program that sets the document."""
    name = f"<{marks}#eval(1)*x*$y$>"
    (text,) = pages(pdf_of(content(name=name)))
    assert f"{name}(shop)" in text
