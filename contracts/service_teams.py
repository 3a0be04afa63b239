"""Teams of customer service: who is in them, what they can do, and when they are on duty. Data, in versions."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator

from contracts.base import Document, Moment, Request
from contracts.carriers import ClockTime, DivisionPrefix
from contracts.hours import TIME_ZONE, TimeZone
from contracts.partnership import Category
from contracts.requirements import Words
from contracts.service_calendar import CalendarId

TeamId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
AgentId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
"""A pseudonym, such as a staff number: names of people have no place here."""
Language = Literal["zh", "en", "pt"]
Dialect = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,20}$")]
"""Such as cantonese, hokkien, wu, sichuanese."""


class Agent(Request):
    """Somebody who takes cases. `share` of a full position: who has half takes half as many."""

    id: AgentId
    languages: list[Language] = Field(default=["zh"], min_length=1, max_length=5)
    dialects: list[Dialect] = Field(default=[], max_length=20)
    products: list[Category] = Field(default=[], max_length=50, description="Empty: everything.")
    capacity: int = Field(default=30, ge=1, le=1000, description="Cases in hand at once, urgent ones count double.")
    share: float = Field(default=1.0, ge=0.1, le=1.0)


class TeamDraft(Request):
    """A team as a caller describes it; the version is given by the system."""

    id: TeamId
    title: Words
    level: int = Field(ge=1, le=9, description="Of the ladder.")
    regions: list[DivisionPrefix] = Field(default=[], max_length=100, description="Empty: everywhere.")
    products: list[Category] = Field(default=[], max_length=50, description="Empty: everything.")
    agents: list[Agent] = Field(min_length=1, max_length=500)
    lead: AgentId | None = None
    dialect_ahead: int = Field(
        default=4,
        ge=0,
        le=1000,
        description="A dialect's speakers get its cases until they had so many more than others.",
    )

    @field_validator("agents")
    @classmethod
    def _agents_once(cls, agents: list[Agent]) -> list[Agent]:
        ids = [one.id for one in agents]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is listed twice; list each once")
        return agents

    @field_validator("lead")
    @classmethod
    def _one_of_them(cls, lead: str | None, info: ValidationInfo) -> str | None:
        if lead is not None and lead not in {one.id for one in info.data.get("agents", [])}:
            raise ValueError(f"{lead} is none of its agents; add them, or name another")
        return lead


class Team(TeamDraft):
    """One version of it, which never changes."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = Field(default=1, ge=1, le=999_999)
    at: Moment | None = Field(default=None, description="When it was made; null: the system brings it with it.")


class Duty(Request):
    """A stretch of duty of one agent, on one day of the cycle; past midnight it goes on into the next day."""

    agent: AgentId
    day: int = Field(ge=0, le=365, description="Of the cycle, from 0.")
    begins: ClockTime
    minutes: int = Field(ge=15, le=24 * 60)


class DutyChange(Request):
    """Against the cycle: somebody is away, or takes duty that is not theirs. The later in the list counts."""

    agent: AgentId
    start: Moment
    end: Moment
    on: bool = Field(default=False, description="true: on duty in this time; false: away.")

    @field_validator("end")
    @classmethod
    def _in_order(cls, end: datetime, info: ValidationInfo) -> datetime:
        if "start" in info.data and end <= info.data["start"]:
            raise ValueError("it must be later than start; correct one of them")
        return end


class RotaDraft(Request):
    """When the agents of a team are on duty: a cycle of days that repeats from `anchor`, and what differs from it.

    With a calendar the cycle has seven days from a Monday, and holidays are off; a weekend that is worked instead of
    another day has the duties of the calendar's make-up weekday. Without, the cycle goes on through every holiday.
    """

    team: TeamId
    zone: TimeZone = TIME_ZONE
    anchor: date = Field(description="A day on which the cycle is at its day 0.")
    cycle_days: int = Field(default=7, ge=1, le=366)
    calendar: CalendarId | None = None
    duties: list[Duty] = Field(max_length=5000)
    changes: list[DutyChange] = Field(default=[], max_length=2000)
    whole: bool = Field(default=False, description="Whether somebody must be on duty at any time; gaps are refused.")

    @field_validator("calendar")
    @classmethod
    def _in_weeks(cls, calendar: str | None, info: ValidationInfo) -> str | None:
        begun = info.data.get("anchor")
        if calendar is not None and (info.data.get("cycle_days") != 7 or begun is None or begun.weekday() != 0):
            raise ValueError("a rota that keeps holidays has seven days from a Monday; correct anchor and cycle_days")
        return calendar

    @field_validator("duties")
    @classmethod
    def _in_the_cycle(cls, duties: list[Duty], info: ValidationInfo) -> list[Duty]:
        days = info.data.get("cycle_days", 366)
        late = next((one for one in duties if one.day >= days), None)
        if late is not None:
            raise ValueError(
                f"day {late.day} is not in a cycle of {days} days, which begins with 0; correct one of them"
            )
        return duties


class Rota(RotaDraft):
    """One version of it, which never changes; of each team the newest counts."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: int = Field(default=1, ge=1, le=999_999)
    at: Moment | None = Field(default=None, description="When it was made; null: the system brings it with it.")


class Need(Document):
    """What a case asks of whoever takes it. `weight`: what it counts in their hands."""

    case: str
    level: int = 1
    region: str
    language: Language = "zh"
    dialect: str | None = None
    product: str | None = None
    weight: int = 1
    avoid: list[str] = []
    """Agents who have had it and were silent."""
    holder: str | None = None
    """Who has it now."""


class Load(Document):
    """What an agent has in hand, and where they stand in the order of turns: the one with the lowest is next."""

    agent: str
    open: int = 0
    """The sum of the weights of the cases in their hands."""
    turn: float = 0.0
    turned_at: Moment | None = None
    """When they last got a case."""


class Looked(Document):
    """Why an agent gets a case or does not."""

    team: str
    agent: str
    because: str


class Assignment(Document):
    """Who gets it: `agent` is null where nobody can now; then it waits for `team`, and `next_at` is when somebody comes
    on duty who may. `turn` is the agent's new one, to be kept with the assignment."""

    team: str | None = None
    agent: str | None = None
    turn: float | None = None
    next_at: Moment | None = None
    looked: list[Looked] = []
