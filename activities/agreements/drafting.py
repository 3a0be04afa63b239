"""Makes an agreement from an application: its terms, its signers, its PDF with a pinned sum."""

import asyncio
import hashlib
from collections.abc import Mapping

import orjson

from activities.agreements.document import pdf_of
from activities.agreements.templates import Template, digest_of, template_for
from contracts.agreement_record import Agreement, Content, Party, Signer, Terms
from contracts.agreements import Draft, Role, Sign, SignerId, agreement_id
from contracts.applications import Application, Signatory
from contracts.base import Document
from contracts.divisions import exists, name_of
from contracts.requirements import categories
from infra.agreements import Agreements
from infra.files import keep
from infra.mongo import DuplicateKeyError

RETAILER_SIGNER = "retailer"


class NotReady(Exception):
    """The application, or the agreement that is to be renewed, lacks what an agreement must say."""


async def draft(agreements: Agreements, application: Application, asked: Draft, retailer: Party) -> Agreement:
    """Once for an application and number: what is there already is left as it is. Raises NotReady."""
    known = await agreements.find(agreement_id(application.id, asked.number))
    if known is not None:
        return known
    before = await agreements.find(asked.renews) if asked.renews is not None else None
    if asked.renews is not None and (before is None or before.effective_until is None):
        raise NotReady(f"the agreement {asked.renews} is not signed, so it cannot be renewed")
    template = template_for(application.kind)
    terms = terms_of(application, template, asked, before)
    signers = signers_of(application, asked, retailer)
    content = content_of(agreement_id(application.id, asked.number), template, terms, application, signers, retailer)
    pdf = await asyncio.to_thread(pdf_of, content)
    made = Agreement(
        id=content.agreement,
        application=application.id,
        number=asked.number,
        template=template.pinned,
        template_digest=digest_of(template),
        terms=terms,
        terms_digest=sum_of(terms),
        retailer=retailer,
        partner=content.partner,
        digest=await keep(agreements.mongo, pdf),
        size=len(pdf),
        signers=signers,
        sequence=asked.sequence,
        created_at=asked.now,
    )
    try:
        await agreements.insert(made)
    except DuplicateKeyError:
        # Somebody was faster; what is there counts, whatever it says.
        first = await agreements.find(made.id)
        if first is None:
            raise
        return first
    return made


def sign_of(agreement: Agreement, asked: Draft) -> Sign:
    """Input of the workflow that has it signed. Pure."""
    return Sign(
        agreement=agreement.id,
        application=agreement.application,
        kind=agreement.terms.kind,
        template=agreement.template,
        terms_digest=agreement.terms_digest,
        digest=agreement.digest,
        signers=[SignerId.model_validate(signer.model_dump()) for signer in agreement.signers],
        sequence=agreement.sequence,
        expires_s=asked.expires_s,
        remind_after_s=asked.remind_after_s,
    )


def terms_of(application: Application, template: Template, asked: Draft, before: Agreement | None) -> Terms:
    """What the application wants, what is offered, else what the template says; a renewal goes on as before, save for
    what is offered anew. Pure."""
    offered, usual = asked.offered, template.defaults
    wanted = application.fields.territory
    if before is not None:
        kept = before.terms
        terms = kept.model_copy(update={"begins": before.effective_until, "renews": before.id})
    else:
        terms = Terms(
            kind=application.kind,
            territory=wanted.prefixes if wanted else [],
            exclusive=wanted.exclusive if wanted else False,
            categories=sorted(application.categories),
            commission_bp=usual.commission_bp,
            price_list=usual.price_list,
            term_months=usual.term_months,
            notice_days=usual.notice_days,
        )
    return terms.model_copy(update=offered.model_dump(exclude_none=True))


def signers_of(application: Application, asked: Draft, retailer: Party) -> list[Signer]:
    """The partner's signatories in their order, or all at once, then the retailer. Pure. Raises NotReady."""
    company = application.fields.company
    if company is None:
        raise NotReady(f"{application.id} does not say which company applies")
    people = application.fields.signatories or _legal_representative(application)
    if not people:
        raise NotReady(f"{application.id} does not say who signs")
    signers = [
        Signer(
            id=f"partner-{number}",
            role=_role(number),
            order=number if asked.sequence == "sequential" else 1,
            name=person.name,
            organisation=company.name,
            email=person.email,
            phone=person.phone,
        )
        for number, person in enumerate(people, 1)
    ]
    last = max(signer.order for signer in signers) + 1
    countersigner = Signer(
        id=RETAILER_SIGNER,
        role="retailer",
        order=last,
        way=asked.countersign,
        name=retailer.represented_by,
        organisation=retailer.name,
    )
    return [*signers, countersigner]


def _role(number: int) -> Role:
    return "legal_representative" if number == 1 else "second"


def _legal_representative(application: Application) -> list[Signatory]:
    company, contact = application.fields.company, application.fields.contact
    if company is None or contact is None:
        return []
    return [Signatory(name=company.legal_representative, email=contact.email, phone=contact.phone)]


def content_of(
    agreement: str,
    template: Template,
    terms: Terms,
    application: Application,
    signers: list[Signer],
    retailer: Party,
) -> Content:
    """What the PDF shows. Pure. Raises NotReady."""
    company = application.fields.company
    if company is None:
        raise NotReady(f"{application.id} does not say which company applies")
    return Content(
        agreement=agreement,
        template=template.pinned,
        retailer=retailer,
        partner=Party(
            name=company.name,
            credit_code=company.credit_code,
            address=company.address,
            represented_by=company.legal_representative,
        ),
        terms=terms,
        areas=[_area(prefix) for prefix in terms.territory],
        categories=[_category(category) for category in terms.categories],
        signers=[(signer.role, signer.name) for signer in signers],
    )


def sum_of(terms: Document) -> str:
    """SHA-256 of the terms as JSON with sorted keys, hex."""
    shown: Mapping[str, object] = terms.model_dump(mode="json")
    return hashlib.sha256(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _area(prefix: str) -> str:
    """A division by its name and code."""
    if not prefix:
        return "全部地区 everywhere"
    whole = prefix if exists(prefix) else prefix.ljust(6, "0")
    return f"{name_of(whole)} ({prefix})" if exists(whole) else prefix


def _category(category: str) -> str:
    known = categories().get(category)
    return f"{known.title.zh} {known.title.en}" if known else category
