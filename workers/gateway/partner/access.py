"""Which stream a call is about: a partner's own only; for operators, and the retailer's own systems, any."""

from typing import Annotated

from fastapi import Depends, Query, Request

from contracts.partnership import PartnerRecord
from contracts.refusals import Refusal
from infra.keys import Scope
from infra.mongo import Mongo
from workers.gateway.security import Caller, needs
from workers.gateway.services import gateway_of

STREAM_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""No dots, stars or spaces: a stream's id becomes part of a subject."""

Named = Annotated[
    str | None,
    Query(
        pattern=STREAM_ID,
        description="Which of the partner's streams; by default the one that has its own id. Operators must name one.",
        examples=["store-hangzhou-1"],
    ),
]
Partners = Annotated[Caller, Depends(needs(Scope.PARTNER))]


async def streams_of(mongo: Mongo, partner: str) -> list[str]:
    """A partner without a record is a location of the retailer's, or the retailer: it has the stream of its own id."""
    row = await mongo.partners.find_one({"_id": partner})
    return PartnerRecord.from_row(row).streams if row else [partner]


async def stream_for(mongo: Mongo, caller: Caller, named: str | None) -> str:
    """Raises Refusal. Whether somebody else has the stream that is named makes no difference to the answer."""
    if caller.partner is None:
        if Scope.OPERATE not in caller.scopes:
            raise Refusal(
                "no_partner",
                f"The key of {caller.name} belongs to no partner.",
                remedy=f"Use a partner's key, or an operator's with the scope {Scope.OPERATE} as well.",
                status=403,
            )
        if named is None:
            remedy = "Send stream, such as ?stream=store-hangzhou-1."
            raise Refusal("missing", "An operator has no stream of its own.", remedy=remedy, field="stream")
        return named
    if named is None or named == caller.partner:
        return caller.partner
    if named in await streams_of(mongo, caller.partner):
        return named
    raise Refusal(
        "not_your_stream",
        f"{named} is no stream of {caller.partner}.",
        remedy="Leave stream out, or name one of your locations.",
        field="stream",
        status=403,
    )


async def own_stream(request: Request, caller: Partners, stream: Named = None) -> str:
    """A dependency: the stream that the call is about."""
    return await stream_for(gateway_of(request).mongo, caller, stream)


Stream = Annotated[str, Depends(own_stream)]
