"""Promises of customer service and the ladder that a case climbs when they are in danger: data, in versions."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from contracts.base import Document, Moment, Request
from contracts.carriers import DivisionPrefix
from contracts.case_limits import Limits
from contracts.caseclock import PRIORITIES, TARGET_MAX_S, ClockKind, Priority
from contracts.money import Amount
from contracts.requirements import Words
from contracts.service_calendar import CalendarId
from contracts.service_teams import AgentId, TeamId

Tier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,19}$")]
"""Of a customer, as the retailer names them; whoever has none is `standard`."""
STANDARD = "standard"
ServicePolicyId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Span = Annotated[int, Field(ge=60, le=TARGET_MAX_S, description="Seconds of working time.")]
Waiting = Literal["waiting_customer", "waiting_partner", "waiting_approval"]


class Targets(Request):
    """How long things may take, in seconds of working time, for cases of a priority. The rule counts that names the
    tier, else the one that names the longest beginning of the region; then the one without either."""

    priority: Priority
    tiers: list[Tier] = Field(default=[], max_length=20, description="Empty: every tier.")
    regions: list[DivisionPrefix] = Field(default=[], max_length=100, description="Empty: wherever the policy holds.")
    first_response_s: Span
    next_response_s: Span
    resolution_s: Span


class AssigneeRule(Request):
    """Who gets a case at a level. skilled: the least loaded who can, of the level's teams; lead: who leads such a team;
    named: `agent`; keep: whoever has it."""

    kind: Literal["skilled", "lead", "named", "keep"] = "skilled"
    team: TeamId | None = Field(default=None, description="Of this team alone.")
    agent: AgentId | None = Field(default=None, validate_default=True)

    @field_validator("agent")
    @classmethod
    def _named(cls, agent: str | None, info: ValidationInfo) -> str | None:
        if (info.data.get("kind") == "named") != (agent is not None):
            raise ValueError("an agent is written with kind named, and with no other; add it or leave it out")
        return agent


class LadderLevel(Request):
    """One level. A case leaves it upwards as soon as the first of its rules says so; the last level is not left."""

    title: Words
    assignee: AssigneeRule = AssigneeRule()
    target_s: Span | None = Field(default=None, description="It may stay here so long.")
    before_due_s: Annotated[int, Field(ge=0, le=TARGET_MAX_S)] | None = Field(
        default=None, description="It leaves so long before its resolution is due; 0: when it is due."
    )
    on_breach: list[Literal["first_response", "next_response", "resolution"]] = Field(
        default=["first_response", "next_response", "resolution"],
        max_length=3,
        description="It leaves when one of these is breached.",
    )
    silent_s: Span | None = Field(default=None, description="An assignee who does nothing for so long loses the case.")
    silences: int = Field(default=2, ge=1, le=20, description="With so many silences the case leaves the level.")
    compensation_limit: Amount = Field(
        default=0, description="What its assignee may give in all without approval, in minor units."
    )
    message: Words = Field(
        description="To whom it is given, when a case arrives here. {case} and {because} are put in."
    )


class ServicePolicyDraft(Request):
    """A policy as a caller describes it; the version is given by the system. For a case, the policy holds that names
    the longest beginning of its region."""

    id: ServicePolicyId
    title: Words
    regions: list[DivisionPrefix] = Field(default=[], max_length=100, description="Empty: everywhere.")
    calendar: CalendarId
    targets: list[Targets] = Field(min_length=4, max_length=200)
    warnings: list[Annotated[int, Field(ge=1, le=99)]] = Field(default=[50, 75, 90], max_length=10)
    pauses: list[Waiting] = Field(default=["waiting_customer"], max_length=3, description="When its clocks stand.")
    reopen: Literal["continue", "restart"] = Field(
        default="continue", description="What a case that is reopened has for its resolution: the rest, or all anew."
    )
    reopen_within_s: int = Field(default=7 * 86400, ge=0, le=366 * 86400, description="By the clock, once resolved.")
    approval_s: Span = Field(default=4 * 3600, description="What waits for approval lapses after so long.")
    ladder: list[LadderLevel] = Field(min_length=1, max_length=9, description="The first is level 1; 0 is the bot.")
    limits: Limits = Limits()

    @field_validator("targets")
    @classmethod
    def _whole(cls, targets: list[Targets]) -> list[Targets]:
        plain = [one.priority for one in targets if not one.tiers and not one.regions]
        missing = [name for name in PRIORITIES if name not in plain]
        if missing:
            raise ValueError(
                f"none is for {missing[0]} without tiers and regions; add one, so that all cases have some"
            )
        twice = [name for name in PRIORITIES if plain.count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]} has two without tiers and regions; leave one out")
        return targets


class ServicePolicy(ServicePolicyDraft):
    """One version of it, which never changes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = Field(default=1, ge=1, le=999_999)
    at: Moment | None = Field(default=None, description="When it was made; null: the system brings it with it.")

    @property
    def pinned(self) -> str:
        return f"{self.id}@{self.version}"

    def precision(self, region: str) -> int | None:
        """How precisely it names a region, greater is more; None: it does not hold there."""
        return max((len(one) for one in self.regions or [""] if region.startswith(one)), default=None)

    def targets_for(self, priority: Priority, tier: str, region: str) -> Targets:
        """What counts for a case; ties go to the first that is written."""

        def rank(one: Targets) -> tuple[bool, int]:
            return bool(one.tiers), max(
                (len(prefix) for prefix in one.regions if region.startswith(prefix)), default=-1
            )

        fitting = [
            one
            for one in self.targets
            if one.priority == priority
            and (not one.tiers or tier in one.tiers)
            and (not one.regions or any(region.startswith(prefix) for prefix in one.regions))
        ]
        return max(fitting, key=rank)

    def level(self, number: int) -> LadderLevel:
        """By its number, from 1; beyond the last it is the last, as a policy may have got shorter."""
        return self.ladder[min(max(number, 1), len(self.ladder)) - 1]


