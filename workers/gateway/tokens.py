"""The route that ends the token of an application which others have seen."""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, TypeAdapter

from contracts.ids import sortable
from infra.audit import audit_row, write_audit
from infra.keys import Scope, hash_key
from infra.mongo import Session
from workers.gateway.access import Nothing
from workers.gateway.answers import Answer, answer
from workers.gateway.applicants import IdInPath, new_token, unknown_application
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.partners import Operates
from workers.gateway.services import Gateway

router = APIRouter(tags=["applications"])
_NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)


class TokenRevoked(BaseModel):
    id: str
    revoked_at: datetime


@router.post(
    "/v1/applications/{id}/token/revoke",
    **operation(
        "End the token of an application",
        {200: answers_with(TokenRevoked, "It opens nothing any more.")},
        scope=Scope.PARTNERS_OPERATE,
        body=Nothing,
        examples={"nothing": {}},
        problems=[404],
    ),
)
async def revoke_token(request: Request, caller: Operates, application: IdInPath) -> Response:
    """Nobody gets another: who has it sees persons, can sign for the applicant, and collects its access. A partner goes
    on with its keys; an applicant begins anew, and what it had begun is for reviewers to end."""

    async def work(gateway: Gateway, body: object, request_id: str) -> Answer:
        parse(_NOTHING, body)
        now = gateway.mongo.clock.now()
        row = audit_row(application, f"token:{sortable()}", caller.name, "revoked the token", now)

        async def end(session: Session) -> None:
            # Of a token that nobody is told. With a new version, so that who read before cannot bring the old one back.
            change = {"$set": {"token_hash": hash_key(new_token())}, "$inc": {"version": 1}}
            found = await gateway.mongo.applications.update_one({"_id": application}, change, session=session)
            if not found.matched_count:
                raise unknown_application()
            await write_audit(gateway.mongo, [row], session=session)

        await gateway.mongo.transaction(end)
        return answer({"id": application, "revoked_at": now})

    return await carried_out(request, caller, work)
