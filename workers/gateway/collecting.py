"""The route by which a new partner collects its API key and its credentials for the bus: once, by its applicant's
token. They are made at that moment, and kept nowhere."""

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter

from contracts.ids import sortable
from contracts.onboarding import partner_of
from contracts.partnership import PartnerRecord
from contracts.refusals import Refusal
from infra.audit import audit_row, write_audit
from infra.credentials import BusNotTold
from workers.gateway.access import Access, Nothing, shown
from workers.gateway.answers import answer
from workers.gateway.applicants import Applies
from workers.gateway.body import parse, read_json
from workers.gateway.openapi import answers_with, operation
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["applications"])
_NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)


@router.post(
    "/v1/applications/{id}/credentials",
    **operation(
        "Collect the partner's key and credentials",
        {200: answers_with(Access, "Shown once, and never again.")},
        scope=None,
        applicant=True,
        once=False,
        body=Nothing,
        examples={"nothing": {}},
        problems=[404, 409],
    ),
)
async def collect(request: Request, applicant: Applies) -> Response:
    """When the application is at the stage `testing`: connect with them, read the test event and acknowledge it. Write
    them down: who loses them asks the retailer for new ones."""
    gateway = gateway_of(request)
    parse(_NOTHING, await read_json(request, gateway.limits.body_bytes))
    record = await _made(gateway, applicant.application)
    try:
        collected = await gateway.access.collect(record)
    except BusNotTold as error:
        raise unavailable() from error
    if collected is None:
        raise Refusal(
            "collected_already",
            "The key and the credentials were collected before; they are shown once.",
            remedy="Ask the retailer for new ones, if it was not you or if you have lost them.",
            status=409,
        )
    now, note = gateway.mongo.clock.now(), collected.credentials.public_key
    row = audit_row(record.id, f"access:{sortable()}", "applicant", "collected access", now, note=note)
    await write_audit(gateway.mongo, [row])
    content = {"partner": record.id, "key": collected.key, "credentials": shown(collected.credentials)}
    return answer(content).response()


async def _made(gateway: Gateway, application: str) -> PartnerRecord:
    row = await gateway.mongo.partners.find_one({"_id": partner_of(application)})
    if row is None or row["state"] in ("provisioning", "terminated"):
        raise Refusal(
            "no_partner_yet",
            "The partner is not made, or is not any more.",
            remedy="Wait until the application is at the stage testing.",
            status=409,
        )
    return PartnerRecord.from_row(row)


def unavailable() -> Refusal:
    """The server of the bus is away; what was decided is told to it later."""
    return Refusal(
        "bus_unavailable",
        "The event bus does not answer at the moment.",
        remedy="Send the same request again after the seconds that Retry-After names.",
        status=503,
        retry_after=2,
    )
