"""The terms of buying, as data: limits of approval and times to answer; and who may approve up to what."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from contracts.base import Request
from contracts.hours import TIME_ZONE, TimeZone
from contracts.money import Amount
from contracts.supply import ApprovalLimit

APPROVERS_MAX = 1_000
ROLES_MAX = 10
Role = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,60}$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class ObjectionTerms(Request):
    """Who answers objections to lines of scores, and in what time. When it is over the next role has as much; when
    nobody has answered after the last one, the objection is accepted."""

    roles: list[Role] = Field(
        default=["buyer", "purchasing_lead"],
        min_length=1,
        max_length=ROLES_MAX,
        description="From the first to the last.",
    )
    answer_work_s: int = Field(
        default=7 * 8 * 3600, ge=1, le=90 * 86400, description="Of each role, in working time: seven working days."
    )

    @model_validator(mode="after")
    def _once(self) -> "ObjectionTerms":
        if len(set(self.roles)) != len(self.roles):
            raise ValueError("roles: one comes twice; name each once")
        return self


class Approver(Request):
    """Somebody who may approve, by the name of the key. Of the limits of all its roles the highest counts, and never
    more than `up_to`."""

    name: KeyName
    roles: list[Role] = Field(min_length=1, max_length=ROLES_MAX)
    up_to: Amount | None = Field(default=None, description="In minor units; null: as far as the roles go.")


class Approvers(Request):
    """All who may approve. Who is not named may approve nothing that needs a role."""

    approvers: list[Approver] = Field(max_length=APPROVERS_MAX)

    @model_validator(mode="after")
    def _once(self) -> "Approvers":
        names = [one.name for one in self.approvers]
        if len(set(names)) != len(names):
            raise ValueError("approvers: a name comes twice; send each once, with all of its roles")
        return self


class BuyingTerms(Request):
    """How the retailer buys: data, kept with every order as it was when the order was made. `_work_s` are seconds of
    working time, `_days` working days."""

    levels: list[ApprovalLimit] = Field(
        default=[
            ApprovalLimit(up_to=500_000),
            ApprovalLimit(up_to=5_000_000, role="buyer"),
            ApprovalLimit(up_to=50_000_000, role="purchasing_lead"),
            ApprovalLimit(role="purchasing_director"),
        ],
        min_length=1,
        max_length=10,
        description="From the lowest to the highest. An order goes to the first that reaches its value, and to the "
        "next ones when nothing is done in time; a level without a role needs nobody. A policy's own levels count "
        "before these.",
    )
    four_eyes_above: Amount | None = Field(
        default=0,
        description="Beyond this value somebody else than who asked approves; null: never.",
    )
    approve_work_s: int = Field(default=8 * 3600, ge=1, le=90 * 86400, description="Of each level.")
    answer_work_s: int = Field(default=16 * 3600, ge=1, le=90 * 86400, description="The supplier's, to answer.")
    decide_work_s: int = Field(default=8 * 3600, ge=1, le=90 * 86400, description="Ours, to answer a counter-offer.")
    remind_after: float = Field(default=0.5, gt=0, lt=1, description="Part of each time after which is reminded.")
    late_again_days: int = Field(default=2, ge=1, le=60, description="A late order is told again after these.")
    invoice_after_days: int = Field(default=10, ge=1, le=250, description="After these an invoice is asked for.")
    accept_price_bp: int = Field(
        default=0, ge=0, le=10_000, description="A counter-offer dearer by so many basis points needs nobody."
    )
    accept_later_days: int = Field(default=0, ge=0, le=60, description="And one that comes so much later.")
    sources_max: int = Field(default=3, ge=1, le=10, description="Suppliers that are tried one after the other.")
    objections: ObjectionTerms = Field(
        default=ObjectionTerms(),
        description="About objections to lines of scores.",
    )
    zone: TimeZone = TIME_ZONE

    @model_validator(mode="after")
    def _rises(self) -> "BuyingTerms":
        limits = [level.up_to for level in self.levels[:-1]]
        known = [one for one in limits if one is not None]
        if len(known) != len(limits) or known != sorted(set(known)):
            raise ValueError("levels: up_to does not rise from level to level; order them, and name it in all but last")
        return self
