"""How an agreement changes: each step reads it, makes a new one of it and writes that with its events, or nothing."""

from collections.abc import Callable, Sequence

from pydantic import BaseModel

from contracts.agreement_record import (
    Agreement,
    AgreementDoubtful,
    AgreementEnded,
    AgreementSent,
    AgreementSigned,
    SignerTold,
)
from contracts.agreements import ASKED, Outcome, Step
from contracts.subjects import RETAILER
from infra.agreements import Agreements
from infra.audit import audit_row, write_audit
from infra.mongo import Session
from infra.outbox import outgoing, rows_of

Change = Callable[[Agreement], Agreement]
"""Pure, as it may be tried several times. May raise Refusal."""
Told = tuple[str, BaseModel]
"""Which type of event, and what it says."""


class NoAgreement(LookupError):
    """There is no agreement with this id."""


async def change(agreements: Agreements, step: Step, work: Change, by: tuple[str, str] | None = None) -> Agreement:
    """Carry a step out once. `by`: who wanted it and what, for the audit. Raises NoAgreement, and what `work` does."""

    mongo = agreements.mongo

    async def carry_out(session: Session) -> Agreement:
        before = await agreements.find(step.agreement, session)
        if before is None:
            raise NoAgreement(step.agreement)
        if before.step >= step.number:
            return before
        after = work(before).model_copy(update={"step": step.number})
        await agreements.replace(after, session)
        events = told(before, after)
        if events:
            rows = [
                outgoing(
                    RETAILER,
                    f"{after.id}:{step.number}:{number}",
                    kind,
                    after.id,
                    step.now,
                    data.model_dump(mode="json", exclude_none=True),
                )
                for number, (kind, data) in enumerate(events)
            ]
            await mongo.outbox.insert_many(rows_of(rows, step.now), session=session)
        if by is not None:
            key = f"{after.id}:{step.number}"
            row = audit_row(after.application, key, by[0], by[1], step.now, what=after.id)
            await write_audit(mongo, [row], session)
        return after

    return await mongo.transaction(carry_out)


def told(before: Agreement, after: Agreement) -> Sequence[Told]:
    """What the retailer's systems hear of a step. Pure."""
    who = {"agreement": after.id, "application": after.application}
    if before.state != after.state:
        if after.state == "signed":
            return [("agreement.signed.v1", _signed(after))]
        if after.state in ("declined", "expired", "cancelled"):
            outcome: Outcome = after.state
            ended = AgreementEnded(**who, outcome=outcome, declined_by=after.declined_by)
            return [(f"agreement.{outcome}.v1", ended)]
        if after.state == "doubtful" and after.evidence is not None:
            return [("agreement.doubtful.v1", AgreementDoubtful(**who, findings=after.evidence.findings))]
    asked = _asked(before, after)
    return [("agreement.sent.v1", asked)] if asked is not None else []


def _signed(agreement: Agreement) -> AgreementSigned:
    return AgreementSigned.model_validate(
        agreement.model_dump() | {"agreement": agreement.id, "kind": agreement.terms.kind}
    )


def _asked(before: Agreement, after: Agreement) -> AgreementSent | None:
    """Who got a link, or was reminded of one; None when nobody was."""
    sends = {signer.id: signer.sends for signer in before.signers}
    asked = [signer for signer in after.signers if signer.way == "link" and signer.sends > sends.get(signer.id, 0)]
    again = any(signer.sends > 1 for signer in asked)
    if not asked and after.reminders > before.reminders:
        asked, again = [signer for signer in after.signers if signer.state in ASKED], True
    if not asked or after.expires_at is None:
        return None
    return AgreementSent(
        agreement=after.id,
        application=after.application,
        signers=[SignerTold(id=s.id, role=s.role, state=s.state) for s in after.signers],
        asked=[signer.id for signer in asked],
        again=again,
        expires_at=after.expires_at,
    )
