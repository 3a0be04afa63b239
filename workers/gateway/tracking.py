"""Route of carriers: where they report scans of parcels."""

from collections import defaultdict
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import TypeAdapter

from activities.carriers.tracking import normalise
from activities.orders.standing import unwanted
from contracts.carriers import Carrier, Scan, TrackingReport
from contracts.ids import scan_event_id
from contracts.orders import LIVE, TERMINAL, URGENT, InboxEvent, ParcelState
from contracts.refusals import Refusal
from infra.keys import Scope
from infra.mongo import Mongo, insert_new
from infra.reopening import reopen
from workers.gateway import scan_examples as examples
from workers.gateway.answers import Answer, answer
from workers.gateway.bodies import TrackingBatch
from workers.gateway.body import listed, parse
from workers.gateway.carried import carried_out
from workers.gateway.carriers import find_carrier
from workers.gateway.faults import codes_of
from workers.gateway.openapi import answers_with, operation
from workers.gateway.results import TrackingResults, counted, refused_item
from workers.gateway.security import Caller, needs
from workers.gateway.services import Gateway, gateway_of

router = APIRouter(tags=["tracking"])
Reports = Annotated[Caller, Depends(needs(Scope.CARRIERS_TRACK))]
CarrierInPath = Annotated[str, Path(alias="id", max_length=30, examples=["yunque"])]

_CLOCKS_DIFFER = timedelta(hours=1)
_REPORT: TypeAdapter[TrackingReport] = TypeAdapter(TrackingReport)


class _Carried(NamedTuple):
    """A parcel on its way, and the order that it belongs to."""

    order: str
    parcel: str
    batch: str | None
    ended: bool
    state: ParcelState


@router.post(
    "/v1/carriers/{id}/tracking",
    **operation(
        "Report up to 1,000 scans",
        {200: answers_with(TrackingResults, "A result for each scan, in their order.", examples.TRACKING_RESULTS)},
        scope=Scope.CARRIERS_TRACK,
        body=TrackingBatch,
        examples={"two scans": examples.SCANS},
        problems=[404],
    ),
)
async def report_tracking(request: Request, caller: Reports, carrier: CarrierInPath) -> Response:
    """In the carrier's own codes; in any order, and as often as need be: a scan is known by its id. The key is one that
    was made under the carrier's id. A scan that cannot be taken is refused by itself and keeps no other from being."""
    _refuse_others(caller, carrier)
    known = await find_carrier(gateway_of(request).mongo, carrier)
    return await carried_out(request, caller, partial(_report, known))


def _refuse_others(caller: Caller, carrier: str) -> None:
    if caller.name != carrier and Scope.OPERATE not in caller.scopes:
        raise Refusal(
            "not_your_carrier",
            f"The key of {caller.name} may not report for {carrier}.",
            remedy=f"Use a key that was made under the name {carrier}.",
            field="id",
            status=403,
        )


async def _report(carrier: Carrier, gateway: Gateway, body: Any, _: str) -> Answer:
    now = gateway.mongo.clock.now()
    values = listed(body, "reports", gateway.limits.items_per_request)
    scans: dict[int, tuple[TrackingReport, Scan]] = {}
    results: list[dict[str, Any]] = [{}] * len(values)
    for index, value in enumerate(values):
        try:
            report = parse(_REPORT, value)
            scans[index] = report, _scan(carrier, report, now)
        except Refusal as refusal:
            results[index] = _refused(gateway, index, refusal)
    parcels = await _parcels(gateway.mongo, carrier.id, {report.tracking for report, _ in scans.values()})
    taken: list[tuple[InboxEvent, str | None]] = []
    surprises = []
    for index, (report, scan) in scans.items():
        found = parcels.get(report.tracking)
        if found is None:
            results[index] = _refused(gateway, index, _unknown_number(report))
            continue
        surprise = found.ended and unwanted(found.state, scan.state)
        event = _event(report, scan, found, now)
        if surprise:
            surprises.append(event.id)
        if surprise or not found.ended:
            taken.append((event, found.batch))
        outcome = "order_ended" if found.ended and not surprise else "taken"
        results[index] = {"index": index, "status": 200, "id": scan.id, "parcel": found.parcel, "outcome": outcome}
    # Once for each scan, however often it is told.
    await insert_new(gateway.mongo.inbox, [event.unread(found) for event, found in taken])
    gateway.wakes.inbox({found for _, found in taken if found}, urgent="tracking" in URGENT)
    unread = gateway.mongo.inbox.find({"_id": {"$in": surprises}, "drained": None}, {"order": 1})
    gateway.wakes.orders(await reopen(gateway.mongo, {row["order"] async for row in unread}))
    return answer(counted(results))


def _scan(carrier: Carrier, report: TrackingReport, now: datetime) -> Scan:
    if report.at > now + _CLOCKS_DIFFER:
        raise Refusal(
            "in_future",
            f"{report.at.isoformat()} is yet to come.",
            remedy="Send the moment at which the scan was made, with its offset from UTC.",
            field="at",
        )
    scan = normalise(carrier.id, carrier.codes, report)
    if scan is None:
        raise Refusal(
            "unknown_code",
            f"The table of {carrier.id} has no code {report.code}.",
            remedy="Send a code of the table, or have this one added to the carrier, and send the scan again.",
            field="code",
        )
    return scan


def _unknown_number(report: TrackingReport) -> Refusal:
    return Refusal(
        "unknown_number",
        f"No parcel goes under the number {report.tracking}.",
        remedy="Check the number. If the label was booked a moment ago, send the scan again in a minute.",
        field="tracking",
        status=404,
    )


def _refused(gateway: Gateway, index: int, refusal: Refusal) -> dict[str, Any]:
    gateway.refusals.note(codes_of(refusal))
    return refused_item(index, refusal)


async def _parcels(mongo: Mongo, carrier: str, numbers: set[str]) -> dict[str, _Carried]:
    """Parcels by tracking number. A number of a label is its carrier's alone; one that a store brought is anybody's."""
    query = {"parcels.tracking": {"$type": "string", "$in": sorted(numbers)}}
    wanted = {"batch": 1, "stage": 1, "parcels": 1}
    found: dict[str, list[tuple[tuple[bool, bool], _Carried]]] = defaultdict(list)
    async for row in mongo.orders.find(query, wanted):
        for parcel in row["parcels"]:
            number, label = parcel["tracking"], parcel.get("label") or {}
            labelled = number is not None and label.get("tracking") == number
            if number not in numbers or (labelled and label["service"].split("/")[0] != carrier):
                continue
            carried = _Carried(row["_id"], parcel["id"], row["batch"], row["stage"] in TERMINAL, parcel["state"])
            found[number].append(((labelled, parcel["state"] in LIVE), carried))
    return {number: max(candidates)[1] for number, candidates in found.items()}


def _event(report: TrackingReport, scan: Scan, carried: _Carried, now: datetime) -> InboxEvent:
    return InboxEvent(
        id=scan_event_id(scan.carrier, report.tracking, scan.id),
        order=carried.order,
        kind="tracking",
        received_at=now,
        by=scan.carrier,
        parcel=carried.parcel,
        data=scan.model_dump(),
    )
