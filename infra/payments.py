"""The payment port, and the adapter that speaks to a provider over HTTP."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, Protocol

from pydantic import BaseModel, ValidationError

from contracts.payments import (
    IDEMPOTENCY_HEADER,
    IN_PROGRESS,
    INSTRUCTIONS_PER_REQUEST,
    RESOURCES,
    PaymentInstruction,
    PaymentInstructions,
    PaymentOutcome,
    PaymentOutcomes,
)
from infra.provider import HttpProvider, Unanswered, excerpt

REFUSALS: Final = frozenset({HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


class PaymentGateway(Protocol):
    """What the order path asks of any provider. A provider's trouble is an outcome, never an exception."""

    async def perform(self, instruction: PaymentInstruction) -> PaymentOutcome: ...

    async def perform_all(self, instructions: Sequence[PaymentInstruction]) -> list[PaymentOutcome]: ...


class _Problem(BaseModel):
    code: str
    detail: str | None = None


class HttpPaymentGateway(HttpProvider):
    """One pool of connections to one provider; bulk requests go out one after the other, in order."""

    async def perform(self, instruction: PaymentInstruction) -> PaymentOutcome:
        path = f"/v1/{RESOURCES[instruction.operation]}"
        body = instruction.model_dump_json(exclude={"key", "operation"})
        try:
            status, answer = await self._post(path, body, {IDEMPOTENCY_HEADER: instruction.key})
            return _outcome(instruction, status, answer)
        except Unanswered as trouble:
            return _failed(instruction, trouble)

    async def perform_all(self, instructions: Sequence[PaymentInstruction]) -> list[PaymentOutcome]:
        """Outcomes in the order of the instructions, whatever became of the single requests."""
        outcomes: list[PaymentOutcome] = []
        for start in range(0, len(instructions), INSTRUCTIONS_PER_REQUEST):
            outcomes += await self._perform_chunk(instructions[start : start + INSTRUCTIONS_PER_REQUEST])
        return outcomes

    async def _perform_chunk(self, chunk: Sequence[PaymentInstruction]) -> list[PaymentOutcome]:
        body = PaymentInstructions(instructions=list(chunk)).model_dump_json()
        try:
            status, answer = await self._post("/v1/instructions", body)
            return _outcomes(chunk, status, answer)
        except Unanswered as trouble:
            return [_failed(instruction, trouble) for instruction in chunk]


def _outcome(instruction: PaymentInstruction, status: int, body: bytes) -> PaymentOutcome:
    if status != HTTPStatus.OK:
        return _refusal(instruction, status, body)
    try:
        outcome = PaymentOutcome.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(status, body) from error
    if outcome.key != instruction.key:
        raise Unanswered("unreadable-answer", f"answer is for key {outcome.key!r}")
    return outcome


def _outcomes(chunk: Sequence[PaymentInstruction], status: int, body: bytes) -> list[PaymentOutcome]:
    if status != HTTPStatus.OK:
        raise Unanswered(f"http-{status}", excerpt(body))
    try:
        outcomes = PaymentOutcomes.model_validate_json(body).outcomes
    except ValidationError as error:
        raise _unreadable(status, body) from error
    if [outcome.key for outcome in outcomes] != [instruction.key for instruction in chunk]:
        raise Unanswered("unreadable-answer", "the answers' keys are not those of the request, in its order")
    return outcomes


def _refusal(instruction: PaymentInstruction, status: int, body: bytes) -> PaymentOutcome:
    """Only a problem that the provider itself worded is a final no; a proxy's bare 409 is not."""
    try:
        problem = _Problem.model_validate_json(body)
    except ValidationError as error:
        raise Unanswered(f"http-{status}", excerpt(body)) from error
    if status not in REFUSALS or problem.code == IN_PROGRESS:
        raise Unanswered(problem.code, problem.detail or f"HTTP {status}")
    return PaymentOutcome(key=instruction.key, status="declined", code=problem.code, detail=problem.detail)


def _failed(instruction: PaymentInstruction, trouble: Unanswered) -> PaymentOutcome:
    return PaymentOutcome(key=instruction.key, status="failed", code=trouble.code, detail=trouble.detail)


def _unreadable(status: int, body: bytes) -> Unanswered:
    return Unanswered("unreadable-answer", f"HTTP {status}: {excerpt(body)}")
