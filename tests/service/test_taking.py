"""The state machine of a case: what people, partners and time do to it."""

from typing import Any

import pytest

from activities.service.compensating import corrected, paid
from activities.service.firstlevel import BotTurn, take_turn
from activities.service.work import Work, begin
from contracts.cases import CaseRecord
from contracts.refusals import Refusal
from tests.service.casemaking import MONDAY, Story, after, given, happened, opened


def refusal(work: Work) -> Refusal:
    (found,) = work.verdicts.values()
    assert found is not None
    return found


def fine(work: Work) -> None:
    assert set(work.verdicts.values()) <= {None}


def taken(**more: Any) -> Story:
    """A complaint that lin has in hand."""
    story = Story(opened(**more))
    story.at(after(minutes=1), happened("assign", after(minutes=1), by="lead", assignee="lin"))
    return story


class TestOpening:
    def test_people_have_it_with_both_promises_counted_from_the_opening(self) -> None:
        story = Story(opened())
        story.at(MONDAY)
        clocks = story.case.clocks
        assert (story.case.state, story.case.wants, story.case.level) == ("open", True, 1)
        assert clocks.first_response is not None and clocks.resolution is not None
        assert clocks.first_response.started_at == clocks.resolution.started_at == MONDAY
        assert story.case.due is not None

    def test_what_the_bot_has_counts_no_promise_of_people(self) -> None:
        story = Story(opened("order_status", person=False, text="我的快递到哪了"))
        story.at(MONDAY, happened("say", MONDAY, by="app", text="我的快递到哪了"))
        assert (story.case.state, story.case.clocks.each(), story.case.messages) == ("bot", [], 1)
        assert story.case.unanswered_since == MONDAY

    def test_a_late_parcel_is_told_to_the_partner_that_has_it(self) -> None:
        story = Story(opened("late_missed"))
        story.at(MONDAY)
        assert ("near", "case.opened.v1") in [(whom, kind) for whom, kind, _ in story.told]


class TestAnswering:
    def test_an_answer_meets_the_first_promise_and_waits_for_the_customer(self) -> None:
        story = taken()
        fine(story.at(after(minutes=15), happened("reply", after(minutes=15), text="您好，我来查一下。")))
        first = story.case.clocks.first_response
        assert first is not None and first.met_at == after(minutes=15) and first.breached_at is None
        assert story.case.state == "waiting_customer"
        assert story.case.clocks.resolution is not None and story.case.clocks.resolution.stands

    def test_the_customers_next_words_start_the_next_promise(self) -> None:
        story = taken()
        story.at(after(minutes=20), happened("reply", after(minutes=20), text="?"))
        story.at(after(3), happened("say", after(3), by="app", text="还没好"))
        following = story.case.clocks.next_response
        assert story.case.state == "open"
        assert following is not None and following.started_at == after(3)
        resolution = story.case.clocks.resolution
        assert resolution is not None and resolution.runs and len(resolution.pauses) == 1

    def test_a_customer_who_never_answers_ends_the_case(self) -> None:
        story = taken()
        story.at(after(minutes=20), happened("reply", after(minutes=20), text="?"))
        story.at(after(days=4))
        assert (story.case.state, story.case.outcome and story.case.outcome.code) == ("resolved", "given_up")
        assert story.case.resolved_at == after(minutes=20, days=3)
        story.at(after(days=12))
        assert (story.case.state, story.case.same, story.case.due) == ("closed", None, None)

    def test_the_same_moment_is_the_same_whether_seen_at_once_or_late(self) -> None:
        often, once = taken(), taken()
        for hour in range(1, 200):
            often.at(after(hour))
        once.at(after(199))
        kept = {"timeline", "clocks", "ladder", "state", "passed", "wants"}
        assert often.case.model_dump(include=kept) == once.case.model_dump(include=kept)


