"""The envelope of an agreement, by example and by property. Pure: no server, no file."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from activities.agreements import envelope
from activities.agreements.changing import told
from contracts.agreement_record import Agreement, Evidence, Party, SignatureEvidence, Signer, Terms, standing_of
from contracts.agreements import (
    ASKED,
    ENDED,
    AgreementState,
    Cancel,
    Command,
    Resend,
    Standing,
    look_after,
    refuse,
)
from contracts.refusals import Refusal
from contracts.signatures import EnvelopeView, Link, SignerView

NOW = datetime(2026, 11, 23, 4, tzinfo=UTC)
UNTIL = NOW + timedelta(days=14)
PARTY = Party(name="甲", credit_code="91330100MA2TQDEM32", address="杭州", represented_by="李运营")


def signer(number: int, order: int, **changes: Any) -> Signer:
    fields = {"id": f"partner-{number}", "role": "second", "order": order, "name": f"人{number}", "organisation": "乙"}
    return Signer.model_validate({**fields, **changes})


def agreement(*signers: Signer, months: int = 12, **changes: Any) -> Agreement:
    """Two partners' signers one after the other and the retailer's seal, unless others are given."""
    retailer = signer(0, 9, id="retailer", role="retailer", way="seal")
    made = list(signers) or [signer(1, 1), signer(2, 2), retailer]
    fields = {
        "id": "app-1-a1",
        "application": "app-1",
        "number": 1,
        "template": "franchise@1",
        "template_digest": "0" * 64,
        "terms": Terms(kind="franchise", term_months=months, notice_days=30),
        "terms_digest": "1" * 64,
        "retailer": PARTY,
        "partner": PARTY.model_copy(update={"name": "乙"}),
        "digest": "2" * 64,
        "size": 1000,
        "signers": made,
        "sequence": "sequential",
        "created_at": NOW,
    }
    return Agreement.model_validate({**fields, **changes})


def link(name: str, number: int = 1) -> Link:
    return Link(signer=name, url=f"http://provider.example/sign/{name}-{number}", expires_at=UNTIL)


def ask(known: Agreement, now: datetime = NOW) -> Agreement:
    """Those whose turn it is, as the activity does it."""
    asked = envelope.begun(known, now, UNTIL)
    for one in standing_of(known).turn:
        if one.way == "link":
            asked = envelope.sent(asked, link(one.id, one.sends + 1), now, UNTIL)
        else:
            asked = envelope.sealing(asked, one.id)
    return asked


def view(version: int, state: str = "open", **states: str) -> EnvelopeView:
    """`partner_1="signed"` for partner-1."""
    signers = [
        SignerView.model_validate({"id": name.replace("_", "-"), "state": told, "at": NOW, "reason": "不同意"})
        for name, told in states.items()
    ]
    return EnvelopeView.model_validate({"id": "app-1-a1", "state": state, "version": version, "signers": signers})


def evidence(*findings: Any, signed_at: datetime = NOW) -> Evidence:
    one = SignatureEvidence(
        signer="partner-1",
        subject="人1",
        certificate_sha256="3" * 64,
        digest_algorithm="sha256",
        signed_at=signed_at,
        timestamped=True,
        intact=True,
        valid=True,
        anchored=True,
        coverage="ENTIRE_FILE",
        changes_after="NONE",
    )
    return Evidence(
        verified_at=NOW,
        base_sha256="2" * 64,
        sha256="4" * 64,
        bytes=2000,
        roots=["5" * 64],
        signatures=[one],
        findings=list(findings),
    )


def states(known: Agreement) -> list[str]:
    return [one.state for one in known.signers]


def test_one_is_asked_after_the_other_and_the_retailer_last() -> None:
    first = ask(agreement())
    assert (first.state, states(first)) == ("out", ["sent", "waiting", "waiting"])
    assert first.expires_at == UNTIL
    seen = envelope.observed(first, view(2, partner_1="seen"), NOW)
    assert states(seen) == ["seen", "waiting", "waiting"] and standing_of(seen).turn == []
    second = ask(envelope.observed(seen, view(3, partner_1="signed"), NOW))
    assert states(second) == ["signed", "sent", "waiting"]
    sealing = ask(envelope.observed(second, view(4, partner_1="signed", partner_2="signed"), NOW))
    assert states(sealing) == ["signed", "signed", "sent"]
    names = {"partner_1": "signed", "partner_2": "signed", "retailer": "signed"}
    complete = envelope.observed(sealing, view(5, "complete", **names), NOW)
    assert complete.state == "complete" and all(one.link is None for one in complete.signers)
    assert envelope.verified(complete, evidence(), NOW).state == "signed"


def test_in_parallel_all_of_the_partner_are_asked_at_once() -> None:
    both = ask(agreement(signer(1, 1), signer(2, 1), signer(0, 2, id="retailer", role="retailer", way="seal")))
    assert states(both) == ["sent", "sent", "waiting"]
    one = envelope.observed(both, view(2, partner_2="signed"), NOW)
    assert states(ask(one)) == ["sent", "signed", "waiting"]


def test_a_view_that_is_older_than_one_seen_before_changes_nothing() -> None:
    out = envelope.observed(ask(agreement()), view(5, partner_1="signed"), NOW)
    assert envelope.observed(out, view(5, partner_1="declined"), NOW) == out
    assert envelope.observed(out, view(4, partner_1="seen"), NOW) == out


def test_a_new_link_makes_one_who_had_seen_it_one_that_was_asked() -> None:
    seen = envelope.observed(ask(agreement()), view(2, partner_1="seen"), NOW)
    again = envelope.sent(seen, link("partner-1", 2), NOW, UNTIL)
    assert (again.signers[0].state, again.signers[0].sends, again.signers[0].seen_at) == ("sent", 2, None)
    assert again.signers[0].link == link("partner-1", 2).url
    assert [kind for kind, _ in told(seen, again)] == ["agreement.sent.v1"]
    signed = envelope.observed(seen, view(3, partner_1="signed"), NOW)
    assert envelope.sent(signed, link("partner-1", 2), NOW, UNTIL) == signed


def test_a_link_may_be_as_long_as_a_provider_makes_it() -> None:
    out = envelope.begun(agreement(), NOW, UNTIL)
    long = Link(signer="partner-1", url="https://provider.example/" + "x" * 1500, expires_at=UNTIL)
    kept = envelope.sent(out, long, NOW, UNTIL)
    assert Agreement.model_validate(kept.model_dump()).signers[0].link == long.url


def test_who_closed_the_envelope_decides_what_it_means() -> None:
    out = ask(agreement())
    closed = view(3, "void", partner_1="sent")
    theirs = envelope.observed(out, closed, NOW)
    assert (theirs.state, theirs.cancelled_by) == ("cancelled", envelope.PROVIDER)
    assert envelope.observed(out, closed, UNTIL).state == "expired"
    assert envelope.observed(out, closed, NOW, ours=True).state == "out"


def test_what_is_signed_in_the_last_moment_counts() -> None:
    out = ask(agreement(signer(1, 1)))
    signed = envelope.observed(out, view(2, "complete", partner_1="signed"), UNTIL, ours=True)
    assert envelope.expired(signed, UNTIL).state == "complete"


def test_a_file_that_does_not_pass_is_doubtful_until_one_does() -> None:
    complete = envelope.observed(ask(agreement(signer(1, 1))), view(2, "complete", partner_1="signed"), NOW)
    doubtful = envelope.verified(complete, evidence("signature_broken"), NOW)
    assert doubtful.state == "doubtful" and doubtful.signed_digest is None
    assert [kind for kind, _ in told(complete, doubtful)] == ["agreement.doubtful.v1"]
    assert told(doubtful, envelope.verified(doubtful, evidence("signature_broken"), NOW)) == []
    signed = envelope.verified(doubtful, evidence(), NOW)
    assert (signed.state, signed.signed_digest) == ("signed", "4" * 64)


def test_a_seal_is_neither_reminded_nor_resent() -> None:
    sealing = ask(agreement(signer(0, 1, id="retailer", role="retailer", way="seal")))
    assert envelope.reminded(sealing, NOW).notices == []
    assert told(agreement(), sealing) == []
    with pytest.raises(Refusal) as refused:
        refuse(standing_of(sealing), Command(by="desk", resend=Resend(signer="retailer")))
    assert refused.value.code == "signer_without_link"


@pytest.mark.parametrize(
    ("signed", "begins", "months", "start", "end"),
    [
        # Signed at noon in China: counts to midnight after the same day of the month.
        (datetime(2026, 11, 23, 4, tzinfo=UTC), None, 12, None, "2027-11-24T00:00:00+08:00"),
        # Signed in the evening of UTC, which is the next day in China.
        (datetime(2026, 11, 23, 17, tzinfo=UTC), None, 1, None, "2026-12-25T00:00:00+08:00"),
        # The month is too short; the year leaps.
        (datetime(2027, 8, 31, 4, tzinfo=UTC), None, 6, None, "2028-03-01T00:00:00+08:00"),
        # A renewal goes on where the one before it ends, or later where it was signed late.
        (
            datetime(2026, 11, 1, tzinfo=UTC),
            datetime(2026, 11, 23, 16, tzinfo=UTC),
            12,
            "begins",
            "2027-11-24T00:00:00+08:00",
        ),
        (
            datetime(2026, 12, 1, tzinfo=UTC),
            datetime(2026, 11, 23, 16, tzinfo=UTC),
            12,
            "signed",
            "2027-12-02T00:00:00+08:00",
        ),
    ],
)
def test_from_when_until_when_it_counts(
    signed: datetime, begins: datetime | None, months: int, start: str | None, end: str | None
) -> None:
    first, last = envelope.effective(signed, begins, months)
    assert first == (begins if start == "begins" else signed)
    if end is not None:
        assert last == datetime.fromisoformat(end)


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)), st.integers(1, 120), st.integers(1, 120))
def test_months_later_is_in_that_month_and_never_beyond_the_day(day: date, months: int, more: int) -> None:
    later = envelope.months_later(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)
    assert envelope.months_later(day, months + more) > later


@given(st.integers(0, 10_000))
def test_looks_come_at_least_every_six_hours_and_never_faster_the_less_there_is(quiet: int) -> None:
    assert timedelta(minutes=5) <= look_after(quiet) <= look_after(quiet + 1) <= timedelta(hours=6)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_has_ended_takes_no_command(state: AgreementState) -> None:
    for command in (Command(by="desk", cancel=Cancel(reason="x")), Command(by="desk", resend=Resend(signer="s"))):
        with pytest.raises(Refusal) as refused:
            refuse(Standing(agreement="a", digest="0" * 64, state=state), command)
        assert (refused.value.code, refused.value.status) == ("agreement_over", 409)


class Envelopes(RuleBasedStateMachine):
    """Signers, the office and time do what they like, in any order; some of what is told is old."""

    @initialize(orders=st.lists(st.integers(1, 3), min_size=1, max_size=4))
    def begin(self, orders: list[int]) -> None:
        partners = [signer(number, order) for number, order in enumerate(orders, 1)]
        last = signer(0, max(orders) + 1, id="retailer", role="retailer", way="seal")
        self.known = agreement(*partners, last)
        self.truth = {one.id: "waiting" for one in self.known.signers}
        self.version = 1
        self.closed = False
        self.old: list[EnvelopeView] = []

    def _view(self) -> EnvelopeView:
        declined = "declined" in self.truth.values()
        complete = all(state == "signed" for state in self.truth.values())
        state = "declined" if declined else "complete" if complete else "void" if self.closed else "open"
        signers = [{"id": name, "state": told, "at": NOW, "reason": "否"} for name, told in self.truth.items()]
        seen = EnvelopeView.model_validate(
            {"id": "app-1-a1", "state": state, "version": self.version, "signers": signers}
        )
        self.old.append(seen)
        return seen

    def _go(self, after: Agreement) -> None:
        before, self.known = self.known, after
        ranks = envelope._RANK
        for one, then in zip(before.signers, after.signers, strict=True):
            assert ranks[then.state] >= ranks[one.state] or then.sends > one.sends
            assert ranks[one.state] < 3 or then.state == one.state
        if before.state in ENDED:
            assert after == before
        kinds = [kind for kind, _ in told(before, after)]
        assert len(kinds) <= 1
        if after.state != before.state and after.state in ENDED:
            assert kinds == [f"agreement.{after.state}.v1"]

    @rule()
    def send(self) -> None:
        for one in standing_of(self.known).turn:
            if not self.closed and self.truth[one.id] == "waiting":
                self.truth[one.id] = "sent" if one.way == "link" else "signed"
                self.version += 1
        if standing_of(self.known).turn:
            self._go(ask(self.known))

    @precondition(lambda self: not self.closed and "declined" not in self.truth.values())
    @rule(place=st.integers(0, 4), what=st.sampled_from(["seen", "signed", "signed", "declined"]))
    def act(self, place: int, what: str) -> None:
        name = list(self.truth)[place % len(self.truth)]
        if self.truth[name] in ("sent", "seen"):
            self.truth[name] = what
            self.version += 1

    @rule()
    def look(self) -> None:
        self._go(envelope.observed(self.known, self._view(), NOW))

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def look_at_what_is_old(self, data: st.DataObject) -> None:
        self._go(envelope.observed(self.known, data.draw(st.sampled_from(self.old)), NOW))

    @rule()
    def remind(self) -> None:
        if self.known.state == "out":
            self._go(envelope.reminded(self.known, NOW))

    @precondition(lambda self: self.known.state == "out")
    @rule(place=st.integers(0, 4))
    def resend(self, place: int) -> None:
        one = self.known.signers[place % len(self.known.signers)]
        seen = envelope.observed(self.known, self._view(), NOW)
        try:
            refuse(standing_of(seen), Command(by="desk", resend=Resend(signer=one.id)))
        except Refusal:
            return
        self.truth[one.id] = "sent"
        self.version += 1
        again = envelope.sent(seen, link(one.id, one.sends + 1), NOW, UNTIL)
        assert again.signer(one.id).sends == one.sends + 1
        self._go(again)

    @rule(expired=st.booleans())
    def close(self, expired: bool) -> None:
        if self.known.state in ("drafted", "out"):
            self.closed = True
            self.version += 1
            seen = envelope.observed(self.known, self._view(), NOW, ours=True)
            self._go(envelope.expired(seen, NOW) if expired else envelope.cancelled(seen, "desk", "x", NOW))

    @rule(good=st.booleans())
    def store(self, good: bool) -> None:
        self._go(envelope.verified(self.known, evidence() if good else evidence("unreadable"), NOW))

    @invariant()
    def nobody_is_asked_before_its_turn(self) -> None:
        asked = [one.order for one in self.known.signers if one.state in ASKED]
        earlier = [one.order for one in self.known.signers if one.state != "signed"]
        if self.known.state == "out":
            assert all(order == min(earlier) for order in asked)

    @invariant()
    def links_are_only_where_somebody_may_sign(self) -> None:
        for one in self.known.signers:
            assert one.link is None or (self.known.state == "out" and one.state in ASKED)

    @invariant()
    def signed_means_signed_by_all(self) -> None:
        if self.known.state in ("complete", "doubtful", "signed"):
            assert set(self.truth.values()) == {"signed"}
        if self.known.state == "signed":
            assert self.known.evidence is not None and not self.known.evidence.findings
            assert self.known.effective_until is not None

    @invariant()
    def who_declined_is_named_and_the_others_are_told(self) -> None:
        if self.known.state == "declined":
            notices = {one.to for one in self.known.notices if one.kind == "declined"}
            asked = {one.id for one in self.known.signers if one.sends and one.id != self.known.declined_by}
            assert asked <= notices and self.known.declined_by not in notices


TestEnvelopes = Envelopes.TestCase
