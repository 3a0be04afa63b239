"""The activity that carries out a batch's payment intents; what the provider answers comes back through the inbox."""

from typing import Any

from pydantic import ValidationError
from temporalio import activity

from activities.asking import set_aside
from activities.heartbeat import heartbeats
from contracts.fulfilment import SETTLE, Answered, Ask
from contracts.orders import InboxEvent, Payment
from contracts.payments import PaymentInstruction, PaymentOutcome
from infra.mongo import Mongo, insert_new
from infra.payments import PaymentGateway


class PaymentActivities:
    def __init__(self, mongo: Mongo, gateway: PaymentGateway) -> None:
        self._mongo = mongo
        self._gateway = gateway

    @activity.defn(name=SETTLE)
    async def settle(self, step: Ask) -> Answered:
        """Ask the provider for everything that is due. Repeating it asks under the same keys, so nothing is paid twice.

        A provider that fails makes no error here: the failure is written to the inbox like any other answer, and the
        order decides when to ask again.
        """
        async with heartbeats():
            asked = await self._due(step)
            outcomes = await self._gateway.perform_all([instruction for instruction, _ in asked])
            answers = [
                _answer(instruction, tries, outcome, step)
                for (instruction, tries), outcome in zip(asked, outcomes, strict=True)
            ]
            await insert_new(self._mongo.inbox, answers)
        return Answered.of(outcome.status for outcome in outcomes)

    async def _due(self, step: Ask) -> list[tuple[PaymentInstruction, int]]:
        """What is to be asked now, with the number of tries before."""
        found = self._mongo.orders.find(
            {"batch": step.batch, "pay_at": {"$lte": step.now}}, {"payment": 1, "currency": 1}
        )
        asked: list[tuple[PaymentInstruction, int]] = []
        async for row in found:
            try:
                asked.extend(_instructions(row, step))
            except ValidationError as error:
                await set_aside(self._mongo, row["_id"], "pay_at", error, step.now)
        return asked


def _instructions(row: dict[str, Any], step: Ask) -> list[tuple[PaymentInstruction, int]]:
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
        if intent.state == "todo" and (intent.not_before is None or intent.not_before <= step.now)
    ]


def _answer(instruction: PaymentInstruction, tries: int, outcome: PaymentOutcome, step: Ask) -> dict[str, Any]:
    return InboxEvent(
        id=f"paid:{instruction.key}:{tries}",
        order=instruction.order,
        kind="payment.outcome",
        received_at=step.now,
        by="payment",
        data=outcome.model_dump(exclude_none=True),
    ).unread(step.batch)
