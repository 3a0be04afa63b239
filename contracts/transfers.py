"""Stock transfers: goods that go from one location to another, exactly through the ledger."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from contracts.base import Document, Moment, Request
from contracts.ids import Sku
from contracts.personal import Remark
from contracts.refusals import Refusal
from contracts.supply import TransferState, Units

WORKFLOW = "StockTransfer"
OPEN = "transfer.open"
STAND = "transfer.stand"
CARRY_OUT = "transfer.carry_out"
REMIND = "transfer.remind"
REMIND_AFTER_DAYS = 2
"""Beyond the day on which goods should have left, or arrived, those who have them are told again."""

Doing = Literal["ship", "receive", "cancel", "lose"]
Reference = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[!-~]+$")]


class TransferLine(Document):
    """`asked` was approved, `held` the source could reserve, the rest is what became of it."""

    sku: str
    asked: int
    held: int = 0
    shipped: int = 0
    received: int = 0
    damaged: int = 0
    lost: int = 0
    proposals: list[str] = []

    @property
    def under_way(self) -> int:
        return self.shipped - self.received - self.damaged - self.lost


class Said(Document):
    """What a receipt said, as `receipt_words`."""

    reference: str
    words: str


class Transfer(Document):
    """A transfer as it is kept in `transfers`. Its id is its workflow's too. In transit it is an open order of its
    destination; until it is shipped its goods are reserved at the source."""

    id: str
    run: str
    source: str
    destination: str
    lines: list[TransferLine]
    state: TransferState = "approved"
    by: str
    approved_at: Moment
    ship_by: Moment
    arrive_by: Moment
    shipped_at: Moment | None = None
    closed_at: Moment | None = None
    references: list[str] = []
    """Receipts that were booked."""
    said: list[Said] = []
    """What they said."""
    reason: str | None = None
    step: int = 0

    @property
    def over(self) -> bool:
        return self.state in ("received", "cancelled")

    def line(self, sku: str) -> TransferLine | None:
        return next((line for line in self.lines if line.sku == sku), None)


class OpenTransfer(Document):
    """Input of `StockTransfer`. `lines`: units by SKU, with the proposals they come from."""

    id: str
    run: str
    source: str
    destination: str
    lines: list[TransferLine]
    by: str
    approved_at: Moment
    ship_by: Moment
    arrive_by: Moment


class Moved(Request):
    """So many of a SKU."""

    sku: Sku
    units: Units
    damaged: Units = Field(default=0, description="Arrived, and cannot be sold; only of receipts.")


class ShipTransfer(Request):
    """The goods have left the source. Left out: all that was held."""

    lines: list[Moved] | None = Field(default=None, min_length=1, max_length=1_000)


class ReceiveTransfer(Request):
    """Goods have arrived. `reference`: of the delivery note; the same again changes nothing. Left out: all that is
    under way."""

    reference: Reference
    lines: list[Moved] | None = Field(default=None, min_length=1, max_length=1_000)


class Because(Request):
    reason: Remark


class Command(Document):
    """What somebody wants done with a transfer, one of four. `lose`: what is still under way never arrives."""

    by: str
    ship: ShipTransfer | None = None
    receive: ReceiveTransfer | None = None
    cancel: Because | None = None
    lose: Because | None = None


class Step(Document):
    """`number` counts a transfer's steps: one that was carried out is not done again."""

    transfer: str
    number: int
    now: Moment


class CarryOut(Step):
    command: Command


class Remind(Step):
    reminder: int


class Standing(Document):
    """How a transfer stands, as its workflow knows it. `under_way` and `held`: units by SKU."""

    state: TransferState = "approved"
    held: dict[str, int] = {}
    under_way: dict[str, int] = {}
    references: list[str] = []
    said: list[Said] = []
    step: int = 0

    @property
    def over(self) -> bool:
        return self.state in ("received", "cancelled")


