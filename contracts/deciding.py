"""What may be done with an application as it stands, and how it stands then. Pure."""

from typing import Literal

from contracts.onboarding import (
    EDITABLE,
    ENDED,
    Command,
    Decide,
    Doing,
    Move,
    ReviewItem,
    Stage,
    Standing,
    doing,
    partner_of,
)
from contracts.refusals import Refusal

MOVES: dict[Stage, frozenset[Stage]] = {
    "draft": frozenset({"expired"}),
    "revision": frozenset({"expired"}),
    "bank": frozenset({"expired"}),
    "agreement": frozenset({"agreement", "provisioning", "review"}),
    "provisioning": frozenset({"testing", "review"}),
    "testing": frozenset({"active", "expired"}),
}
"""Where the process goes by itself: by a time that is over, a signature, a partner that was made or could not be."""

_STAGES: dict[Doing, frozenset[Stage]] = {
    "submit": EDITABLE,
    "withdraw": frozenset({"draft", "revision", "checking", "bank", "review", "agreement", "testing"}),
    "confirm_deposit": frozenset({"bank"}),
    "review": frozenset({"review"}),
    "decide": frozenset({"review", "testing"}),
}
_REMEDIES: dict[Doing, str] = {
    "submit": "Look at the application to see what it waits for.",
    "withdraw": "Wait until the partner is made; or, once it is active, terminate it.",
    "confirm_deposit": "Confirm the deposit after it was announced, and once.",
    "review": "Decide about items while the application is in review.",
    "decide": "Decide while the application is in review.",
}


def refuse(standing: Standing, command: Command) -> None:
    """Raises Refusal when an application that stands so cannot take the command; it then changes nothing.

    What the applicant must have supplied to submit is looked at where it is written: it changes without the workflow.
    """
    what = doing(command)
    if standing.stage in ENDED:
        raise Refusal(
            "application_over",
            f"The application is {standing.stage} already.",
            remedy="Commands to an active partner go to /v1/partners; otherwise apply anew.",
            status=409,
        )
    if standing.stage not in _STAGES[what]:
        raise Refusal(
            "not_at_this_stage",
            f"The application is at the stage {standing.stage}; this cannot be done there.",
            remedy=_REMEDIES[what],
            status=409,
            stage=standing.stage,
        )
    if command.review is not None:
        _refuse_review(standing, command.review)
    if command.decide is not None:
        _refuse_decision(standing, command.decide, command.by)


def _refuse_review(standing: Standing, asked: ReviewItem) -> None:
    item = standing.item(asked.item)
    if item is None:
        raise Refusal(
            "unknown_item",
            f"The application has no item {asked.item}.",
            remedy=f"Send one of {', '.join(one.item for one in standing.items)}.",
            field="item",
        )
    if asked.decision != "accept" and asked.comment is None:
        raise Refusal(
            "comment_missing",
            f"To {asked.decision} an item needs words that say why.",
            remedy="Send comment; the applicant reads it." if asked.decision == "return" else "Send comment.",
            field="comment",
        )
    if asked.decision == "accept" and item.state == "missing":
        raise Refusal(
            "item_missing",
            f"{item.item} was not supplied.",
            remedy="Return it with a comment, or waive it with a reason.",
            field="decision",
            status=409,
        )
    if asked.decision == "accept" and item.verdict == "failed":
        raise Refusal(
            "check_failed",
            f"A check of {item.item} failed; it cannot be accepted as it is.",
            remedy="Return it with a comment." if item.must_pass else "Return it, or waive it with a reason.",
            field="decision",
            status=409,
        )
    if asked.decision == "waive" and item.must_pass:
        raise Refusal(
            "must_not_be_waived",
            f"A check of {item.item} failed that nobody may waive.",
            remedy="Return the item with a comment, or reject the application.",
            field="decision",
            status=409,
        )


