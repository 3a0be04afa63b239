"""The ladder of levels: what brings a case up, in which order, and what it says."""

from datetime import datetime, timedelta

import pytest

from activities.service.clocks import (
    Promise,
    answered,
    arrived,
    assigned,
    come_about,
    counted_anew,
    customer_wrote,
    next_warning,
    opened,
    promise,
    reopened,
    resolved,
    told,
    waiting,
)
from activities.service.ladder import asked_to_rise, ladder_step, message, next_step_at, taken
from contracts.caseclock import CaseClocks, Notice
from contracts.service_policy import DEFAULT, AssigneeRule, LadderLevel, OnLadder, ServicePolicy, Step, Targets
from tests.service.clockwork import HOUR, MINUTE, a_calendar, here

CALENDAR = a_calendar(("08:00", "18:00"))
MONDAY = here("2026-11-23T08:00")


def a_policy(**changes: object) -> ServicePolicy:
    return DEFAULT.model_copy(update={"calendar": "made", **changes})


def promised(policy: ServicePolicy = DEFAULT, priority: str = "normal", tier: str = "standard") -> Promise:
    made = policy.model_copy(update={"calendar": "made"})
    return promise([made], [CALENDAR], "330106", priority, tier)  # type: ignore[arg-type]


def levels(*changes: dict[str, object]) -> list[LadderLevel]:
    plain = {"title": DEFAULT.title, "message": DEFAULT.ladder[0].message, "on_breach": []}
    return [LadderLevel.model_validate({**plain, **one}) for one in changes]


def climbed(given: Promise, clocks: CaseClocks, now: datetime) -> list[Step]:
    """All steps until now, one after the other, when nobody does anything."""
    standing, steps = OnLadder(since=MONDAY), []
    while (step := ladder_step(given, standing, clocks, now)) is not None:
        standing, clocks = taken(given, standing, clocks, step)
        steps.append(step)
    return steps


def test_each_level_has_its_own_target() -> None:
    given = promised(a_policy(ladder=levels({"target_s": 2 * HOUR}, {"target_s": 9 * HOUR}, {})))
    steps = climbed(given, opened(given, MONDAY), here("2026-12-23T08:00"))
    assert [(one.because, one.to_level, one.at) for one in steps] == [
        ("level_target", 2, here("2026-11-23T10:00")),
        ("level_target", 3, here("2026-11-24T09:00")),
    ]


def test_a_level_is_left_in_good_time_before_the_deadline() -> None:
    """An hour of working time before Tuesday at 8:30 is in Monday's last half hour."""
    given = promised(a_policy(ladder=levels({"before_due_s": HOUR}, {"before_due_s": 0}, {})))
    clocks = opened(given, here("2026-11-19T12:30"))
    assert clocks.resolution is not None and clocks.resolution.due == here("2026-11-24T08:30")
    steps = climbed(given, clocks, here("2026-12-23T08:00"))
    assert [(one.because, one.at) for one in steps] == [
        ("before_due", here("2026-11-23T17:30")),
        ("before_due", here("2026-11-24T08:30")),
    ]


def test_a_breach_brings_it_up_once() -> None:
    """What brought a case to a level does not send it on from there."""
    breach: dict[str, object] = {"on_breach": ["first_response"]}
    given = promised(a_policy(ladder=levels(breach, breach, breach)))
    steps = climbed(given, opened(given, MONDAY), here("2026-12-23T08:00"))
    assert [(one.because, one.clock, one.at) for one in steps] == [
        ("breach", "first_response", here("2026-11-23T09:00"))
    ]


def test_it_climbs_as_it_would_have_when_nobody_looked_for_days() -> None:
    given = promised()
    clocks = opened(given, MONDAY)
    late = climbed(given, clocks, here("2026-12-23T08:00"))
    standing, at = OnLadder(since=MONDAY), MONDAY
    for step in late:
        due = next_step_at(given, standing, clocks)
        assert due == step.at and due >= at
        assert ladder_step(given, standing, clocks, due - timedelta(milliseconds=1)) is None
        assert ladder_step(given, standing, clocks, due) == step
        standing, clocks = taken(given, standing, clocks, step)
        at = due
    assert [one.to_level for one in late] == [2, 3]


