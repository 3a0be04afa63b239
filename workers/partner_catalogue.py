"""Events about applications, and about partners and their agreements' ends: to whom each goes, and an example."""

from datetime import UTC, datetime, timedelta

from contracts.partner_events import (
    ApplicationChanged,
    ApplicationWaits,
    Bilingual,
    PartnerChanged,
    PartnerDocument,
    PartnerEnding,
    PartnerRenewal,
    PartnerTest,
)
from contracts.subjects import RETAILER
from workers.catalogue import LOCATION, Told

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_APPLICATION = "app-01kjt3w9x8c4m2p7q5"
_PARTNER = "partner-01kjt3w9x8c4m2p7q5"

OF_PARTNERS: tuple[Told, ...] = (
    Told(
        "application.changed.v1",
        RETAILER,
        "An application to become a partner came to another stage. `reasons` are codes.",
        _APPLICATION,
        ApplicationChanged(
            application=_APPLICATION, kind="franchise", region="330106", stage="agreement", revision=2, risk=15
        ),
    ),
    Told(
        "application.waits.v1",
        RETAILER,
        "An application waits for somebody until `due`. Told again as a reminder, and when it was given to a role "
        "above because nothing was done; see that they hear of it.",
        _APPLICATION,
        ApplicationWaits(
            application=_APPLICATION,
            stage="review",
            who="reviewer",
            due=_AT + timedelta(days=2),
            escalated_to="partner_review_lead",
            words=Bilingual(zh="等待审核人员审核。", en="The application waits for a reviewer."),
        ),
    ),
    Told(
        "partner.test.v1",
        LOCATION,
        "A test: acknowledge this event in whichever way you read, and you are activated. Told on the stream that has "
        "the partner's own id.",
        _PARTNER,
        PartnerTest(partner=_PARTNER, words=Bilingual(zh="这是一条测试事件。", en="This is a test event.")),
    ),
    Told(
        "partner.changed.v1",
        LOCATION,
        "How you stand from now on: testing, active, suspended (no new orders; finish those that you have) or "
        "terminated. Also told to the retailer.",
        _PARTNER,
        PartnerChanged(
            partner=_PARTNER,
            state="suspended",
            reasons=["document_expired:food_licence"],
            words=Bilingual(zh="合作已暂停。", en="You are suspended."),
        ),
    ),
    Told(
        "partner.ending.v1",
        LOCATION,
        "A document of yours, or the agreement, ends: without a new one you are suspended then. Told 60, 30 and 7 days "
        "before; also to the retailer.",
        _PARTNER,
        PartnerEnding(
            partner=_PARTNER,
            what="food_licence",
            until=_AT + timedelta(days=30),
            days=30,
            words=Bilingual(zh="资质文件将于 30 天内到期。", en="food_licence ends within 30 days."),
        ),
    ),
    Told(
        "partner.document.v1",
        LOCATION,
        "What became of a new document. Also told to the retailer; that a reviewer is awaited for too long (`waits`), "
        "to the retailer only.",
        _PARTNER,
        PartnerDocument(
            partner=_PARTNER,
            requirement="food_licence",
            state="returned",
            comment="请上传彩色扫描件。",
            words=Bilingual(zh="新的资质文件被退回。", en="The new document was returned."),
        ),
    ),
    Told(
        "partner.renewal.v1",
        LOCATION,
        "How the signing of the next agreement ended. Also told to the retailer.",
        _PARTNER,
        PartnerRenewal(
            partner=_PARTNER,
            agreement=f"{_APPLICATION}-a2",
            outcome="signed",
            until=_AT + timedelta(days=730),
            words=Bilingual(zh="续签协议已签署。", en="The next agreement is signed."),
        ),
    ),
)