Because = Literal["level_target", "before_due", "breach", "silence", "asked"]


class Step(Document):
    """What the ladder does with a case. rise: to the next level; replace: to somebody else of the same level, as the
    assignee is silent. `at`: when it came about; `message`: to whom it is given next."""

    kind: Literal["rise", "replace"]
    from_level: int
    to_level: int
    because: Because
    clock: ClockKind | None = None
    """Which promise was breached, or whose target is used up."""
    at: Moment
    assignee: AssigneeRule
    message: Words


class OnLadder(Document):
    """Where a case is on the ladder. `since`: of the level; `silences`: of assignees there."""

    level: int = 1
    since: Moment
    silences: int = 0


def _targets(priority: Priority, first_min: int, next_min: int, hours: int) -> Targets:
    return Targets(
        priority=priority, first_response_s=first_min * 60, next_response_s=next_min * 60, resolution_s=hours * 3600
    )


DEFAULT = ServicePolicy(
    id="default",
    title=Words(zh="全国默认服务承诺", en="Promises everywhere"),
    calendar="cn-service",
    targets=[
        _targets("urgent", 10, 15, 4),
        _targets("high", 20, 30, 8),
        _targets("normal", 60, 60, 26),
        _targets("low", 240, 240, 65),
    ],
    ladder=[
        LadderLevel(
            title=Words(zh="一线客服", en="First line"),
            target_s=6 * 3600,
            before_due_s=3600,
            silent_s=1800,
            compensation_limit=2_000,
            message=Words(zh="工单 {case} 分配给您：{because}。", en="Case {case} is yours: {because}."),
        ),
        LadderLevel(
            title=Words(zh="专家组", en="Specialists"),
            target_s=8 * 3600,
            before_due_s=0,
            on_breach=["resolution"],
            silent_s=3600,
            compensation_limit=10_000,
            message=Words(
                zh="工单 {case} 升级到专家组：{because}。请优先处理。",
                en="Case {case} has come up to the specialists: {because}. Please see to it first.",
            ),
        ),
        LadderLevel(
            title=Words(zh="值班主管", en="Lead on duty"),
            assignee=AssigneeRule(kind="lead"),
            compensation_limit=50_000,
            message=Words(
                zh="工单 {case} 升级到值班主管：{because}。请亲自联系顾客。",
                en="Case {case} has come up to the lead: {because}. Please speak to the customer yourself.",
            ),
        ),
    ],
)
BUILTIN: Mapping[str, ServicePolicy] = {DEFAULT.id: DEFAULT}
"""What holds as long as no version of this id is kept."""
