"""Whether licences cover the categories that are applied for: words of each category, as data, in the licence's scope.

Pure. What a scope excludes (不含……, 除……外) does not cover.
"""

import re
from collections.abc import Iterable

from activities.onboarding.case import Case
from activities.onboarding.names import normalised
from contracts.applications import Check, Evidence
from contracts.requirements import CategoryWords, Item, categories

_EXCLUDED = re.compile(
    r"\((?:不含|不包括|不得|除)[^()]*\)|(?:不含|不包括|不得经营|不得从事)[^;。,()]*|除[^;。,()]*(?:以外|之外|外)"
)


def check_scope(case: Case) -> list[Check]:
    """One result for each licence that says its scope."""
    return [
        _covered(case, item, wanted)
        for item in case.asked
        if item.covers is not None and case.facts(item.id).scope is not None
        for wanted in [words_wanted(item, case.application.categories)]
        if wanted
    ]


def words_wanted(item: Item, applied_for: Iterable[str]) -> dict[str, list[str]]:
    """Words by category, of which the item's scope must name one each. An unknown category has its own id as word."""
    known = [categories().get(one) or _unknown(one) for one in applied_for]
    if item.covers == "business":
        return {one.id: one.scope for one in known}
    return {one.id: one.licences[item.id] for one in known if item.id in one.licences}


def _unknown(category: str) -> CategoryWords:
    return CategoryWords.model_validate(
        {"id": category, "title": {"zh": category, "en": category}, "scope": [category]}
    )


def word_found(scope: str, words: Iterable[str]) -> tuple[str | None, bool]:
    """The first of the words that the scope covers, and whether one of them is excluded."""
    text = normalised(scope)
    covered = _EXCLUDED.sub("", text)
    wanted = [normalised(word) for word in words]
    return next((word for word in wanted if word in covered), None), any(word in text for word in wanted)


def _covered(case: Case, item: Item, wanted: dict[str, list[str]]) -> Check:
    scope = case.facts(item.id).scope or ""
    evidence = [case.fact(item.id, "scope")]
    lacking: list[str] = []
    excluded: list[str] = []
    for category, words in wanted.items():
        word, named = word_found(scope, words)
        evidence.append(Evidence(source=f"categories.{category}", value=word or " / ".join(words)))
        if word is None:
            (excluded if named else lacking).append(category)
    if not lacking and not excluded:
        zh, en = "经营范围包含所申请的全部类目。", "Its scope covers all categories that are applied for."
        return case.found("scope", item.id, "passed", "ok", zh, en, *evidence)
    code = "scope_lacks_category" if lacking else "scope_excludes_category"
    zh = f"经营范围未包含：{'、'.join(_title(category)[0] for category in lacking + excluded)}。"
    en = f"Its scope does not cover {', '.join(_title(category)[1] for category in lacking + excluded)}."
    return case.found("scope", item.id, "failed", code, zh, en, *evidence)


def _title(category: str) -> tuple[str, str]:
    known = categories().get(category)
    return (known.title.zh, known.title.en) if known else (category, category)
