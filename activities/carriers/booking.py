"""The activity that books and voids a batch's labels; what the carriers answer comes back through the inbox."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import ValidationError
from temporalio import activity

from activities.asking import set_aside
from activities.carriers.predicting import remaining_of
from activities.carriers.rates import compare, quote
from activities.carriers.tables import Tables
from activities.heartbeat import heartbeats
from activities.orders.demand import added_up, size_of
from contracts.carriers import Alternative, LabelAnswer, LabelInstruction, LabelOutcome
from contracts.fulfilment import BOOK, Answered, Ask
from contracts.hours import TIME_ZONE
from contracts.orders import InboxEvent, Parcel
from contracts.skus import Article
from infra.carriers import CarrierPort
from infra.mongo import Mongo, insert_new


class _Asked(NamedTuple):
    order: str
    tries: int
    instruction: LabelInstruction
    time_zone: str


class _Open(NamedTuple):
    order: str
    division: str
    parcel: Parcel


class CarrierActivities:
    def __init__(self, mongo: Mongo, port: CarrierPort) -> None:
        self._mongo = mongo
        self._port = port
        self._tables = Tables(mongo)

    @activity.defn(name=BOOK)
    async def book(self, step: Ask) -> Answered:
        """Ask carriers for everything that is due. Repeating it asks under the same keys, so nothing is booked twice.

        A carrier that fails makes no error here: the failure is written to the inbox like any other answer, and the
        order decides when to ask again.
        """
        async with heartbeats():
            asked = await self._instructions(await self._open(step))
            outcomes = await self._port.perform_all([one.instruction for one in asked])
            answers = [await self._answer(one, outcome, step) for one, outcome in zip(asked, outcomes, strict=True)]
            await insert_new(self._mongo.inbox, answers)
        return Answered.of(outcome.status for outcome in outcomes)

    async def _open(self, step: Ask) -> list[_Open]:
        """Parcels whose label is to be booked or voided now."""
        found = self._mongo.orders.find(
            {"batch": step.batch, "label_at": {"$lte": step.now}}, {"parcels": 1, "division": 1}
        )
        parcels: list[_Open] = []
        async for row in found:
            try:
                for parcel in (Parcel.model_validate(one) for one in row["parcels"]):
                    label = parcel.label
                    if label and label.state == "todo" and (label.not_before is None or label.not_before <= step.now):
                        parcels.append(_Open(row["_id"], row["division"], parcel))
            except ValidationError as error:
                await set_aside(self._mongo, row["_id"], "label_at", error, step.now)
        return parcels

    async def _instructions(self, parcels: list[_Open]) -> list[_Asked]:
        places = await self._rows("locations", {one.parcel.location for one in parcels})
        skus = await self._rows("skus", {item.sku for one in parcels for item in one.parcel.items})
        articles = {sku: Article.from_row(row) for sku, row in skus.items()}
        asked = []
        for order, division, parcel in parcels:
            place = places.get(parcel.location, {})
            weight, volume = size_of(added_up((item.sku, item.quantity) for item in parcel.items), articles)
            label = parcel.label
            assert label is not None
            instruction = LabelInstruction(
                key=label.key,
                operation=label.operation,
                parcel=parcel.id,
                service=label.service,
                origin=place.get("division", ""),
                destination=division,
                weight_g=weight,
                volume_cm3=volume,
            )
            asked.append(_Asked(order, label.tries, instruction, place.get("time_zone", TIME_ZONE)))
        return asked

    async def _rows(self, collection: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
        found = self._mongo.db[collection].find({"_id": {"$in": sorted(ids)}})
        return {row["_id"]: row async for row in found}

    async def _answer(self, asked: _Asked, outcome: LabelOutcome, step: Ask) -> dict[str, Any]:
        i = asked.instruction
        answer = LabelAnswer(outcome=outcome)
        if i.operation == "book" and outcome.status == "done":
            answer.remaining_s = await self._remaining(i)
        elif i.operation == "book" and outcome.status == "declined":
            answer.alternatives = await self._alternatives(asked, step)
        return InboxEvent(
            id=f"{i.key}:{i.operation}:{asked.tries}",
            order=asked.order,
            kind="label.outcome",
            received_at=step.now,
            by="carrier",
            data=answer.model_dump(exclude_none=True),
        ).unread(step.batch)

    async def _remaining(self, i: LabelInstruction) -> dict[Any, int]:
        """Empty where the tables do not have the service: then nothing is predicted."""
        for carrier in await self._tables.carriers():
            for service in carrier.services:
                quoted = quote(service, i.origin, i.destination, i.weight_g, i.volume_cm3)
                if service.id == i.service and quoted is not None:
                    return remaining_of(quoted.days, await self._tables.deliveries(service.id))
        return {}

    async def _alternatives(self, asked: _Asked, step: Ask) -> list[Alternative]:
        """Every service that takes the parcel by the tables, the cheapest first."""
        i = asked.instruction
        choices = compare(
            await self._tables.carriers(),
            i.origin,
            i.destination,
            i.weight_g,
            i.volume_cm3,
            ready_at=step.now,
            time_zone=asked.time_zone,
        )
        return [Alternative(service=choice.service, price=choice.price) for choice in choices]