class TestTime:
    def test_warnings_and_the_breach_are_told_once_each(self) -> None:
        story = taken()
        for minute in range(0, 400, 7):
            story.at(after(minutes=minute))
        told = [(data.clock, data.percent) for _, kind, data in story.told if kind == "case.clock.v1"]
        promised = [one for one in told if one[0] == "first_response" and one[1] < 100]
        assert promised == [("first_response", 50), ("first_response", 75), ("first_response", 90)]
        assert story.happenings().count("breached") >= 1

    def test_a_breach_climbs_the_ladder_and_asks_for_somebody_else(self) -> None:
        story = Story(opened())
        story.at(MONDAY)
        story.at(after(2))
        assert (story.case.level, story.case.wants, story.case.assignee) == (2, True, None)
        assert "escalated" in story.happenings()

    def test_an_assignees_silence_moves_the_case_on(self) -> None:
        story = taken(priority="low")
        story.at(after(minutes=40))
        assert (story.case.passed, story.case.assignee, story.case.wants) == (["lin"], None, True)
        assert "reassigned" in story.happenings()

    @pytest.mark.parametrize(("person", "state"), [(True, "open"), (False, "bot")])
    def test_where_nobody_is_above_asking_for_them_changes_nothing(self, person: bool, state: str) -> None:
        flat = given(opened()).policy.model_copy(update={"ladder": given(opened()).policy.ladder[:1]})
        story = Story(opened("order_status", person=person, text="?"), flat)
        story.at(MONDAY)
        before = story.case
        assert before.state == state
        refused = story.at(after(minutes=1), happened("escalate", after(minutes=1), reason="angry"))
        assert refusal(refused).code == "top_of_ladder"
        assert story.case.model_dump(exclude={"timeline"}) == before.model_dump(exclude={"timeline"})
        assert story.happenings()[len(before.timeline) :] == ["refused"]

    def test_who_acts_is_not_silent(self) -> None:
        story = taken(priority="low")
        story.at(after(minutes=25), happened("note", after(minutes=25), text="called the store"))
        story.at(after(minutes=40))
        assert (story.case.passed, story.case.assignee) == ([], "lin")

    def test_a_deadline_that_was_over_before_an_answer_came_is_over(self) -> None:
        story = Story(opened())
        story.at(after(2), happened("reply", after(1.9), text="late"))
        first = story.case.clocks.first_response
        assert first is not None and first.breached_at is not None


class TestPartners:
    def test_a_partner_is_asked_on_its_stream_and_its_answer_brings_the_case_back(self) -> None:
        story = taken()
        fine(story.at(after(1), happened("ask_partner", after(1), text="Where is the parcel?")))
        (told,) = [data for whom, _, data in story.told if whom == "near"]
        assert (told.question, told.answer_by, story.case.state) == (
            "Where is the parcel?", story.case.ends_at, "waiting_partner"
        )  # fmt: skip
        story.at(after(2), happened("partner_says", after(2), by="near", text="今天发出"))
        assert (story.case.state, story.case.ends_at) == ("open", None)
        assert story.works[-1].messages[0].internal

    def test_a_silent_partner_does_not_hold_the_case_for_ever(self) -> None:
        story = taken()
        story.at(after(1), happened("ask_partner", after(1), text="?"))
        until = story.case.ends_at
        assert until is not None
        story.at(until)
        assert "partner_silent" in story.happenings()
        assert story.case.state == "open"

    def test_without_a_partner_there_is_nobody_to_ask(self) -> None:
        story = Story(opened(order=False))
        assert refusal(story.at(after(1), happened("ask_partner", after(1), text="?"))).code == "no_partner"


