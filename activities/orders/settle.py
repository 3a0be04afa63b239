"""The activity that carries out a batch's payment intents; what the provider answers comes back through the inbox."""

from typing import Any

from temporalio import activity

from activities.heartbeat import heartbeats
from contracts.fulfilment import SETTLE, Settle, Settled
from contracts.orders import Payment
from contracts.payments import PaymentInstruction, PaymentOutcome
from infra.mongo import BulkWriteError, Mongo
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
            asked.extend(_instructions(row, order))
        async with heartbeats():
            outcomes = await self._gateway.perform_all([instruction for instruction, _ in asked])
        answers = [
            _answer(instruction, tries, outcome, order)
            for (instruction, tries), outcome in zip(asked, outcomes, strict=True)
        ]
        if answers:
            try:
                await self._mongo.inbox.insert_many(answers, ordered=False)
            except BulkWriteError:
                # Written by an earlier try of this activity.
                pass
        statuses = [outcome.status for outcome in outcomes]
        return Settled(
            done=statuses.count("done"), declined=statuses.count("declined"), failed=statuses.count("failed")
        )


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
                reference=payment.reference,
                paid=payment.captured if payment.method == "prepaid" else None,
            ),
            intent.tries,
        )
        for intent in payment.intents
        if intent.state == "todo" and (intent.not_before is None or intent.not_before <= order.now)
    ]


def _answer(instruction: PaymentInstruction, tries: int, outcome: PaymentOutcome, order: Settle) -> dict[str, Any]:
    return {
        "_id": f"paid:{instruction.key}:{tries}",
        "order": instruction.order,
        "batch": order.batch,
        "kind": "payment.outcome",
        "received_at": order.now,
        "by": "payment",
        "parcel": None,
        "data": outcome.model_dump(exclude_none=True),
        "drained": None,
    }
