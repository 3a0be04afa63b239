"""Puts a kept decision the way it is read: winner, runner-up and by how much, verdicts, reasons. Pure."""

from collections.abc import Sequence

from contracts.explanations import Judged, Near, Part, Reason, RunnerUp, VerdictKind, Why, Winner
from contracts.refusals import Refusal
from contracts.routing import Candidate, Decision, Terms

_NAMED = 5
"""Locations named for each reason."""


def number_of(order: str, decisions: Sequence[Decision], asked: int | None) -> int:
    """The number of a decision, counted from 1; the newest when none was asked for. Raises Refusal for none."""
    if not decisions:
        remedy = "Ask again once it was routed: an order waits for its payment first."
        raise Refusal("not_routed", f"The order {order} was not routed yet.", remedy=remedy, field="id", status=404)
    chosen = len(decisions) if asked is None else asked
    if not 1 <= chosen <= len(decisions):
        detail = f"The order {order} has no decision {chosen}."
        remedy = f"Ask for one from 1 to {len(decisions)}."
        raise Refusal("unknown_decision", detail, remedy=remedy, field="decision", status=404)
    return chosen


def why_of(
    order: str, currency: str, decisions: Sequence[Decision], number: int | None = None, near: Sequence[Near] = ()
) -> Why:
    """`near`: locations near the customer that were ruled out, reckoned anew. Raises Refusal for no such decision."""
    chosen = number_of(order, decisions, number)
    decision = decisions[chosen - 1]
    winner = _winner(decision)
    return Why(
        order=order,
        currency=currency,
        decision=chosen,
        decisions=len(decisions),
        winner=winner,
        runner_up=_runner_up(decision, winner),
        candidates=[_judged(candidate, decision) for candidate in decision.candidates],
        ruled_out=_reasons(decision, near),
        **decision.model_dump(include=_AS_KEPT),
    )


_AS_KEPT = set(Why.model_fields) & set(Decision.model_fields) - {"runner_up", "candidates", "ruled_out"}


def total_of(terms: Terms | None) -> float | None:
    return None if terms is None else round(terms.total, 2)


def _winner(decision: Decision) -> Winner | None:
    if not decision.allocations:
        return None
    parts = [Part.model_validate(allocation.model_dump()) for allocation in decision.allocations]
    return Winner(parts=parts, terms=decision.terms, total=total_of(decision.terms))


def _runner_up(decision: Decision, winner: Winner | None) -> RunnerUp | None:
    """As it was kept; where only single locations were weighed, the next of the candidates that could ship all."""
    if decision.runner_up:
        locations, total = decision.runner_up, decision.runner_up_total
    else:
        others = [one for one in decision.candidates if one.ships_all and not one.chosen]
        if winner is None or decision.outcome != "single" or not others:
            return None
        next_best = min(others, key=_rank)
        locations, total = [next_best.location], total_of(next_best.terms)
    by = None if winner is None or winner.total is None or total is None else round(total - winner.total, 2)
    return RunnerUp(locations=locations, total=total, by=by)


def _rank(candidate: Candidate) -> tuple[float, float, str]:
    total, distance = total_of(candidate.terms), candidate.distance_km
    far = float("inf")
    return (far if total is None else total, far if distance is None else distance, candidate.location)


def _judged(candidate: Candidate, decision: Decision) -> Judged:
    verdict: VerdictKind = "could_ship_all" if candidate.ships_all else "could_ship_some"
    if candidate.chosen or candidate.location in {part.location for part in decision.allocations}:
        verdict = "chosen"
    return Judged(
        location=candidate.location,
        distance_km=candidate.distance_km,
        verdict=verdict,
        terms=candidate.terms,
        total=total_of(candidate.terms),
        service=candidate.service,
    )


def _reasons(decision: Decision, near: Sequence[Near]) -> list[Reason]:
    """The most frequent first."""
    ordered = sorted(decision.ruled_out.items(), key=lambda one: (-one[1], one[0]))
    return [
        Reason(reason=reason, count=count, nearest=[one for one in near if one.reason == reason][:_NAMED])
        for reason, count in ordered
    ]
