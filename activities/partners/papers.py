"""What the machine finds wrong with a new document of a partner, in place of one that ends."""

from datetime import datetime, timedelta

from activities.onboarding.names import same
from activities.onboarding.requirements import RequirementBook
from contracts.lifecycle import OfferDocument
from contracts.partnership import PartnerRecord
from infra.mongo import Mongo, Session

USUAL_DAYS = 90


async def days_asked(mongo: Mongo, record: PartnerRecord, requirement: str, session: Session) -> int:
    """The days for which it must be valid yet, as the set asks by which the partner was taken on."""
    row = await mongo.applications.find_one({"_id": record.application}, {"requirements": 1}, session=session)
    if row is None:
        return USUAL_DAYS
    asked = await RequirementBook(mongo).pinned(row["requirements"], session)
    return next((item.valid_days for item in asked.items if item.id == requirement), USUAL_DAYS)


def found_wrong(record: PartnerRecord, asked: OfferDocument, days: int, now: datetime) -> list[str]:
    """Codes; names and codes are compared as those of applications are. Pure."""
    found = []
    if asked.valid_until is not None and asked.valid_until < now + timedelta(days=days):
        found.append("validity_too_short")
    if asked.name is not None and not same("name", asked.name, record.name):
        found.append("name_differs")
    if asked.credit_code is not None and not same("credit_code", asked.credit_code, record.credit_code):
        found.append("credit_code_differs")
    return found
