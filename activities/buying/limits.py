"""Who may approve up to what. Pure.

An order names roles by its value (its terms' levels); who holds a role is told apart from that, by the names of keys.
"""

from collections.abc import Sequence

from activities.buying.deadlines import roles_for
from contracts.buying import PurchaseOrder
from contracts.buying_terms import Approver, Approvers
from contracts.money import display
from contracts.refusals import Refusal
from contracts.supply import ApprovalLimit

_NAMED = 5
"""So many of those who may are named in a refusal."""
_SET = "Somebody with the scope purchases:limits names approvers with PUT /v1/purchase-approvers."


def limit_of(approver: Approver, levels: Sequence[ApprovalLimit]) -> int | None:
    """Up to which value, in minor units; None: any; 0: nothing. The last level decides about all that is beyond."""
    held = [place for place, level in enumerate(levels) if level.role in approver.roles]
    if not held:
        return 0
    limits = [None if place == len(levels) - 1 else levels[place].up_to for place in held]
    highest = max((one for one in limits if one is not None), default=0)
    if None in limits:
        return approver.up_to
    return highest if approver.up_to is None else min(highest, approver.up_to)


def may_approve(approver: Approver, roles: Sequence[str], value: int) -> bool:
    """Whether one of the roles is held, and the key's own limit reaches the value."""
    return not set(roles).isdisjoint(approver.roles) and (approver.up_to is None or value <= approver.up_to)


def refuse_beyond(order: PurchaseOrder, value: int, by: str, approvers: Approvers) -> None:
    """Raises Refusal when `by` may not approve so much of the order, naming the limit and who may."""
    roles = roles_for(order.terms.levels, value)
    known = _named(approvers, by)
    if not roles or (known is not None and may_approve(known, roles, value)):
        return
    worth = display(value, order.currency)
    limit = limit_of(known, order.terms.levels) if known is not None else 0
    if known is None or limit == 0:
        detail = f"{by} may not approve purchase orders; this is worth {worth}."
        raise _refused("not_an_approver", detail, roles, value, approvers)
    most = "any value" if limit is None else f"up to {display(limit, order.currency)}"
    detail = f"{by} may approve {most}; this is worth {worth}."
    raise _refused("above_limit", detail, roles, value, approvers)


def refuse_other_role(by: str, roles: Sequence[str], approvers: Approvers) -> None:
    """Raises Refusal when `by` has none of the roles."""
    known = _named(approvers, by)
    if known is None or not may_approve(known, roles, 0):
        raise _refused("other_role", f"{by} may not answer it; {either(roles)} has to.", roles, 0, approvers)


def _named(approvers: Approvers, name: str) -> Approver | None:
    return next((one for one in approvers.approvers if one.name == name), None)


def _refused(code: str, detail: str, roles: Sequence[str], value: int, approvers: Approvers) -> Refusal:
    able = sorted(one.name for one in approvers.approvers if may_approve(one, roles, value))
    if not able:
        remedy = f"Nobody has the role {either(roles)} with a limit that reaches so far. {_SET}"
        return Refusal(code, detail, remedy=remedy, status=403)
    more = f" and {len(able) - _NAMED} more" if len(able) > _NAMED else ""
    remedy = f"Let {either(roles)} do it: {', '.join(able[:_NAMED])}{more}."
    return Refusal(code, detail, remedy=remedy, status=403)


def either(roles: Sequence[str]) -> str:
    return " or ".join(roles)
