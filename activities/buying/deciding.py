"""Which move belongs to which command, and to which moment. Pure."""

from datetime import datetime

from activities.buying.matching import decide_invoice, take_invoice
from activities.buying.moves import (
    Moves,
    answer_counter,
    approve,
    cancel_rest,
    reject,
    time_for_answer,
    time_for_approval,
)
from activities.buying.receiving import receive, time_for_delivery, time_for_invoice
from contracts.buying import PurchaseOrder
from contracts.buying_terms import Approvers
from contracts.purchasing import Command


def carry_out_command(moves: Moves, command: Command, approvers: Approvers) -> None:
    """Raises Refusal."""
    if command.approve is not None:
        approve(moves, command.approve.note, approvers)
    elif command.reject is not None:
        reject(moves, command.reject.reason)
    elif command.answer is not None:
        answer_counter(moves, command.answer, approvers)
    elif command.receive is not None:
        receive(moves, command.receive)
    elif command.invoice is not None:
        take_invoice(moves, command.invoice)
    elif command.decide is not None:
        decide_invoice(moves, command.decide, approvers)
    elif command.cancel is not None:
        cancel_rest(moves, command.cancel)


def is_due(order: PurchaseOrder, now: datetime) -> bool:
    return order.turn is not None and order.turn.next_at is not None and order.turn.next_at <= now


def time_has_come(moves: Moves) -> None:
    """Nothing before the moment, which may have moved since it was waited for."""
    turn = moves.order.turn
    if turn is None or not is_due(moves.order, moves.now):
        return
    if turn.kind in ("approval", "decision"):
        time_for_approval(moves)
    elif turn.kind == "answer":
        time_for_answer(moves)
    elif turn.kind == "delivery":
        time_for_delivery(moves)
    else:
        time_for_invoice(moves)
