"""Routes of requirement sets: what is asked of whom, for everybody to see; new ones by operators."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, TypeAdapter

from activities.onboarding.requirements import UnknownSet
from contracts.divisions import DivisionCode
from contracts.partnership import PartnerKind
from contracts.refusals import Refusal
from contracts.requirements import CategoryWords, Considered, RequirementSet, categories
from infra.keys import Scope
from infra.mongo import DuplicateKeyError
from workers.gateway import examples
from workers.gateway.answers import Answer, answer
from workers.gateway.body import parse
from workers.gateway.carried import carried_out
from workers.gateway.openapi import answers_with, operation
from workers.gateway.rates import seldom
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of
from workers.gateway.upserts import refuse_wrong_prefixes

router = APIRouter(tags=["applications"])
SetsChange = Annotated[Caller, Depends(needs(Scope.PARTNERS_OPERATE))]

_SET: TypeAdapter[RequirementSet] = TypeAdapter(RequirementSet)


class ChosenSet(BaseModel):
    """`considered`: every set, with why it counts or does not. `requirements`: null where partners are not sought."""

    requirements: RequirementSet | None
    considered: list[Considered]
    categories: list[CategoryWords]


@router.get(
    "/v1/requirements",
    dependencies=[Depends(seldom())],
    **operation(
        "See what is asked of an applicant",
        {200: answers_with(ChosenSet, "The set that counts, and why.")},
        scope=None,
        anybody=True,
    ),
)
async def see_requirements(
    request: Request,
    kind: PartnerKind,
    region: Annotated[DivisionCode, Query(description="Division of the applicant's seat.", examples=["330106"])],
    category: Annotated[list[str], Query(max_length=50, description="May come several times.")],
) -> Response:
    """Before applying; needs no key. An application keeps the version that counted when it was begun."""
    choice = await gateway_of(request).book.choose(kind, region, category)
    view = {
        "requirements": choice.chosen.model_dump(mode="json") if choice.chosen else None,
        "considered": [one.model_dump() for one in choice.considered],
        "categories": [one.model_dump() for one in categories().values()],
    }
    return answer(view).response()


@router.put(
    "/v1/requirements",
    **operation(
        "Add a version of a requirement set",
        {
            201: answers_with(RequirementSet, "Added; it counts for applications from now on."),
            200: answers_with(RequirementSet, "It was there already, as it was sent."),
        },
        scope=Scope.PARTNERS_OPERATE,
        body=RequirementSet,
        examples={"counters in Zhejiang": examples.REQUIREMENT_SET},
    ),
)
async def put_requirements(request: Request, caller: SetsChange) -> Response:
    """A version never changes: to change a set, send its next version. Applications that were begun keep theirs."""
    return await carried_out(request, caller, _put)


async def _put(gateway: Gateway, body: Any, request_id: str) -> Answer:
    new = parse(_SET, body)
    for place, region in enumerate(new.regions):
        refuse_wrong_prefixes({f"regions.{place}": region})
    _refuse_unknown_categories(new)
    known = [one for one in await gateway.book.all() if one.id == new.id]
    newest = max((one.version for one in known), default=0)
    same = next((one for one in known if one.version == new.version), None)
    if same is not None and same != new:
        raise _taken(new, newest)
    if same is None and new.version <= newest:
        raise _taken(new, newest)
    if same is None:
        try:
            await gateway.mongo.requirement_sets.insert_one({"_id": new.pinned, **new.model_dump(mode="json")})
        except DuplicateKeyError:
            raise _taken(new, new.version) from None
    return answer(new.model_dump(mode="json"), 201 if same is None else 200)


def _taken(new: RequirementSet, newest: int) -> Refusal:
    return Refusal(
        "version_taken",
        f"{new.id} has the version {newest} already, and versions never change.",
        remedy=f"Send it as version {newest + 1}.",
        field="version",
        status=409,
    )


def _refuse_unknown_categories(new: RequirementSet) -> None:
    named = {"categories": new.categories}
    named |= {f"items.{place}.categories": item.categories for place, item in enumerate(new.items)}
    named |= {f"training.{place}.categories": course.categories for place, course in enumerate(new.training)}
    for field, listed in named.items():
        for place, category in enumerate(listed):
            if category not in categories():
                raise Refusal(
                    "unknown_category",
                    f"There is no category {category}.",
                    remedy=f"Send one of {', '.join(categories())}.",
                    field=f"{field}.{place}",
                )


@router.get(
    "/v1/requirements/{pinned}",
    dependencies=[Depends(seldom())],
    **operation(
        "See a version of a requirement set",
        {200: answers_with(RequirementSet, "As it was and stays.")},
        scope=None,
        anybody=True,
        problems=[404],
    ),
)
async def see_set(request: Request, pinned: Annotated[str, Path(max_length=80, examples=["franchise@1"])]) -> Response:
    """By `<id>@<version>`, as applications name it."""
    try:
        found = await gateway_of(request).book.pinned(pinned)
    except UnknownSet:
        detail = f"There is no requirement set {pinned}."
        remedy = "Check the id and the version; GET /v1/requirements lists those that are newest."
        raise Refusal("unknown_requirements", detail, remedy=remedy, field="pinned", status=404) from None
    return answer(found.model_dump(mode="json")).response()
