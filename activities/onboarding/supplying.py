"""What an applicant supplies, written into its application: forms, declarations, files and their facts. Pure.

Whatever is new is to be looked at again; what is sent again unchanged changes nothing, unless it was returned: then to
send it again is to say that it is right.
"""

from datetime import datetime
from typing import Any

from activities.onboarding import credit_code
from contracts.applications import (
    Application,
    Declared,
    Facts,
    FieldsSent,
    SuppliedDocument,
    SuppliedFile,
    standing_items,
)
from contracts.divisions import wrong_prefix
from contracts.onboarding import EDITABLE, is_reserved
from contracts.refusals import Refusal
from contracts.requirements import FORMS, Item, RequirementSet

FILES_BYTES_MAX = 200 * 1024 * 1024
"""Of all files that were ever supplied with one application; none is forgotten."""


def refuse_when_closed(application: Application) -> None:
    """Raises Refusal when it is not the applicant's turn."""
    if application.standing.stage not in EDITABLE:
        raise Refusal(
            "not_editable",
            f"The application is at the stage {application.standing.stage}; nothing can be supplied there.",
            remedy="Wait until it comes back to you, or withdraw it.",
            status=409,
        )


def with_fields(
    application: Application, requirements: RequirementSet, sent: FieldsSent, now: datetime
) -> tuple[Application, list[str]]:
    """With the forms and declarations that were sent, and the items that are new by it. Raises Refusal."""
    refuse_when_closed(application)
    asked = {item.id: item for item in requirements.asked_of(application.categories)}
    forms: dict[str, Any] = {name: getattr(sent, name) for name in FORMS if getattr(sent, name) is not None}
    for form in forms:
        _refuse_unasked(asked.get(form), form, form, "form")
    for place, name in enumerate(sent.declarations):
        _refuse_unasked(asked.get(name), name, f"declarations.{place}", "declaration")
    _refuse_wrong_forms(sent)
    returned = application.standing.returned
    changed = [name for name, form in forms.items() if name in returned or form != getattr(application.fields, name)]
    made = {
        name: Declared(item=name, requirements=requirements.pinned, at=now)
        for name in sent.declarations
        if name in returned or name not in application.declarations
    }
    update: dict[str, Any] = {
        "fields": application.fields.model_copy(update={name: forms[name] for name in changed}),
        "declarations": {**application.declarations, **made},
    }
    if sent.company is not None:
        update["credit_code"] = credit_code.normalised(sent.company.credit_code)
    return _touched(application.model_copy(update=update), requirements, [*changed, *made], now), [*changed, *made]


def with_file(
    application: Application, requirements: RequirementSet, item: str, file: SuppliedFile, now: datetime
) -> tuple[Application, list[str]]:
    """With a document's file; its facts stay until others are sent. Raises Refusal."""
    refuse_when_closed(application)
    refuse_no_document(application, requirements, item)
    known = application.documents.get(item) or SuppliedDocument()
    if known.file is not None and known.file.digest == file.digest:
        again = [item] if item in application.standing.returned else []
        return _touched(application, requirements, again, now), again
    if application.uploaded_bytes + file.size > FILES_BYTES_MAX:
        raise Refusal(
            "too_many_files",
            f"The application's files would be more than {FILES_BYTES_MAX} bytes together, with those replaced since.",
            remedy="Send smaller files, or begin a new application.",
            field="item",
            status=413,
        )
    documents = {**application.documents, item: known.model_copy(update={"file": file})}
    size = application.uploaded_bytes + file.size
    changed = application.model_copy(update={"documents": documents, "uploaded_bytes": size})
    return _touched(changed, requirements, [item], now), [item]


def with_facts(
    application: Application, requirements: RequirementSet, item: str, facts: Facts, now: datetime
) -> tuple[Application, list[str]]:
    """With what a document says. Raises Refusal."""
    refuse_when_closed(application)
    refuse_no_document(application, requirements, item)
    if facts.long_term and facts.valid_until is not None:
        raise Refusal(
            "two_ends",
            "It cannot be valid without end and until a day.",
            remedy="Send either long_term or valid_until.",
            field="valid_until",
        )
    known = application.documents.get(item) or SuppliedDocument()
    if known.facts == facts and item not in application.standing.returned:
        return application, []
    documents = {**application.documents, item: known.model_copy(update={"facts": facts})}
    return _touched(application.model_copy(update={"documents": documents}), requirements, [item], now), [item]


def refuse_no_document(application: Application, requirements: RequirementSet, item: str) -> None:
    """Raises Refusal when the application is not asked for such a document."""
    asked = {one.id: one for one in requirements.asked_of(application.categories) if one.kind == "document"}
    if item not in asked:
        raise Refusal(
            "unknown_document",
            f"The application is not asked for a document {item[:64]}.",
            remedy=f"Send one of {', '.join(asked)}.",
            field="item",
            status=404,
        )


def _refuse_unasked(item: Item | None, name: str, field: str, kind: str) -> None:
    if item is None or item.kind != kind:
        raise Refusal(
            f"{kind}_not_asked",
            f"The application is not asked for the {kind} {name[:64]}.",
            remedy="Leave it out; `items` of the application names what is asked.",
            field=field,
        )


def _refuse_wrong_forms(sent: FieldsSent) -> None:
    for place, prefix in enumerate(sent.territory.prefixes if sent.territory else []):
        wrong = wrong_prefix(prefix)
        if wrong is not None:
            detail, _, remedy = wrong.partition("; ")
            raise Refusal(
                "wrong_prefix",
                f"{detail[:1].upper()}{detail[1:]}.",
                remedy=f"{remedy[:1].upper()}{remedy[1:]}." if remedy else "Send the beginning of a division code.",
                field=f"territory.prefixes.{place}",
            )
    ids = [place.id for place in sent.places or [] if place.id is not None]
    for number, one in enumerate(sent.places or []):
        if one.id is not None and is_reserved(one.id):
            raise Refusal(
                "id_reserved",
                f"The id {one.id} is taken.",
                remedy="Choose another id, or leave it out: the place is given one.",
                field=f"places.{number}.id",
            )
        if one.id is not None and ids.count(one.id) > 1:
            detail = f"The id {one.id} is given to two places."
            raise Refusal("listed_twice", detail, remedy="Give each an id of its own.", field=f"places.{number}.id")


def _touched(application: Application, requirements: RequirementSet, items: list[str], now: datetime) -> Application:
    """The items stand as supplied, to be checked and decided anew; comments stay, so that reviewers see why."""
    if not items:
        return application
    anew = {"state": "supplied", "verdict": "not_checked", "must_pass": False, "by": None}
    standing = application.standing
    known = [one.model_copy(update=anew) if one.item in items else one for one in standing.items]
    half = application.model_copy(update={"standing": standing.model_copy(update={"items": known}), "updated_at": now})
    listed = standing_items(half, requirements)
    return half.model_copy(update={"standing": half.standing.model_copy(update={"items": listed})})
