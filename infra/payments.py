"""The payment port, and the adapter that speaks to a provider over HTTP."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Final, Protocol, Self

import aiohttp
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

REFUSALS: Final = frozenset({HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})
JSON: Final = {"Content-Type": "application/json"}


class PaymentGateway(Protocol):
    """What the order path asks of any provider. A provider's trouble is an outcome, never an exception."""

    async def perform(self, instruction: PaymentInstruction) -> PaymentOutcome: ...

    async def perform_all(self, instructions: Sequence[PaymentInstruction]) -> list[PaymentOutcome]: ...


class PaymentGatewayNotOpen(RuntimeError):
    """The gateway was used before `open` or after `close`."""


class _Problem(BaseModel):
    code: str
    detail: str | None = None


class _Unanswered(Exception):
    """No usable answer came: whether the provider did the work is unknown."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class HttpPaymentGateway:
    """One pool of connections to one provider; bulk requests go out one after the other, in order."""

    def __init__(self, base_url: str, *, timeout_s: float = 10.0, connections: int = 16) -> None:
        self._base_url = base_url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections)
            self._session = aiohttp.ClientSession(self._base_url, connector=connector, timeout=self._timeout)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def perform(self, instruction: PaymentInstruction) -> PaymentOutcome:
        path = f"/v1/{RESOURCES[instruction.operation]}"
        body = instruction.model_dump_json(exclude={"key", "operation"})
        try:
            status, answer = await self._post(path, body, {IDEMPOTENCY_HEADER: instruction.key})
            return _outcome(instruction, status, answer)
        except _Unanswered as trouble:
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
            status, answer = await self._post("/v1/instructions", body, {})
            return _outcomes(chunk, status, answer)
        except _Unanswered as trouble:
            return [_failed(instruction, trouble) for instruction in chunk]

    async def _post(self, path: str, body: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        if self._session is None:
            raise PaymentGatewayNotOpen("open the payment gateway before use, as an async context manager")
        try:
            # A followed redirect could repeat the POST elsewhere, without anybody having asked for it.
            async with self._session.post(
                path, data=body.encode(), headers={**JSON, **headers}, allow_redirects=False
            ) as response:
                return response.status, await response.read()
        except TimeoutError as error:
            raise _Unanswered("timeout", f"no answer within {self._timeout.total} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _Unanswered("unreachable", f"{type(error).__name__}: {error}") from error


def _outcome(instruction: PaymentInstruction, status: int, body: bytes) -> PaymentOutcome:
    if status != HTTPStatus.OK:
        return _refusal(instruction, status, body)
    try:
        outcome = PaymentOutcome.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(status, body) from error
    if outcome.key != instruction.key:
        raise _Unanswered("unreadable-answer", f"answer is for key {outcome.key!r}")
    return outcome


def _outcomes(chunk: Sequence[PaymentInstruction], status: int, body: bytes) -> list[PaymentOutcome]:
    if status != HTTPStatus.OK:
        raise _Unanswered(f"http-{status}", _excerpt(body))
    try:
        outcomes = PaymentOutcomes.model_validate_json(body).outcomes
    except ValidationError as error:
        raise _unreadable(status, body) from error
    if [outcome.key for outcome in outcomes] != [instruction.key for instruction in chunk]:
        raise _Unanswered("unreadable-answer", "the answers' keys are not those of the request, in its order")
    return outcomes


def _refusal(instruction: PaymentInstruction, status: int, body: bytes) -> PaymentOutcome:
    """Only a problem that the provider itself worded is a final no; a proxy's bare 409 is not."""
    try:
        problem = _Problem.model_validate_json(body)
    except ValidationError as error:
        raise _Unanswered(f"http-{status}", _excerpt(body)) from error
    if status not in REFUSALS or problem.code == IN_PROGRESS:
        raise _Unanswered(problem.code, problem.detail or f"HTTP {status}")
    return PaymentOutcome(key=instruction.key, status="declined", code=problem.code, detail=problem.detail)


def _failed(instruction: PaymentInstruction, trouble: _Unanswered) -> PaymentOutcome:
    return PaymentOutcome(key=instruction.key, status="failed", code=trouble.code, detail=trouble.detail)


def _unreadable(status: int, body: bytes) -> _Unanswered:
    return _Unanswered("unreadable-answer", f"HTTP {status}: {_excerpt(body)}")


def _excerpt(body: bytes) -> str:
    return body[:200].decode(errors="replace")