def standing_of(transfer: Transfer) -> Standing:
    return Standing(
        state=transfer.state,
        held={line.sku: line.held for line in transfer.lines if line.held},
        under_way={line.sku: line.under_way for line in transfer.lines if line.under_way},
        references=transfer.references,
        said=transfer.said,
        step=transfer.step,
    )


def doing(command: Command) -> Doing:
    for name in ("ship", "receive", "cancel", "lose"):
        if getattr(command, name) is not None:
            return name
    raise ValueError("a command without anything to do")


def known_receipt(standing: Standing, command: Command) -> bool:
    """Whether a receipt was booked before: it is answered, and changes nothing."""
    return command.receive is not None and command.receive.reference in standing.references


def receipt_words(receipt: ReceiveTransfer) -> str:
    """SKU, units and damaged units of each line; empty for all that was under way."""
    return ",".join(sorted(f"{line.sku}:{line.units}:{line.damaged}" for line in receipt.lines or ()))


def _refuse_other_units(standing: Standing, receipt: ReceiveTransfer) -> None:
    """A delivery note says one thing: other units under its number are another delivery, or a mistake."""
    before = next((one.words for one in standing.said if one.reference == receipt.reference), None)
    if before is not None and before != receipt_words(receipt):
        raise Refusal(
            "reference_taken",
            f"The receipt {receipt.reference} was booked with {before or 'all that was under way'}.",
            remedy="Give another delivery a reference of its own.",
            field="reference",
            status=409,
        )


def refuse(standing: Standing, command: Command) -> None:
    """Raises Refusal when a transfer that stands so cannot take the command; it then changes nothing."""
    what = doing(command)
    if command.receive is not None and known_receipt(standing, command):
        _refuse_other_units(standing, command.receive)
        return
    if what in ("ship", "cancel") and standing.state != "approved":
        detail = f"The transfer is {standing.state}: its goods are no longer waiting at the source."
        remedy = "Report what became of them: receive them, or say that they are lost."
        raise Refusal("transfer_left", detail, remedy=remedy, status=409)
    if what in ("receive", "lose") and standing.state != "shipped":
        detail = f"The transfer is {standing.state}: nothing of it is under way."
        remedy = "Ship it first." if standing.state == "approved" else "There is nothing left to do."
        raise Refusal("nothing_under_way", detail, remedy=remedy, status=409)
    if command.ship is not None and command.ship.lines is not None:
        _refuse_lines(command.ship.lines, standing.held, "held at the source")
        for place, line in enumerate(command.ship.lines):
            if line.damaged:
                detail = "What is shipped is not damaged yet."
                remedy = "Leave damaged out; report it with the receipt."
                raise Refusal("damaged_at_source", detail, remedy=remedy, field=f"lines.{place}.damaged")
        if not any(line.units for line in command.ship.lines):
            detail = "Nothing would leave the source."
            raise Refusal("nothing_shipped", detail, remedy="Cancel the transfer instead.", field="lines")
    if command.receive is not None and command.receive.lines is not None:
        _refuse_lines(command.receive.lines, standing.under_way, "under way")


def _refuse_lines(lines: Iterable[Moved], there: dict[str, int], where: str) -> None:
    seen: set[str] = set()
    for place, line in enumerate(lines):
        if line.sku in seen:
            detail = f"{line.sku} comes twice."
            raise Refusal("sku_twice", detail, remedy="Send each SKU once.", field=f"lines.{place}.sku")
        seen.add(line.sku)
        units = line.units + line.damaged
        if units > there.get(line.sku, 0):
            raise Refusal(
                "more_than_there_is",
                f"Of {line.sku} {there.get(line.sku, 0)} are {where}, not {units}.",
                remedy="Send no more than that; count the shelf for what was found beside it.",
                field=f"lines.{place}.units",
            )


class TransferEvent(BaseModel):
    """A transfer, told to a location that has part in it. `under_way` and `held`: units by SKU."""

    transfer: str
    source: str
    destination: str
    state: TransferState
    lines: list[TransferLine]
    ship_by: Moment
    arrive_by: Moment
    reminder: int = 0
