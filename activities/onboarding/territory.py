"""Whether a wanted territory is in the way of a partner's: one of them exclusive, beginnings that overlap, the same
kind and a category in common. Pure."""

from collections.abc import Iterable, Sequence

from activities.onboarding.case import Case
from contracts.applications import Check, Evidence
from contracts.partnership import PartnerRecord

_ITEM = "territory"


def overlap(one: Iterable[str], other: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of beginnings of division codes of which one begins the other. An empty one is everywhere."""
    others = list(other)
    return [(mine, theirs) for mine in one for theirs in others if mine.startswith(theirs) or theirs.startswith(mine)]


def conflicts(
    kind: str, prefixes: Sequence[str], exclusive: bool, categories: Iterable[str], partners: Iterable[PartnerRecord]
) -> list[tuple[PartnerRecord, list[tuple[str, str]]]]:
    """The partners that are in the way, with the overlaps. Those that are terminated never are."""
    wanted = set(categories)
    found = []
    for partner in partners:
        if partner.kind != kind or partner.state == "terminated" or not (exclusive or partner.exclusive):
            continue
        pairs = overlap(prefixes, partner.territory) if wanted & set(partner.categories) else []
        if pairs:
            found.append((partner, pairs))
    return found


def in_the_way(kind: str, prefixes: Sequence[str], exclusive: bool, categories: Iterable[str]) -> dict[str, object]:
    """A filter for the partners among which `conflicts` finds those that are: of the same kind, in life, with a
    category in common, one of both exclusive, whose territory begins one of these, or begins with one."""
    alike: dict[str, object] = {
        "kind": kind,
        "categories": {"$in": sorted(categories)},
        "state": {"$ne": "terminated"},
    }
    if not exclusive:
        alike["exclusive"] = True
    if "" in prefixes:
        return alike
    shorter = sorted({prefix[:length] for prefix in prefixes for length in range(len(prefix) + 1)})
    longer = [{"territory": {"$gte": prefix, "$lt": prefix + "\uffff"}} for prefix in prefixes]
    return {**alike, "$or": [{"territory": {"$in": shorter}}, *longer]}


def check_territory(case: Case) -> list[Check]:
    """A conflict with an exclusive partner is a failure; one that only the applicant's wish to be exclusive makes is a
    doubt, because people may grant the territory without it."""
    wanted = case.application.fields.territory
    if wanted is None or not case.asks(_ITEM):
        return []
    application = case.application
    found = conflicts(application.kind, wanted.prefixes, wanted.exclusive, application.categories, case.others.near)
    evidence = [
        Evidence(source=f"partner:{partner.id}", value=f"{theirs or '*'} ~ {mine or '*'}")
        for partner, pairs in found
        for mine, theirs in pairs[:5]
    ]
    asked = Evidence(
        source="fields.territory.prefixes", value=", ".join(prefix or "*" for prefix in wanted.prefixes)[:1000]
    )
    if any(partner.exclusive for partner, _ in found):
        zh, en = "该区域已独家授予其他合作伙伴。", "Another partner has this territory exclusively."
        return [case.found("territory", _ITEM, "failed", "exclusive_to_other", zh, en, asked, *evidence)]
    if found:
        zh, en = "申请独家，但该区域已有合作伙伴。", "It wants to be exclusive where there is a partner already."
        return [case.found("territory", _ITEM, "doubtful", "not_free_for_exclusive", zh, en, asked, *evidence)]
    zh, en = "与现有合作伙伴的区域没有冲突。", "No partner's territory is in the way."
    return [case.found("territory", _ITEM, "passed", "ok", zh, en, asked)]
