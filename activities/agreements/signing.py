"""The activities that have an agreement signed. Each may be repeated at any time: what was done is found done.

The provider is asked first, under keys that only the agreement's state decides; then the step is written. A crash in
between asks the provider again, which answers alike.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.agreements import envelope
from activities.agreements.changing import NoAgreement, change
from activities.agreements.drafting import NotReady, draft, sign_of
from activities.agreements.templates import UnknownTemplate
from activities.heartbeat import heartbeats
from contracts.agreement_record import Agreement, Evidence, Party, Signer, standing_of
from contracts.agreements import (
    ASKED,
    CARRY_OUT,
    DRAFT,
    EXPIRE,
    LOOK,
    REMIND,
    SEND,
    STAND,
    STORE,
    CarryOut,
    Draft,
    Remind,
    Send,
    Sign,
    SignerStanding,
    Standing,
    Step,
    refuse,
)
from contracts.applications import Application
from contracts.failures import failure_of
from contracts.refusals import Refusal
from contracts.signatures import EnvelopeSigner, Link, LinkAsked
from infra.agreements import Agreements
from infra.files import fetch, keep
from infra.signatures import AlreadyAnswered, SignaturePort

ReadApplication = Callable[[str], Awaitable[Application | None]]


class AgreementActivities:
    """`roots`: PEM file with the certificates that signatures must lead to."""

    def __init__(
        self,
        agreements: Agreements,
        port: SignaturePort,
        retailer: Party,
        roots: Path | None,
        read_application: ReadApplication,
    ) -> None:
        self._agreements = agreements
        self._mongo = agreements.mongo
        self._port = port
        self._retailer = retailer
        self._roots = roots
        self._read_application = read_application

    @activity.defn(name=DRAFT)
    async def draft(self, asked: Draft) -> Sign:
        """The document, made once, with its sum."""
        application = await self._read_application(asked.application)
        if application is None:
            raise ApplicationError(f"there is no application {asked.application}", non_retryable=True)
        try:
            async with heartbeats():
                return sign_of(await draft(self._agreements, application, asked, self._retailer), asked)
        except (NotReady, UnknownTemplate) as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error

    @activity.defn(name=STAND)
    async def stand(self, agreement: str) -> Standing:
        """How it stands, for a workflow that begins or has been told that it is wrong."""
        return standing_of(await self._known(agreement))

    @activity.defn(name=SEND)
    async def send(self, step: Send) -> Standing:
        """Ask those whose turn it is: by a link, or for their seal."""
        async with heartbeats():
            agreement = await self._known(step.agreement)
            if agreement.step >= step.number:
                return standing_of(agreement)
            if agreement.state == "drafted":
                await self._create(agreement)
            expires_at = agreement.expires_at or step.now + timedelta(seconds=step.expires_s)
            turn = standing_of(agreement).turn
            links = [await self._link(agreement, signer, expires_at) for signer in turn if signer.way == "link"]
            seals = [await self._seal(agreement, signer) for signer in turn if signer.way == "seal"]
            view = await self._port.view(agreement.id)

            def work(known: Agreement) -> Agreement:
                asked = envelope.begun(known, step.now, expires_at)
                for link in links:
                    asked = envelope.sent(asked, link, step.now, expires_at) if link is not None else asked
                for seal in seals:
                    asked = envelope.sealing(asked, seal)
                return envelope.observed(asked, view, step.now)

            return await self._write(step, work)

    @activity.defn(name=LOOK)
    async def look(self, step: Step) -> Standing:
        """Take in what the provider says."""
        async with heartbeats():
            view = await self._port.view(step.agreement)
            return await self._write(step, lambda known: envelope.observed(known, view, step.now))

    @activity.defn(name=REMIND)
    async def remind(self, step: Remind) -> Standing:
        """Tell those who were asked once more, unless they have answered meanwhile."""
        async with heartbeats():
            view = await self._port.view(step.agreement)
            agreement = envelope.observed(await self._known(step.agreement), view, step.now)
            if agreement.step < step.number and agreement.state == "out":
                for signer in agreement.signers:
                    if signer.state in ASKED and signer.way == "link":
                        await self._remind(agreement, signer, step.reminder)

            def work(known: Agreement) -> Agreement:
                seen = envelope.observed(known, view, step.now)
                return envelope.reminded(seen, step.now) if seen.state == "out" else seen

            return await self._write(step, work)

    @activity.defn(name=EXPIRE)
    async def expire(self, step: Step) -> Standing:
        """Close the envelope. Who has signed or declined in the last moment has done so."""
        async with heartbeats():
            view = await self._port.void(step.agreement, "expired")

            def work(known: Agreement) -> Agreement:
                seen = envelope.observed(known, view, step.now, ours=True) if view else known
                return envelope.expired(seen, step.now)

            return await self._write(step, work)

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        try:
            async with heartbeats():
                if step.command.resend is not None:
                    return await self._resend(step, step.command.resend.signer)
                if step.command.cancel is not None:
                    return await self._cancel(step, step.command.cancel.reason)
        except Refusal as refusal:
            raise failure_of(refusal) from refusal
        raise ApplicationError("a command without anything to do", non_retryable=True)

    @activity.defn(name=STORE)
    async def store(self, step: Step) -> Standing:
        """Fetch the signed file, look it over, and keep it with the evidence. A bad one is kept too, as doubtful."""
        agreement = await self._known(step.agreement)
        if agreement.step >= step.number:
            return standing_of(agreement)
        async with heartbeats():
            pdf = await self._port.document(agreement.id)
            evidence = await asyncio.to_thread(self._look_over, pdf, agreement, step.now)
            await keep(self._mongo, pdf)
            return await self._write(step, lambda known: envelope.verified(known, evidence, step.now))

    async def _known(self, agreement: str) -> Agreement:
        known = await self._agreements.find(agreement)
        if known is None:
            raise ApplicationError(f"there is no agreement {agreement}", non_retryable=True)
        return known

    async def _write(
        self, step: Step, work: Callable[[Agreement], Agreement], by: tuple[str, str] | None = None
    ) -> Standing:
        try:
            return standing_of(await change(self._agreements, step, work, by))
        except NoAgreement as error:
            raise ApplicationError(f"there is no agreement {step.agreement}", non_retryable=True) from error

    async def _create(self, agreement: Agreement) -> None:
        pdf = await fetch(self._mongo, agreement.digest)
        if pdf is None:
            raise LookupError(f"the document of {agreement.id} is not there")
        title = f"{agreement.retailer.name} - {agreement.partner.name} {agreement.id}"
        signers = [EnvelopeSigner.model_validate(signer.model_dump()) for signer in agreement.signers]
        await self._port.create(agreement.id, title, pdf, signers)

    async def _link(self, agreement: Agreement, signer: SignerStanding, expires_at: datetime) -> Link | None:
        """None for a signer that has answered already: the look that follows says what."""
        key = f"{agreement.id}:{signer.id}:{signer.sends + 1}"
        try:
            return await self._port.link(agreement.id, LinkAsked(signer=signer.id, expires_at=expires_at), key)
        except AlreadyAnswered:
            return None

    async def _seal(self, agreement: Agreement, signer: SignerStanding) -> str:
        try:
            await self._port.seal(agreement.id, signer.id, f"{agreement.id}:{signer.id}:{signer.sends + 1}")
        except AlreadyAnswered:
            pass  # It is there already, or the envelope is closed: the look that follows says so.
        return signer.id

    async def _remind(self, agreement: Agreement, signer: Signer, reminder: int) -> None:
        try:
            await self._port.remind(agreement.id, signer.id, f"{agreement.id}:{signer.id}:reminder:{reminder}")
        except AlreadyAnswered:
            pass  # It needs no reminder.

    async def _resend(self, step: CarryOut, name: str) -> Standing:
        view = await self._port.view(step.agreement)
        agreement = await self._known(step.agreement)
        if agreement.step >= step.number:
            return standing_of(agreement)
        seen = envelope.observed(agreement, view, step.now)
        refuse(standing_of(seen), step.command)
        signer, expires_at = seen.signer(name), seen.expires_at
        assert expires_at is not None
        key = f"{agreement.id}:{name}:{signer.sends + 1}"
        link = await self._port.link(agreement.id, LinkAsked(signer=name, expires_at=expires_at), key)

        def work(known: Agreement) -> Agreement:
            return envelope.sent(envelope.observed(known, view, step.now), link, step.now, expires_at)

        return await self._write(step, work, (step.command.by, f"resent_agreement:{name}"))

    async def _cancel(self, step: CarryOut, reason: str) -> Standing:
        agreement = await self._known(step.agreement)
        if agreement.step >= step.number:
            return standing_of(agreement)
        refuse(standing_of(agreement), step.command)
        view = None if agreement.state == "doubtful" else await self._port.void(step.agreement, "cancelled")

        def work(known: Agreement) -> Agreement:
            seen = envelope.observed(known, view, step.now, ours=True) if view else known
            refuse(standing_of(seen), step.command)
            return envelope.cancelled(seen, step.command.by, reason, step.now)

        return await self._write(step, work, (step.command.by, "cancelled_agreement"))

    def _look_over(self, pdf: bytes, agreement: Agreement, now: datetime) -> Evidence:
        """In a thread. Raises NoRoots."""
        # Here and not above: what reads signatures takes a third of a second to load, and files are few.
        from activities.agreements.verifying import NoRoots, roots_of, verify

        if self._roots is None or not self._roots.exists():
            raise NoRoots("no root certificates are known; set TONGQU_SIGNATURE_ROOTS to a PEM file")
        roots = roots_of(self._roots.read_bytes())
        return verify(pdf, agreement.digest, agreement.size, agreement.signers, roots, now)


def activities_of(agreements: AgreementActivities) -> list[Callable[..., Any]]:
    return [
        agreements.draft,
        agreements.stand,
        agreements.send,
        agreements.look,
        agreements.remind,
        agreements.expire,
        agreements.carry_out,
        agreements.store,
    ]
