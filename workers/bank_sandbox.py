"""A bank of our own: a real HTTP process with durable state, for the demo and for tests.

`POST /v1/deposits` pays a few fen to an account, once for an Idempotency-Key; `GET /v1/accounts/{number}/statement`
shows what the account's holder sees. The end of the account number steers the answer: 0001 is unknown, 0002 has
another holder, 0003 is closed, 0004 fails twice for now, 0005 is slow. It may be killed at any moment: what was
answered is on disk, what was not is either whole or absent.
"""

import argparse
import asyncio
import secrets
import sqlite3
from asyncio import wrap_future
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.banking import DEPOSITS, DepositOrder, DepositOutcome
from contracts.payments import IDEMPOTENCY_HEADER, REPLAYED_HEADER

INVALID: Final = "invalid-request"
KEY_REUSED: Final = "key-reused-with-other-body"
UNAVAILABLE: Final = "unavailable"
REFUSALS: Final = {"0001": "account-unknown", "0002": "holder-differs", "0003": "account-closed"}
FLAKY: Final = "0004"
SLOW: Final = "0005"
FLAKY_FAILURES: Final = 2
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS deposits (
    reference TEXT PRIMARY KEY, key TEXT NOT NULL UNIQUE, number TEXT NOT NULL, holder TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount BETWEEN 1 AND 99), remark TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deposits_by_number ON deposits (number, at);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, fingerprint BLOB NOT NULL, failures INTEGER NOT NULL, code TEXT, reference TEXT
) WITHOUT ROWID;
"""


class Refused(Exception):
    """The bank does not do as told."""

    def __init__(self, code: str, detail: str, status: int = 422) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


@dataclass(frozen=True, slots=True)
class Paid:
    reference: str
    replayed: bool


class Ledger:
    """Deposits and answered keys in one SQLite file. Blocking, and used by one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._sql = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        # An answer that was given must survive a power cut; with less than FULL only checkpoints are synced.
        self._sql.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + SCHEMA)

    def deposit(self, order: DepositOrder) -> Paid:
        """Raises Refused; the same key gets the same refusal, except for trouble that passes."""
        with self._sql:
            self._sql.execute("BEGIN IMMEDIATE")
            answer = self._answer(order)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def _answer(self, order: DepositOrder) -> Paid | Refused:
        fingerprint = blake2b(order.model_dump_json(exclude={"key"}).encode(), digest_size=16).digest()
        row = self._sql.execute("SELECT * FROM keys WHERE key = ?", (order.key,)).fetchone()
        _, known, failures, code, reference = row or (order.key, fingerprint, 0, None, None)
        if known != fingerprint:
            return Refused(KEY_REUSED, "This key was used for another deposit.")
        if reference is not None:
            return Paid(reference, replayed=True)
        if code is not None:
            return Refused(code, "The account cannot be paid to.")
        ending = digits(order.number)[-4:]
        if ending == FLAKY and failures < FLAKY_FAILURES:
            self._keep(order.key, fingerprint, failures + 1, None, None)
            return Refused(UNAVAILABLE, "Try again later, under the same key.", 503)
        if ending in REFUSALS:
            self._keep(order.key, fingerprint, failures, REFUSALS[ending], None)
            return Refused(REFUSALS[ending], "The account cannot be paid to.")
        reference = f"dep-{secrets.token_hex(10)}"
        self._sql.execute(
            "INSERT INTO deposits VALUES (?, ?, ?, ?, ?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))",
            (reference, order.key, digits(order.number), order.holder, order.amount, order.remark),
        )
        self._keep(order.key, fingerprint, failures, None, reference)
        return Paid(reference, replayed=False)

    def _keep(self, key: str, fingerprint: bytes, failures: int, code: str | None, reference: str | None) -> None:
        self._sql.execute("REPLACE INTO keys VALUES (?, ?, ?, ?, ?)", (key, fingerprint, failures, code, reference))

    def statement(self, number: str) -> list[dict[str, Any]]:
        cursor = self._sql.execute(
            "SELECT at, amount, remark, reference FROM deposits WHERE number = ? ORDER BY at, reference",
            (digits(number),),
        )
        return [dict(zip([name for name, *_ in cursor.description], row, strict=True)) for row in cursor]

    def totals(self) -> dict[str, int]:
        deposits, amount = self._sql.execute("SELECT count(*), coalesce(sum(amount), 0) FROM deposits").fetchone()
        return {"deposits": deposits, "amount": amount}


