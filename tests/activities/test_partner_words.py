"""What partners are told, and what is found wrong with their new documents."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.partners.papers import found_wrong
from activities.partners.telling import told_ending, told_state
from contracts.lifecycle import Ending, OfferDocument
from contracts.partner_events import PartnerChanged, PartnerEnding
from contracts.partnership import PartnerRecord
from contracts.subjects import RETAILER

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)
_RECORD = PartnerRecord(
    id="partner-1",
    kind="supplier",
    state="active",
    name="杭州明月（集团）有限公司",
    credit_code="91330100799655058B",
    application="app-1",
    agreement="app-1-a1",
    agreement_until=NOW + timedelta(days=700),
)


@pytest.mark.parametrize(
    ("reason", "zh", "en"),
    [
        (
            "document_expired:food_licence",
            "“食品经营许可证”已到期，请提交新的文件（food_licence）",
            "Food trading licence has ended: send",
        ),
        ("document_expired:of_their_own", "资质文件 of_their_own已到期", "of_their_own has ended: send"),
        ("agreement_expired", "协议已到期", "when the next one is signed"),
        ("suspended_by_operator", "由我方暂停", "ask us"),
    ],
)
def test_who_is_suspended_is_told_why_and_what_ends_it(reason: str, zh: str, en: str) -> None:
    told = told_state("partner-1", "suspended", [reason])
    assert [whom for whom, _, _ in told] == ["partner-1", RETAILER]
    for _, _, data in told:
        assert isinstance(data, PartnerChanged) and data.reasons == [reason]
        assert zh in data.words.zh and en in data.words.en


def test_what_ends_is_told_by_its_name_and_its_last_day() -> None:
    """It is valid to the end of that day in China."""
    ending = Ending(what="food_licence", until=datetime(2026, 12, 23, 16, tzinfo=UTC))
    _, _, data = told_ending("partner-1", ending, 30)[0]
    assert isinstance(data, PartnerEnding)
    assert data.words.zh.startswith("“食品经营许可证”将于 30 天内到期（有效期至 2026-12-23）")
    assert data.words.en.startswith("Food trading licence ends within 30 days; its last day is 2026-12-23.")


def _offer(days: int, name: str | None = None, credit_code: str | None = None) -> OfferDocument:
    until = NOW + timedelta(days=days)
    return OfferDocument(
        requirement="quality_report", digest="0" * 64, valid_until=until, name=name, credit_code=credit_code
    )


@pytest.mark.parametrize(
    ("offer", "asked", "found"),
    [
        (_offer(89), 90, ["validity_too_short"]),
        (_offer(89), 30, []),
        (_offer(29), 30, ["validity_too_short"]),
        (_offer(100, "杭州明月(集团) 有限公司", "９１３３０１００７９９６５５０５８b"), 90, []),
        (_offer(100, "别家有限公司", "91330106MAT96YR48D"), 90, ["name_differs", "credit_code_differs"]),
    ],
)
def test_new_documents_are_compared_as_those_of_applications(
    offer: OfferDocument, asked: int, found: list[str]
) -> None:
    assert found_wrong(_RECORD, offer, asked, NOW) == found
