"""The carrier port, and the adapter that books and voids labels over HTTP."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Protocol

from pydantic import ValidationError

from contracts.carriers import (
    LABELS_PER_REQUEST,
    LabelInstruction,
    LabelInstructions,
    LabelOutcome,
    LabelOutcomes,
)
from infra.provider import HttpProvider, Unanswered, excerpt

_PATH = "/v1/labels"


class CarrierPort(Protocol):
    """What the order path asks of carriers. A carrier's trouble is an outcome, never an exception."""

    async def perform_all(self, instructions: Sequence[LabelInstruction]) -> list[LabelOutcome]: ...


class HttpCarrierPort(HttpProvider):
    """Asks one address for all carriers. Each instruction carries its key, so that asking again books nothing twice;
    how often is asked again is for the order to decide."""

    async def perform_all(self, instructions: Sequence[LabelInstruction]) -> list[LabelOutcome]:
        """Outcomes in the order of the instructions, whatever became of the single requests."""
        outcomes: list[LabelOutcome] = []
        for start in range(0, len(instructions), LABELS_PER_REQUEST):
            outcomes += await self._perform(instructions[start : start + LABELS_PER_REQUEST])
        return outcomes

    async def _perform(self, chunk: Sequence[LabelInstruction]) -> list[LabelOutcome]:
        body = LabelInstructions(instructions=list(chunk)).model_dump_json()
        try:
            status, answer = await self._post(_PATH, body)
            return _outcomes(chunk, status, answer)
        except Unanswered as trouble:
            return [
                LabelOutcome(
                    key=asked.key,
                    operation=asked.operation,
                    status="failed",
                    code=trouble.code,
                    detail=trouble.detail,
                )
                for asked in chunk
            ]


def _outcomes(chunk: Sequence[LabelInstruction], status: int, body: bytes) -> list[LabelOutcome]:
    if status != HTTPStatus.OK:
        raise Unanswered(f"http-{status}", excerpt(body))
    try:
        outcomes = LabelOutcomes.model_validate_json(body).outcomes
    except ValidationError as error:
        raise Unanswered("unreadable-answer", f"HTTP {status}: {excerpt(body)}") from error
    asked = [(instruction.key, instruction.operation) for instruction in chunk]
    if [(outcome.key, outcome.operation) for outcome in outcomes] != asked:
        raise Unanswered("unreadable-answer", "the answers' keys are not those of the request, in its order")
    return [_whole(outcome) for outcome in outcomes]


def _whole(outcome: LabelOutcome) -> LabelOutcome:
    """A label without a number is as good as no answer: nobody could follow the parcel."""
    if outcome.status == "done" and outcome.operation == "book" and not outcome.tracking:
        return outcome.model_copy(update={"status": "failed", "code": "no-number"})
    return outcome