def digits(number: str) -> str:
    return "".join(character for character in number if character.isdecimal())


class Bank:
    """The HTTP side. SQLite has a thread of its own, so that nobody else waits for the disk."""

    def __init__(self, ledger: Ledger, slow_s: float) -> None:
        self._ledger = ledger
        self._slow_s = slow_s
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def deposit(self, request: Request) -> Response:
        fields = orjson.loads(await request.body())
        if not isinstance(fields, dict):
            raise Refused(INVALID, "Send a JSON object.")
        order = DepositOrder.model_validate({**fields, "key": request.headers.get(IDEMPOTENCY_HEADER)})
        paid = await wrap_future(self._thread.submit(self._ledger.deposit, order))
        if digits(order.number).endswith(SLOW) and not paid.replayed:
            await asyncio.sleep(self._slow_s)
        outcome = DepositOutcome(key=order.key, status="paid", reference=paid.reference)
        return JSONResponse(outcome.model_dump(), headers={REPLAYED_HEADER: "true"} if paid.replayed else {})

    async def statement(self, request: Request) -> Response:
        number = request.path_params["number"]
        entries = await wrap_future(self._thread.submit(self._ledger.statement, number))
        return JSONResponse({"entries": entries})

    async def totals(self, _: Request) -> Response:
        return JSONResponse(await wrap_future(self._thread.submit(self._ledger.totals)))

    async def health(self, _: Request) -> Response:
        await wrap_future(self._thread.submit(self._ledger.totals))
        return JSONResponse({"status": "ok"})


def problem(status: int, code: str, detail: str | None, headers: Mapping[str, str] | None = None) -> Response:
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


async def refuse(_: Request, error: Exception) -> Response:
    if isinstance(error, Refused):
        return problem(error.status, error.code, error.detail)
    if isinstance(error, HTTPException):
        return problem(error.status_code, f"http-{error.status_code}", error.detail, error.headers)
    if isinstance(error, ValidationError):
        # The place and the kind of the mistake, and never what was sent: it may be an account.
        first = error.errors(include_url=False, include_input=False)[0]
        return problem(422, INVALID, f"{'.'.join(map(str, first['loc']))}: {first['type']}")
    if isinstance(error, orjson.JSONDecodeError):
        return problem(400, INVALID, "The body is no JSON.")
    return problem(500, "internal-error", "The bank itself failed; try again under the same key.")


def application(bank: Bank) -> Starlette:
    routes = [
        Route(DEPOSITS, bank.deposit, methods=["POST"]),
        Route("/v1/accounts/{number}/statement", bank.statement),
        Route("/v1/totals", bank.totals),
        Route("/healthz", bank.health),
    ]
    kinds = (Refused, HTTPException, ValidationError, orjson.JSONDecodeError, Exception)
    return Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, refuse))


def main() -> None:
    parser = argparse.ArgumentParser(description="A bank for the demo and for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", type=Path, required=True, help="SQLite file, made when missing")
    parser.add_argument("--slow-ms", type=float, default=2000.0, help="delay of the answer to a slow account")
    o = parser.parse_args()
    app = application(Bank(Ledger(o.db), o.slow_ms / 1000))
    # Longer than clients keep an idle connection, so that none is closed while a request is on its way.
    uvicorn.run(app, host=o.host, port=o.port, log_level="warning", access_log=False, timeout_keep_alive=60)


if __name__ == "__main__":
    main()
