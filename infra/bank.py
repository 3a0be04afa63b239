"""The bank port, and the adapter that speaks to a bank over HTTP."""

from http import HTTPStatus
from typing import Protocol

from pydantic import BaseModel, ValidationError

from contracts.banking import DEPOSITS, FINAL_CODES, DepositOrder, DepositOutcome
from contracts.payments import IDEMPOTENCY_HEADER
from infra.provider import HttpProvider, Unanswered, excerpt


class BankPort(Protocol):
    """What is asked of any bank. Its trouble is an outcome, never an exception."""

    async def deposit(self, order: DepositOrder) -> DepositOutcome: ...


class _Problem(BaseModel):
    code: str
    detail: str | None = None


class HttpBank(HttpProvider):
    """One pool of connections to one bank."""

    async def deposit(self, order: DepositOrder) -> DepositOutcome:
        body = order.model_dump_json(exclude={"key"})
        try:
            status, answer = await self._post(DEPOSITS, body, {IDEMPOTENCY_HEADER: order.key})
            return _outcome(order, status, answer)
        except Unanswered as trouble:
            return DepositOutcome(key=order.key, status="failed", code=trouble.code, detail=trouble.detail)


def _outcome(order: DepositOrder, status: int, body: bytes) -> DepositOutcome:
    """Only a refusal that the bank itself worded is final; a proxy's bare 422 is not. Raises Unanswered."""
    model = DepositOutcome if status == HTTPStatus.OK else _Problem
    try:
        answer = model.model_validate_json(body)
    except ValidationError as error:
        raise Unanswered(f"http-{status}", excerpt(body)) from error
    if isinstance(answer, DepositOutcome):
        if answer.key != order.key or answer.status != "paid" or answer.reference is None:
            raise Unanswered("unreadable-answer", "the answer is not about this deposit")
        return answer
    if answer.code not in FINAL_CODES:
        raise Unanswered(answer.code, answer.detail or f"HTTP {status}")
    return DepositOutcome(key=order.key, status="refused", code=answer.code, detail=answer.detail)