def _refuse_decision(standing: Standing, asked: Decide, by: str) -> None:
    if standing.stage == "testing" and asked.decision != "reject":
        raise Refusal(
            "not_at_this_stage",
            "The application was approved; its partner's test is waited for.",
            remedy="Wait for the test, or reject the application, which undoes what was made.",
            field="decision",
            status=409,
            stage=standing.stage,
        )
    if asked.decision == "reject" and asked.reason is None:
        raise Refusal(
            "reason_missing", "To reject needs a reason.", remedy="Send reason; the applicant reads it.", field="reason"
        )
    if asked.decision == "return" and not standing.returned:
        raise Refusal(
            "nothing_returned",
            "No item was returned, so that the applicant would not know what to correct.",
            remedy="Return an item with a comment first, or reject the application.",
            field="decision",
            status=409,
        )
    if asked.decision == "approve":
        _refuse_approval(standing, by)


def _refuse_approval(standing: Standing, by: str) -> None:
    if standing.undecided:
        raise Refusal(
            "items_undecided",
            f"These items are neither accepted nor waived: {', '.join(standing.undecided[:20])}.",
            remedy="Accept or waive each; or decide `return` where one was returned.",
            field="decision",
            status=409,
        )
    if by in standing.approved_by:
        raise Refusal(
            "same_reviewer",
            f"{by} has approved it already; its risk asks for {standing.reviewers_needed} different reviewers.",
            remedy="Let somebody else approve it.",
            status=409,
        )


def reviewed(standing: Standing, asked: ReviewItem, by: str) -> Standing:
    """After a decision about one item. What was approved before is to be approved again."""
    states: dict[str, Literal["accepted", "returned", "waived"]] = {
        "accept": "accepted",
        "return": "returned",
        "waive": "waived",
    }
    changed = {"state": states[asked.decision], "comment": asked.comment, "by": by}
    items = [one.model_copy(update=changed) if one.item == asked.item else one for one in standing.items]
    return standing.model_copy(update={"items": items, "approved_by": []})


def decided(standing: Standing, asked: Decide, by: str) -> Standing:
    """After a decision about the whole. An application whose agreement is signed goes on where it was."""
    if asked.decision == "reject":
        ended = {"stage": "rejected", "reasons": ["rejected_by_reviewer"], "comment": asked.reason, "turn": None}
        return standing.model_copy(update=ended)
    if asked.decision == "return":
        change = {"stage": "revision", "reasons": ["items_returned"], "approved_by": [], "turn": None}
        return standing.model_copy(update=change)
    approved = [*standing.approved_by, by]
    if len(approved) < standing.reviewers_needed:
        return standing.model_copy(update={"approved_by": approved, "turn": None})
    change = {"approved_by": approved, "reasons": [], "turn": None}
    if standing.signed:
        return standing.model_copy(update={**change, "stage": "provisioning"})
    return standing.model_copy(update={**change, "stage": "agreement", "agreement": None})


def submitted(standing: Standing) -> Standing:
    """What was accepted stays so, until the checks or the applicant change it."""
    change = {"stage": "checking", "revision": standing.revision + 1, "reasons": [], "turn": None}
    return standing.model_copy(update={**change, "approved_by": []})


def withdrawn(standing: Standing) -> Standing:
    return standing.model_copy(update={"stage": "withdrawn", "reasons": ["withdrawn_by_applicant"], "turn": None})


def moved(standing: Standing, move: Move) -> Standing:
    """On by itself. Raises ValueError where there is no such way: the workflow and the document do not agree."""
    if move.to not in MOVES.get(standing.stage, frozenset()):
        raise ValueError(f"{standing.application} cannot go from {standing.stage} to {move.to}")
    drafted = move.agreement is not None and move.agreement != standing.agreement
    change = {
        "stage": move.to,
        "reasons": move.reasons,
        "turn": None,
        "agreement": move.agreement or standing.agreement,
        "agreements": standing.agreements + drafted,
        "signed": standing.signed or move.signed,
        "agreement_until": move.agreement_until or standing.agreement_until,
        "partner": partner_of(standing.application) if move.to == "testing" else standing.partner,
        "approved_by": [] if move.to == "review" else standing.approved_by,
    }
    return standing.model_copy(update=change)
