"""The invariants of the system, checked on one snapshot of the database: they also hold under load."""

from typing import Any

from nats.js import JetStreamContext

from infra.invariants import buying, events, orders, payments, returns, settlement, stock
from infra.invariants.buying import check_purchases
from infra.invariants.events import Outbox, check_outbox, check_stream, look_at_stream, read_outbox
from infra.invariants.findings import Finding, Invariant, Severity
from infra.invariants.orders import check_orders
from infra.invariants.payments import check_payments, read_paid
from infra.invariants.returns import check_returns
from infra.invariants.settlement import check_settlement
from infra.invariants.stock import check_stock
from infra.mongo import Mongo, Session

__all__ = ["INVARIANTS", "Finding", "Invariant", "Severity", "check", "checked", "violations"]

INVARIANTS: list[Invariant] = [
    *stock.INVARIANTS,
    *orders.INVARIANTS,
    *events.INVARIANTS,
    *payments.INVARIANTS,
    *returns.INVARIANTS,
    *settlement.INVARIANTS,
    *buying.INVARIANTS,
]


def checked(*, stream: bool, provider: bool) -> list[Invariant]:
    """The invariants that can be checked with JetStream and the payment provider at hand, or without."""
    return [
        invariant
        for invariant in INVARIANTS
        if (stream or invariant.name not in events.OF_STREAM) and (provider or invariant not in payments.INVARIANTS)
    ]


def violations(findings: list[Finding]) -> list[Finding]:
    """What is an error; the rest is worth knowing."""
    return [finding for finding in findings if finding.violated]


async def check(mongo: Mongo, js: JetStreamContext | None, payment_url: str | None = None) -> list[Finding]:
    """Every invariant that does not hold, warnings and information included; empty when all is well.

    Without `js` the stream is left out, without `payment_url` the provider.
    """
    before = await look_at_stream(js) if js else None

    async def read(session: Session) -> tuple[list[Finding], Outbox, list[dict[str, Any]]]:
        findings = [
            *await check_stock(mongo, session),
            *await check_orders(mongo, session),
            *await check_returns(mongo, session),
        ]
        findings += await check_settlement(mongo, session)
        findings += await check_purchases(mongo, session)
        paid = await read_paid(mongo, session) if payment_url else []
        return findings, await read_outbox(mongo, session, before), paid

    findings, outbox, paid = await mongo.snapshot(read)
    findings += check_outbox(outbox)
    if js and before:
        findings += await check_stream(js, outbox, before)
    if payment_url:
        findings += await check_payments(payment_url, paid)
    return findings