class TestMoney:
    def test_within_the_limit_it_is_given_at_once(self) -> None:
        story = taken()
        limit = given(story.case).policy.level(1).compensation_limit
        fine(story.at(after(1), happened("compensate", after(1), amount=max(limit, 1), reason="late")))
        state = story.case.compensations[0].state
        assert state == ("approved" if limit else "waits")

    def waiting(self) -> Story:
        story = taken()
        fine(story.at(after(1), happened("compensate", after(1), amount=100_000_00, reason="late")))
        assert story.case.state == "waiting_approval"
        return story

    def test_above_it_waits_for_somebody_else(self) -> None:
        story = self.waiting()
        own = story.at(after(1.1), happened("decide", after(1.1), number=1, approve=True))
        assert refusal(own).code == "own_compensation"
        fine(story.at(after(1.2), happened("decide", after(1.2), by="lead", number=1, approve=True)))
        assert (story.case.compensations[0].state, story.case.state) == ("approved", "open")
        assert story.case.look_at == after(1.2)

    def test_what_still_waits_keeps_the_case_waiting(self) -> None:
        """None is offered while one waits; a case that was written with two is still no turn of people's."""
        story = self.waiting()
        (first,) = story.case.compensations
        second = first.model_copy(update={"number": 2, "key": "case-1:compensation:2"})
        story.case = story.case.model_copy(update={"compensations": [first, second]})
        for number, state in ((1, "waiting_approval"), (2, "open")):
            fine(story.at(after(1.2), happened("decide", after(1.2), by="lead", number=number, approve=False)))
            assert story.case.state == state

    def test_nobody_decides_in_time(self) -> None:
        story = self.waiting()
        due = story.case.compensations[0].due
        assert due is not None
        story.at(due)
        assert (story.case.compensations[0].state, story.case.state) == ("lapsed", "open")
        late = story.at(due, happened("decide", due, by="lead", number=1, approve=True))
        assert refusal(late).code == "nothing_to_decide"

    def test_the_limit_is_for_all_of_a_case_together(self) -> None:
        story = taken()
        limit = given(story.case).policy.level(1).compensation_limit or 1
        story.at(after(minutes=2), happened("compensate", after(minutes=2), amount=limit, reason="late"))
        story.at(after(minutes=2), happened("decide", after(minutes=2), by="lead", number=1, approve=True))
        story.at(after(minutes=3), happened("compensate", after(minutes=3), amount=1, reason="more"))
        assert story.case.compensations[1].state == "waits"

    def test_what_the_order_says_is_noted_once(self) -> None:
        story = self.waiting()
        story.at(after(2), happened("decide", after(2), by="lead", number=1, approve=True))
        work = begin(story.case, given(story.case))
        paid(work, 1, after(3), None)
        paid(work, 1, after(4), "over_what_is_paid")
        assert [one.state for one in work.case.compensations] == ["paid"]

    def test_a_correction_is_asked_of_the_order_and_its_no_is_kept(self) -> None:
        story = taken()
        fine(story.at(after(1), happened("correct", after(1), action="reroute", reason="store closed")))
        work = begin(story.case, given(story.case))
        corrected(work, 1, after(2), "order_closed")
        assert (work.case.corrections[0].state, work.case.corrections[0].code) == ("refused", "order_closed")

    @pytest.mark.parametrize("what", ["compensate", "correct"])
    def test_without_an_order_there_is_nothing_to_pay_or_correct(self, what: Any) -> None:
        story = Story(opened(order=False))
        data = {"amount": 1, "reason": "x"} if what == "compensate" else {"action": "cancel", "reason": "x"}
        assert refusal(story.at(after(1), happened(what, after(1), **data))).code == "no_order"


class TestEnding:
    def resolved(self, **more: Any) -> Story:
        story = taken()
        fine(story.at(after(2), happened("resolve", after(2), text="已补发", **more)))
        return story

    def test_resolved_it_asks_how_it_was_and_closes_after_the_window(self) -> None:
        story = self.resolved(fault="partner")
        assert story.case.state == "resolved" and story.case.clocks.level is None
        assert [one.sender for one in story.works[-1].messages] == ["agent", "system"]
        fine(story.at(after(3), happened("rate", after(3), by="app", score=5)))
        again = story.at(after(4), happened("rate", after(4), by="app", score=1))
        assert refusal(again).code == "rated_already"
        closed = story.at(after(days=8)).case
        assert closed.state == "closed" and closed.satisfaction is not None
        assert closed.satisfaction.score == 5

    def test_the_customers_words_reopen_it_with_the_rest_of_the_time(self) -> None:
        story = self.resolved()
        story.at(after(30), happened("say", after(30), by="app", text="还是没收到"))
        resolution = story.case.clocks.resolution
        assert (story.case.state, story.case.reopened, story.case.assignee) == ("open", 1, "lin")
        assert resolution is not None and resolution.met_at is None and resolution.pauses

    def test_closed_it_takes_nothing_but_a_rating(self) -> None:
        story = self.resolved()
        story.at(after(days=8))
        closed = story.at(after(days=9), happened("reply", after(days=9), text="?"))
        assert refusal(closed).code == "case_closed"
        fine(story.at(after(days=9), happened("rate", after(days=9), by="app", score=4)))

    def test_what_waited_for_approval_is_not_given_after_the_end(self) -> None:
        story = taken()
        story.at(after(1), happened("compensate", after(1), amount=100_000_00, reason="late"))
        story.at(after(2), happened("resolve", after(2)))
        assert story.case.compensations[0].state == "lapsed"


def over(told: str, hours: float) -> Any:
    one = happened("settled", after(hours), cause="event-9")
    return one.model_copy(update={"by": "tongqu", "data": {**one.data, "by": told}})


def noticed(kind: str, **more: Any) -> Story:
    story = Story(opened(kind, person=False, **more))
    story.at(MONDAY)
    return story


