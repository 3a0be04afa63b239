"""A payment provider of our own: a real HTTP process with durable state, for the demo and for tests.

A payment is authorised once, captured in parts, voided for the whole rest, refunded in parts. What customers
paid before the order came to us is declared with `POST /v1/prepaid` (one or a list); a refund that names no
reference is checked against that. Tokens that begin with `tok_decline`, `tok_slow`, `tok_flaky` or `tok_expire`
steer the answer. It may be killed at any moment: what was answered is on disk, what was not is either whole or absent.
"""

import argparse
import asyncio
import secrets
import sqlite3
from asyncio import wrap_future
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass, replace
from functools import partial
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple

import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.payments import (
    AUTHORISATION_EXPIRED,
    IDEMPOTENCY_HEADER,
    IN_PROGRESS,
    REPLAYED_HEADER,
    RESOURCES,
    PaymentInstruction,
    PaymentInstructions,
    PaymentOperation,
    PaymentOutcome,
    PrepaidPayment,
)
from workers.payment_behaviour import Behaviour

CARD_DECLINED: Final = "card-declined"
INVALID: Final = "invalid-request"
KEY_REUSED: Final = "key-reused-with-other-body"
UNAVAILABLE: Final = "unavailable"
CONFLICT: Final = 409
HTTP_STATUS: Final = {CARD_DECLINED: 402, INVALID: 422, KEY_REUSED: 422, UNAVAILABLE: 503}
FIELDS: Final = TypeAdapter(dict[str, Any])
PREPAID: Final = TypeAdapter[PrepaidPayment | list[PrepaidPayment]](PrepaidPayment | list[PrepaidPayment])
COLUMN: Final[dict[PaymentOperation, str]] = {"capture": "captured", "void": "voided", "refund": "refunded"}
SUMS: Final = (
    "SELECT currency, count(*) AS payments, sum(authorised) AS authorised, sum(captured) AS captured,"
    " sum(refunded) AS refunded, sum(voided) AS voided FROM payments"
)
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payments (
    reference TEXT PRIMARY KEY, order_id TEXT NOT NULL, currency TEXT NOT NULL, prepaid INTEGER NOT NULL,
    authorised INTEGER NOT NULL, captured INTEGER NOT NULL,
    refunded INTEGER NOT NULL, voided INTEGER NOT NULL,
    CHECK (captured + voided <= authorised), CHECK (refunded BETWEEN 0 AND captured), CHECK (voided >= 0)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payments_by_order ON payments (order_id);
CREATE UNIQUE INDEX IF NOT EXISTS one_prepaid_payment ON payments (order_id) WHERE prepaid;
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, failures INTEGER NOT NULL, outcome TEXT
) WITHOUT ROWID;
"""


class Refused(Exception):
    """The provider does not do as told; `code` says why and decides the HTTP status."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Payment:
    """The money of one authorisation, in minor units; a prepaid payment is one that is captured already."""

    reference: str
    order: str
    currency: str
    prepaid: bool
    authorised: int
    captured: int = 0
    refunded: int = 0
    voided: int = 0


def changed(payment: Payment, operation: PaymentOperation, amount: int) -> Payment:
    """The payment after a capture, void or refund, or the reason why there can be none."""
    rest = payment.authorised - payment.captured - payment.voided
    left = payment.captured - payment.refunded if operation == "refund" else rest
    if payment.voided and operation != "refund":
        raise Refused("already-voided", "The authorisation was voided; authorise anew.")
    if amount > left:
        raise Refused(f"over-{operation}", f"{amount} asked, {left} left to {operation}.")
    if operation == "void" and amount < left:
        raise Refused("void-of-part", f"A void releases all that is left, {left}; {amount} asked.")
    column = COLUMN[operation]
    return replace(payment, **{column: getattr(payment, column) + amount})


class Answer(NamedTuple):
    outcome: PaymentOutcome
    replayed: bool = False


def refusal(key: str, code: str, detail: str) -> PaymentOutcome:
    temporary = code in (IN_PROGRESS, UNAVAILABLE)
    return PaymentOutcome(key=key, status="failed" if temporary else "declined", code=code, detail=detail)


