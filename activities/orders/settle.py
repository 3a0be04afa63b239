"""The activity that carries out a batch's payment intents; what the provider answers comes back through the inbox."""

from typing import Any

from pydantic import ValidationError
from temporalio import activity

from activities.heartbeat import heartbeats
from contracts.fulfilment import SETTLE, Settle, Settled
from contracts.orders import Attention, InboxEvent, Payment
from contracts.payments import PaymentInstruction, PaymentOutcome
from infra.mongo import Mongo, insert_new
from infra.payments import PaymentGateway


class PaymentActivities:
    def __init__(self, mongo: Mongo, gateway: PaymentGateway) -> None:
        self._mongo = mongo
        self._gateway = gateway

    @activity.defn(name=SETTLE)
    async def settle(self, order: Settle) -> Settled:
        """Ask the provider for everything that is due. Repeating it asks under the same keys, so nothing is paid twice.

        A provider that fails makes no error here: the failure is written to the inbox like any other answer, and the
        order decides when to ask again.
        """
        found = self._mongo.orders.find(
            {"batch": order.batch, "pay_at": {"$lte": order.now}}, {"payment": 1, "currency": 1}
        )
        asked: list[tuple[PaymentInstruction, int]] = []
        async for row in found:
            try:
                asked.extend(_instructions(row, order))
            except ValidationError as error:
                await self._set_aside(row["_id"], error, order)
        async with heartbeats():
            outcomes = await self._gateway.perform_all([instruction for instruction, _ in asked])
        answers = [
            _answer(instruction, tries, outcome, order)
            for (instruction, tries), outcome in zip(asked, outcomes, strict=True)
        ]
        await insert_new(self._mongo.inbox, answers)
        statuses = [outcome.status for outcome in outcomes]
        return Settled(
            done=statuses.count("done"), declined=statuses.count("declined"), failed=statuses.count("failed")
        )

    async def _set_aside(self, order: str, error: ValidationError, settle: Settle) -> None:
        """A payment that cannot even be read waits for a person, and holds up no other."""
        attention = Attention(code="error", detail=f"payment: {error}"[:500], at=settle.now).model_dump()
        await self._mongo.orders.update_one({"_id": order}, {"$set": {"attention": attention, "pay_at": None}})


def _instructions(row: dict[str, Any], order: Settle) -> list[tuple[PaymentInstruction, int]]:
    payment = Payment.model_validate(row["payment"])
    return [
        (
            PaymentInstruction(
                key=intent.key,
                order=row["_id"],
                operation=intent.operation,
                amount=intent.amount,
                currency=row["currency"],
                token=payment.token,
                reference=intent.reference or payment.reference,
                paid=payment.captured if payment.method != "card" else None,
            ),
            intent.tries,
        )
        for intent in payment.intents
        if intent.state == "todo" and (intent.not_before is None or intent.not_before <= order.now)
    ]


def _answer(instruction: PaymentInstruction, tries: int, outcome: PaymentOutcome, order: Settle) -> dict[str, Any]:
    return InboxEvent(
        id=f"paid:{instruction.key}:{tries}",
        order=instruction.order,
        kind="payment.outcome",
        received_at=order.now,
        by="payment",
        data=outcome.model_dump(exclude_none=True),
    ).unread(order.batch)