def test_a_silent_assignee_loses_it_and_then_it_rises() -> None:
    given = promised(a_policy(ladder=levels({"silent_s": HOUR, "silences": 2}, {})))
    standing, clocks = OnLadder(since=MONDAY), assigned(opened(given, MONDAY), given, 1, MONDAY)
    step = ladder_step(given, standing, clocks, here("2026-11-23T09:00"))
    assert step is not None and (step.kind, step.because, step.to_level) == ("replace", "silence", 1)
    standing, clocks = taken(given, standing, clocks, step)
    assert next_step_at(given, standing, clocks) is None
    clocks = assigned(clocks, given, 1, here("2026-11-23T09:10"))
    # Doing something begins the hour anew.
    clocks = answered(clocks, given, 1, here("2026-11-23T10:00"))
    step = ladder_step(given, standing, clocks, here("2026-11-23T11:00"))
    assert step is not None and (step.kind, step.because, step.to_level) == ("rise", "silence", 2)
    assert taken(given, standing, clocks, step)[0] == OnLadder(level=2, since=here("2026-11-23T11:00"))


def test_on_the_last_level_a_silent_assignee_is_replaced_for_ever() -> None:
    given = promised(a_policy(ladder=levels({"silent_s": HOUR, "silences": 1})))
    standing, clocks = OnLadder(since=MONDAY), assigned(opened(given, MONDAY), given, 1, MONDAY)
    for hour in (9, 10, 11):
        at = here(f"2026-11-23T{hour:02}:00")
        step = ladder_step(given, standing, clocks, at)
        assert step is not None and (step.kind, step.at) == ("replace", at)
        standing, clocks = taken(given, standing, clocks, step)
        clocks = assigned(clocks, given, 1, at)
    assert asked_to_rise(given, standing, MONDAY) is None


def test_nothing_happens_while_the_customer_is_waited_for() -> None:
    given = promised()
    clocks = waiting(opened(given, MONDAY), given, "waiting_customer", here("2026-11-23T08:10"))
    assert next_step_at(given, OnLadder(since=MONDAY), clocks) is None
    assert come_about(clocks, given, here("2026-12-23T08:00")) == []
    # Arriving at a level meanwhile does not make time pass.
    assert arrived(clocks, given, 2, here("2026-11-23T09:00")).level.stands  # type: ignore[union-attr]
    clocks = customer_wrote(clocks, given, 1, here("2026-11-25T08:00"))
    assert next_step_at(given, OnLadder(since=MONDAY), clocks) == here("2026-11-25T08:50")
    # A partner does not stop what the customer was promised, yet waiting is no silence.
    clocks = waiting(assigned(clocks, given, 1, MONDAY), given, "waiting_partner", here("2026-11-25T08:10"))
    assert clocks.resolution is not None and clocks.resolution.runs
    assert clocks.silence is not None and clocks.silence.stands


def test_an_answer_is_owed_from_the_oldest_message_that_has_none() -> None:
    given = promised()
    clocks = customer_wrote(opened(given, MONDAY), given, 1, here("2026-11-23T08:05"))
    assert clocks.next_response is None
    clocks = answered(clocks, given, 1, here("2026-11-23T08:20"))
    assert clocks.first_response is not None and clocks.first_response.met_at == here("2026-11-23T08:20")
    clocks = customer_wrote(clocks, given, 1, here("2026-11-23T09:00"))
    clocks = customer_wrote(clocks, given, 1, here("2026-11-23T09:30"))
    assert clocks.next_response is not None and clocks.next_response.due == here("2026-11-23T10:00")
    clocks = answered(clocks, given, 1, here("2026-11-23T10:30"))
    assert clocks.next_response is not None and clocks.next_response.breached_at == here("2026-11-23T10:00")


