"""Terms of buying and approvers as they are kept: every change is a version, with who made it."""

from datetime import datetime
from typing import TypeVar

from contracts.base import Request
from contracts.buying_terms import Approvers, BuyingTerms
from infra.mongo import Collection, DuplicateKeyError, Mongo, Session

Kept = TypeVar("Kept", bound=Request)


async def terms_in_force(mongo: Mongo, session: Session | None = None) -> tuple[int, BuyingTerms]:
    """The newest version, and its number; 0: those that come with the system."""
    return await _newest(mongo.buying_terms, "terms", BuyingTerms(), session)


async def approvers_in_force(mongo: Mongo, session: Session | None = None) -> tuple[int, Approvers]:
    """As `terms_in_force`; with the system comes nobody."""
    return await _newest(mongo.purchase_approvers, "named", Approvers(approvers=[]), session)


async def keep_terms(mongo: Mongo, terms: BuyingTerms, by: str, now: datetime) -> int:
    """The new version's number, or that of the one in force that says the same."""
    return await _keep(mongo.buying_terms, "terms", terms, BuyingTerms(), by, now)


async def keep_approvers(mongo: Mongo, approvers: Approvers, by: str, now: datetime) -> int:
    """As `keep_terms`."""
    return await _keep(mongo.purchase_approvers, "named", approvers, Approvers(approvers=[]), by, now)


async def _newest(kept: Collection, field: str, first: Kept, session: Session | None = None) -> tuple[int, Kept]:
    row = await kept.find_one(sort=[("_id", -1)], session=session)
    return (row["_id"], type(first).model_validate(row[field])) if row else (0, first)


async def _keep(kept: Collection, field: str, value: Kept, first: Kept, by: str, now: datetime) -> int:
    while True:
        version, known = await _newest(kept, field, first)
        if version and known == value:
            return version
        try:
            row = {"_id": version + 1, field: value.model_dump(mode="json"), "by": by, "at": now}
            await kept.insert_one(row)
            return version + 1
        except DuplicateKeyError:
            continue
