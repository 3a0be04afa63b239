"""Routes of policies: make a new version, see one, list those in force."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import TypeAdapter

from infra.keys import Scope
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.policybook import PolicyDraft, PolicyList, PolicyView, keep_policy, read_policies, read_policy
from workers.gateway.security import Caller, Operates, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["policies"])
Reads = Annotated[Caller, Depends(needs(Scope.ORDERS_READ))]

_DRAFT: TypeAdapter[Any] = TypeAdapter(PolicyDraft)


@router.post(
    "/v1/policies",
    **operation(
        "Make a new version of a policy",
        {
            201: answers_with(PolicyView, "A new version; it is in force at once.", Location="Where it can be seen."),
            200: answers_with(
                PolicyView, "The newest version says the same already.", Location="Where it can be seen."
            ),
        },
        scope=Scope.OPERATE,
        body=PolicyDraft,
        examples={"the Pearl River delta": examples.POLICY},
    ),
)
async def make_policy(request: Request, caller: Operates) -> Response:
    """Versions are never changed in place: a decision names the version it was made under, for ever. The policy that
    holds for an order is the one with the longest beginning of its division, then the one that names its channel."""
    return await carried_out(request, caller, _make)


async def _make(gateway: Gateway, body: Any, request_id: str) -> Answer:
    kept = await keep_policy(gateway.mongo, parse(_DRAFT, body), gateway.mongo.clock.now())
    policy = kept.policy
    path = f"/v1/policies/{policy.id}?version={policy.version}"
    return answer(policy.model_dump(), 201 if kept.created else 200, {"Location": path})


@router.get(
    "/v1/policies",
    **operation("List policies", {200: answers_with(PolicyList, "Those in force.")}, scope=Scope.ORDERS_READ),
)
async def list_policies(request: Request, caller: Reads) -> Response:
    """The newest version of each, by id."""
    found = await read_policies(gateway_of(request).mongo)
    return answer({"policies": [policy.model_dump() for policy in found]}).response()


@router.get(
    "/v1/policies/{id}",
    **operation("See a policy", {200: answers_with(PolicyView, "It.")}, scope=Scope.ORDERS_READ, problems=[404]),
)
async def see_policy(
    request: Request,
    caller: Reads,
    policy: Annotated[str, Path(alias="id", max_length=40, examples=["default"])],
    version: Annotated[int | None, Query(ge=1, le=1_000_000, description="The newest when left out.")] = None,
) -> Response:
    """Any version that ever was in force."""
    return answer((await read_policy(gateway_of(request).mongo, policy, version)).model_dump()).response()