class Ledger:
    """Payments and answered keys in one SQLite file. Blocking, and used by one thread at a time."""

    def __init__(self, file: Path, behaviour: Behaviour) -> None:
        self._behaviour = behaviour
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        # An answer that was given must survive a power cut; with less than FULL only checkpoints are synced.
        self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)

    def answer_all(self, instructions: Sequence[PaymentInstruction]) -> list[Answer]:
        """One transaction, however many there are; a key that comes twice is answered once and replayed."""
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            return [self._answer(instruction) for instruction in instructions]

    def declare_all(self, payments: Sequence[PrepaidPayment]) -> list[str]:
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            return [self._declare(payment) for payment in payments]

    def sums(self, condition: str = "TRUE", *values: str) -> list[dict[str, Any]]:
        cursor = self._sql.execute(f"{SUMS} WHERE {condition} GROUP BY currency", values)
        return [dict(zip([name for name, *_ in cursor.description], row, strict=True)) for row in cursor]

    def _answer(self, i: PaymentInstruction) -> Answer:
        fingerprint = blake2b(i.model_dump_json(exclude={"key"}).encode(), digest_size=16).digest()
        row = self._sql.execute("SELECT * FROM keys WHERE key = ?", (i.key,)).fetchone()
        _, known, failures, kept = row or (i.key, fingerprint, 0, None)
        if known != fingerprint:
            return Answer(refusal(i.key, KEY_REUSED, "This key was used for another instruction."))
        if kept is not None:
            return Answer(PaymentOutcome.model_validate_json(kept), replayed=True)
        outcome = None if self._behaviour.fails(i, failures) else self._carry_out(i)
        entry = (i.key, fingerprint, failures + (outcome is None), outcome and outcome.model_dump_json())
        self._sql.execute("REPLACE INTO keys VALUES (?, ?, ?, ?)", entry)
        return Answer(outcome or refusal(i.key, UNAVAILABLE, "Try again later, under the same key."))

    def _carry_out(self, i: PaymentInstruction) -> PaymentOutcome:
        try:
            if self._behaviour.declines(i):
                raise Refused(CARD_DECLINED, "The customer's bank declined.")
            if i.reference and self._behaviour.expires(i, self._authorisations(i.order)):
                self._lapse(i.reference)
                raise Refused(AUTHORISATION_EXPIRED, "The authorisation has lapsed; authorise anew.")
            payment = self._authorised(i) if i.operation == "authorise" else self._changed(i)
        except Refused as refused:
            return refusal(i.key, refused.code, refused.detail)
        return PaymentOutcome(key=i.key, status="done", reference=self._keep(payment))

    def _authorised(self, i: PaymentInstruction) -> Payment:
        earlier = self._find("order_id", i.order)
        if earlier is not None and earlier.currency != i.currency:
            raise Refused("other-currency", f"The order was paid in {earlier.currency} before.")
        return Payment(new_reference(), i.order, i.currency, prepaid=False, authorised=i.amount)

    def _authorisations(self, order: str) -> int:
        return int(self._sql.execute("SELECT count(*) FROM payments WHERE order_id = ?", (order,)).fetchone()[0])

    def _lapse(self, reference: str) -> None:
        """Nothing is held any more of what was not captured."""
        self._sql.execute("UPDATE payments SET voided = authorised - captured WHERE reference = ?", (reference,))

    def _changed(self, i: PaymentInstruction) -> Payment:
        """Without a reference, only a prepaid payment can be meant: one declared before, or by this instruction."""
        payment = self._find("reference", i.reference) if i.reference else self._find("order_id", i.order)
        if payment is None and i.paid and not i.reference:
            payment = Payment(new_reference(), i.order, i.currency, True, i.paid, captured=i.paid)
        if payment is None or not (i.reference or payment.prepaid):
            raise Refused("unknown-payment", "No such payment is authorised or declared as prepaid.")
        if payment.order != i.order:
            raise Refused("other-order", "The reference is of another order's payment.")
        if payment.currency != i.currency:
            raise Refused("other-currency", f"The payment is in {payment.currency}.")
        return changed(payment, i.operation, i.amount)

    def _declare(self, declared: PrepaidPayment) -> str:
        order, amount, currency = declared.order, declared.amount, declared.currency
        kept = self._find("order_id", order)
        if kept is None:
            return self._keep(Payment(new_reference(), order, currency, True, amount, captured=amount))
        if (kept.prepaid, kept.authorised, kept.currency) != (True, amount, currency):
            raise Refused("already-paid", f"Order {order} has {kept.authorised} {kept.currency} already.")
        return kept.reference

    def _find(self, column: str, value: str) -> Payment | None:
        query = f"SELECT * FROM payments WHERE {column} = ? ORDER BY prepaid DESC LIMIT 1"
        row = self._sql.execute(query, (value,)).fetchone()
        return row and Payment(*row)

    def _keep(self, payment: Payment) -> str:
        self._sql.execute("REPLACE INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(payment))
        return payment.reference


def new_reference() -> str:
    return f"pay-{secrets.token_hex(10)}"


class Provider:
    """The HTTP side. SQLite has a thread of its own, so that nobody else waits for the disk."""

    def __init__(self, ledger: Ledger, behaviour: Behaviour) -> None:
        self._ledger = ledger
        self._behaviour = behaviour
        self._in_flight: set[str] = set()
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def single(self, operation: PaymentOperation, request: Request) -> Response:
        fields = FIELDS.validate_json(await request.body())
        fields |= {"key": request.headers.get(IDEMPOTENCY_HEADER), "operation": operation}
        [(outcome, replayed)] = await self._perform([PaymentInstruction.model_validate(fields)])
        headers = {REPLAYED_HEADER: "true"} if replayed else {}
        if outcome.code is None:
            return JSONResponse(outcome.model_dump(), headers=headers)
        return problem(HTTP_STATUS.get(outcome.code, CONFLICT), outcome.code, outcome.detail, headers)

    async def bulk(self, request: Request) -> Response:
        instructions = PaymentInstructions.model_validate_json(await request.body()).instructions
        answers = await self._perform(instructions)
        outcomes = [{**outcome.model_dump(), "replayed": replayed} for outcome, replayed in answers]
        return JSONResponse({"outcomes": outcomes})

    async def prepaid(self, request: Request) -> Response:
        given = PREPAID.validate_json(await request.body())
        payments = given if isinstance(given, list) else [given]
        references = await wrap_future(self._thread.submit(self._ledger.declare_all, payments))
        return JSONResponse({"references": references})

    async def order(self, request: Request) -> Response:
        order = request.path_params["order"]
        sums = await wrap_future(self._thread.submit(self._ledger.sums, "order_id = ?", order))
        if not sums:
            raise HTTPException(404, f"No payment of order {order} is known.")
        return JSONResponse({"order": order, **sums[0]})

    async def totals(self, _: Request) -> Response:
        return JSONResponse({"totals": await wrap_future(self._thread.submit(self._ledger.sums))})

    async def health(self, _: Request) -> Response:
        await wrap_future(self._thread.submit(self._ledger.sums, "order_id = ''"))
        return JSONResponse({"status": "ok"})

    async def _perform(self, instructions: Sequence[PaymentInstruction]) -> list[Answer]:
        mine = [i for i in instructions if i.key not in self._in_flight]
        keys = {i.key for i in mine}
        self._in_flight |= keys
        try:
            answers = await wrap_future(self._thread.submit(self._ledger.answer_all, mine))
            fresh = [i for i, answer in zip(mine, answers, strict=True) if not answer.replayed]
            await asyncio.sleep(self._behaviour.delay_s(fresh))
        finally:
            self._in_flight -= keys
        ready = iter(answers)
        busy = partial(refusal, code=IN_PROGRESS, detail="The first request has no answer yet.")
        return [next(ready) if i.key in keys else Answer(busy(i.key)) for i in instructions]


def problem(status: int, code: str, detail: str | None, headers: Mapping[str, str] | None = None) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return problem(HTTP_STATUS.get(error.code, CONFLICT), error.code, error.detail)
    if isinstance(error, HTTPException):
        return problem(error.status_code, f"http-{error.status_code}", error.detail, error.headers)
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return problem(HTTP_STATUS[INVALID], INVALID, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return problem(500, "internal-error", "The provider itself failed; try again under the same key.")


def application(provider: Provider) -> Starlette:
    routes = [
        Route("/v1/instructions", provider.bulk, methods=["POST"]),
        Route("/v1/prepaid", provider.prepaid, methods=["POST"]),
        Route("/v1/orders/{order}", provider.order),
        Route("/v1/totals", provider.totals),
        Route("/healthz", provider.health),
    ]
    for operation, resource in RESOURCES.items():
        routes.append(Route(f"/v1/{resource}", partial(provider.single, operation), methods=["POST"]))
    handlers = dict.fromkeys((Refused, HTTPException, ValidationError, Exception), refuse)
    return Starlette(routes=routes, exception_handlers=handlers)


def rate(text: str) -> float:
    if not 0 <= float(text) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return float(text)


def main() -> None:
    parser = argparse.ArgumentParser(description="A payment provider for the demo and for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", type=Path, required=True, help="SQLite file, made when missing")
    parser.add_argument("--decline-rate", type=rate, default=0.0, help="share of authorisations declined")
    parser.add_argument("--fail-rate", type=rate, default=0.0, help="share of tries that fail for now")
    parser.add_argument("--delay-ms", type=float, default=0.0, help="mean delay of an answer")
    parser.add_argument("--slow-ms", type=float, default=2000.0, help="delay of an answer to tok_slow")
    parser.add_argument("--seed", type=int, default=0, help="same seed and keys: same declines and failures")
    o = parser.parse_args()
    behaviour = Behaviour(o.decline_rate, o.fail_rate, o.delay_ms, o.slow_ms, o.seed)
    app = application(Provider(Ledger(o.db, behaviour), behaviour))
    # Longer than clients keep an idle connection, so that none is closed while a request is on its way.
    uvicorn.run(app, host=o.host, port=o.port, log_level="warning", access_log=False, timeout_keep_alive=60)


if __name__ == "__main__":
    main()