class TestWhatIsOver:
    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("late_predicted", "order.delivered.v1"),
            ("late_predicted", "order.cancelled.v1"),
            ("partner_silent", "order.shipped.v1"),
            ("order_refused", "order.shipped.v1"),
        ],
    )
    def test_it_is_resolved_and_nobody_is_told_who_never_knew(self, kind: str, told: str) -> None:
        story = noticed(kind)
        fine(story.at(after(2), over(told, 2)))
        case = story.case
        assert (case.state, case.resolved_at, case.messages) == ("resolved", after(2), 0)
        assert case.outcome is not None and (case.outcome.code, case.outcome.by) == ("solved", "tongqu")
        assert case.outcome.note == told

    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("late_predicted", "order.shipped.v1"),
            ("late_missed", "order.delivered.v1"),
            ("refund_failed", "order.cancelled.v1"),
            ("complaint", "order.delivered.v1"),
        ],
    )
    def test_what_is_not_over_with_that_stays(self, kind: str, told: str) -> None:
        story = noticed(kind)
        fine(story.at(after(2), over(told, 2)))
        assert story.case.state == "open" and "settled" in story.happenings()

    def test_what_has_become_graver_meanwhile_stays(self) -> None:
        story = noticed("late_predicted")
        story.at(after(1), happened("found", after(1), by="tongqu", kind="late_missed", cause="event-2"))
        story.at(after(2), over("order.delivered.v1", 2))
        assert story.case.state == "open"

    def test_what_somebody_has_begun_to_talk_about_stays_theirs(self) -> None:
        story = noticed("late_predicted")
        story.at(after(1), happened("say", after(1), by="app", text="还没到？"))
        story.at(after(2), over("order.delivered.v1", 2))
        assert story.case.state == "open" and story.happenings()[-1] == "settled"

    def test_what_is_resolved_already_is_left_alone(self) -> None:
        story = noticed("late_predicted")
        story.at(after(2), over("order.delivered.v1", 2))
        before = story.case
        fine(story.at(after(3), over("order.cancelled.v1", 3)))
        assert (story.case.resolved_at, story.case.outcome) == (before.resolved_at, before.outcome)


class TestFirstLevel:
    def asked(self) -> CaseRecord:
        story = Story(opened("order_status", person=False, text="?"))
        story.at(MONDAY, happened("say", MONDAY, by="app", text="我的快递到哪了"))
        return story.case

    def turn(self, case: CaseRecord, does: Any, up_to: int = 1) -> Work:
        work = begin(case, given(case))
        said = BotTurn(does=does, text="…", kind="delivery_eta", why="asked_for_a_person", dialogue={"turns": 1})
        take_turn(work, up_to, said, after(minutes=1))
        return work

    def test_an_answer_ends_the_case_when_nothing_follows(self) -> None:
        work = self.turn(self.asked(), "answered")
        assert (work.case.kind, work.case.messages, work.case.unanswered_since) == ("delivery_eta", 2, None)
        story = Story(work.case)
        story.at(after(2))
        assert (story.case.state, story.case.outcome and story.case.outcome.by) == ("resolved", "tongqu")

    def test_handed_over_people_have_the_time_from_then_on(self) -> None:
        work = self.turn(self.asked(), "hands_over")
        assert (work.case.state, work.case.wants) == ("open", True)
        assert work.case.clocks.first_response is not None
        assert work.case.clocks.first_response.started_at == after(minutes=1)

    @pytest.mark.parametrize(("before", "kind"), [(None, "complaint"), ("case-0", "repeat_complaint")])
    def test_what_turns_out_to_be_a_complaint_is_graver_and_may_be_a_repeated_one(
        self, before: str | None, kind: str
    ) -> None:
        case = self.asked().model_copy(update={"complained": before})
        work = begin(case, given(case))
        take_turn(work, 1, BotTurn(does="hands_over", text="…", kind="complaint", why="complaint"), after(minutes=1))
        assert (work.case.kind, work.case.priority, work.case.follows) == (kind, "high", before)
        first = work.case.clocks.first_response
        assert first is not None and first.target_s == 20 * 60

    def test_what_is_asked_changes_no_priority(self) -> None:
        case = self.asked().model_copy(update={"priority": "low", "complained": "case-0"})
        work = begin(case, given(case))
        take_turn(work, 1, BotTurn(does="answered", text="…", kind="order_status"), after(minutes=1))
        assert (work.case.kind, work.case.priority, work.case.follows) == ("order_status", "low", None)

    def test_an_answer_that_is_tried_again_is_given_once(self) -> None:
        first = self.turn(self.asked(), "answered")
        again = self.turn(first.case, "answered")
        assert (again.messages, again.case.messages) == ([], 2)