@pytest.mark.parametrize(("how", "due"), [("continue", "2026-11-26T18:00"), ("restart", "2026-11-27T16:00")])
def test_reopened(how: str, due: str) -> None:
    given = promised(a_policy(reopen=how))
    clocks = resolved(opened(given, MONDAY), given, here("2026-11-23T16:00"))
    assert next_step_at(given, OnLadder(since=MONDAY), clocks) is None
    assert next_warning(clocks, given) is None
    clocks = reopened(clocks, given, 1, here("2026-11-25T10:00"))
    assert clocks.resolution is not None and clocks.resolution.due == here(due)
    assert clocks.next_response is not None and clocks.next_response.due == here("2026-11-25T11:00")


def test_warnings_of_all_clocks_come_in_their_order_and_once() -> None:
    given = promised()
    clocks = opened(given, MONDAY)
    said: list[Notice] = []
    while (at := next_warning(clocks, given)) is not None:
        new = come_about(clocks, given, at)
        assert new
        said, clocks = [*said, *new], told(clocks, new)
    assert [(one.clock, one.percent) for one in said] == [
        (clock, percent) for clock in ("first_response", "resolution") for percent in (50, 75, 90, 100)
    ]
    assert [one.at for one in said] == sorted(one.at for one in said)


def test_the_most_precise_targets_count() -> None:
    minute = {"first_response_s": MINUTE, "next_response_s": MINUTE, "resolution_s": MINUTE}
    more = [
        Targets.model_validate({"priority": "normal", "regions": ["3301"], **minute, "first_response_s": 2 * MINUTE}),
        Targets.model_validate({"priority": "normal", "regions": ["33"], **minute, "first_response_s": 3 * MINUTE}),
        Targets.model_validate({"priority": "normal", "tiers": ["gold"], **minute, "first_response_s": 4 * MINUTE}),
    ]
    policy = a_policy(targets=[*DEFAULT.targets, *more])
    for region, tier, expected in (
        ("330106", "standard", 2),
        ("330203", "standard", 3),
        ("440106", "standard", 60),
        ("330106", "gold", 4),
        ("440106", "gold", 4),
    ):
        assert policy.targets_for("normal", tier, region).first_response_s == expected * MINUTE


def test_the_policy_of_the_longest_beginning_holds_in_its_newest_version() -> None:
    east = a_policy(id="east", regions=["33"])
    newer = a_policy(id="east", regions=["33"], version=2, warnings=[80])
    town = a_policy(id="hangzhou", regions=["3301"])
    for region, pinned in (("330106", "hangzhou@1"), ("330203", "east@2"), ("440106", "default@1")):
        assert promise([newer, east, town], [CALENDAR], region, "low", "standard").policy.pinned == pinned


def test_another_policy_moves_an_open_case_and_says_so() -> None:
    given = promised()
    clocks = answered(opened(given, MONDAY), given, 1, here("2026-11-23T08:20"))
    quicker = promised(a_policy(version=2), priority="high")
    new, moves = counted_anew(clocks, quicker, 1)
    assert {one.clock: (one.due_before, one.due) for one in moves} == {
        "resolution": (here("2026-11-25T14:00"), here("2026-11-23T16:00"))
    }
    assert new.first_response == clocks.first_response
    assert counted_anew(new, quicker, 1) == (new, [])


def test_a_message_says_in_both_languages_what_happened() -> None:
    given = promised()
    step = climbed(given, opened(given, MONDAY), here("2026-12-23T08:00"))[0]
    said = message(step, "case-7")
    assert said.en == "Case case-7 has come up to the specialists: first response is overdue. Please see to it first."
    assert said.zh == "工单 case-7 升级到专家组：首次响应已超时。请优先处理。"


def test_a_level_that_names_somebody_says_whom() -> None:
    with pytest.raises(ValueError, match="an agent is written with kind named"):
        AssigneeRule(kind="named")
