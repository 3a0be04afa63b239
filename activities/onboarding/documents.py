"""What is checked of single documents: that they are there, valid long enough, their identity numbers right. Pure.

Resident identity numbers are by GB 11643-1999: division (1 to 6), day of birth (7 to 14), sequence, check character by
ISO 7064 MOD 11-2.
"""

from datetime import date

from activities.onboarding.case import Case
from contracts.applications import Check, Evidence, is_supplied
from contracts.onboarding import Verdict
from contracts.requirements import Item

_IDENTITY = "legal_representative_id"
_ADULT_YEARS = 18
_OLDEST_YEARS = 120


def check_completeness(case: Case) -> list[Check]:
    """One result for each item that must be there, and for each optional one that is."""
    found = []
    for item in case.asked:
        if is_supplied(case.application, case.requirements, item.id):
            zh, en = "已提供。", "It was supplied."
            found.append(case.found("completeness", item.id, "passed", "ok", zh, en, *_where(case, item)))
        elif not item.optional:
            zh, en = f"缺少：{item.title.zh}。", f"Missing: {item.title.en}."
            found.append(case.found("completeness", item.id, "failed", "missing", zh, en, *_where(case, item)))
    return found


def _where(case: Case, item: Item) -> list[Evidence]:
    if item.kind == "document":
        document = case.application.documents.get(item.id)
        digest = document.file.digest if document and document.file else None
        return [Evidence(source=f"documents.{item.id}", digest=digest)]
    if item.kind == "declaration":
        made = case.application.declarations.get(item.id)
        return [Evidence(source=f"declarations.{item.id}", value=made.at.isoformat() if made else None)]
    return [Evidence(source=f"fields.{item.id}")]


def check_validity(case: Case) -> list[Check]:
    """One result for each document that runs out and says when."""
    return [_validity(case, item) for item in case.asked if item.expires and _says_when(case, item.id)]


def _says_when(case: Case, item: str) -> bool:
    facts = case.facts(item)
    return facts.long_term or facts.valid_until is not None


def _validity(case: Case, item: Item) -> Check:
    facts = case.facts(item.id)
    evidence = [case.fact(item.id, "valid_from"), case.fact(item.id, "valid_until")]
    evidence.append(Evidence(source="today", value=case.today.isoformat()))
    begins = date.fromisoformat(facts.valid_from) if facts.valid_from else None
    if begins is not None and begins > case.today:
        zh, en = f"自 {begins} 起才有效。", f"It is valid from {begins} only."
        return case.found("validity", item.id, "failed", "not_valid_yet", zh, en, *evidence)
    if facts.valid_until is None:
        return case.found("validity", item.id, "passed", "no_end", "长期有效。", "It is valid without end.", *evidence)
    ends = date.fromisoformat(facts.valid_until)
    left = (ends - case.today).days
    if begins is not None and ends < begins:
        zh, en = "有效期的结束早于开始。", "It ends before it begins."
        return case.found("validity", item.id, "failed", "ends_before_it_begins", zh, en, *evidence)
    if left < 0:
        zh, en = f"已于 {ends} 到期。", f"It ran out on {ends}."
        return case.found("validity", item.id, "failed", "expired", zh, en, *evidence)
    if left < item.valid_days:
        zh = f"有效期只剩 {left} 天，至少需要 {item.valid_days} 天。"
        en = f"It is valid for {left} more days; {item.valid_days} are needed."
        return case.found("validity", item.id, "failed", "runs_out_soon", zh, en, *evidence)
    zh, en = f"有效期还有 {left} 天。", f"It is valid for {left} more days."
    return case.found("validity", item.id, "passed", "ok", zh, en, *evidence)


def check_identity(case: Case) -> list[Check]:
    """The number of the legal representative's identity card."""
    number = case.facts(_IDENTITY).number
    if number is None or not case.asks(_IDENTITY):
        return []
    code, zh, en = identity_fault(number, case.today) or ("ok", "身份证号码校验正确。", "The identity number is right.")
    verdict: Verdict = "passed" if code == "ok" else "doubtful" if code == "other_identity" else "failed"
    return [case.found("identity_number", _IDENTITY, verdict, code, zh, en, case.fact(_IDENTITY, "number"))]


def identity_fault(number: str, today: date) -> tuple[str, str, str] | None:
    """Code and words of what is wrong; None: nothing. Passports and permits of residence are for people to look at."""
    text = "".join(number.split()).upper()
    if len(text) != 18 or not (text[:17].isascii() and text[:17].isdecimal()):
        return (
            "other_identity",
            "不是居民身份证号码，请人工核对。",
            "This is no resident identity number; a person must look.",
        )
    if identity_check_character(text[:17]) != text[17]:
        zh, en = "身份证号码的校验码不正确。", "The check character of the identity number is not right."
        return "check_character_wrong", zh, en
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return (
            "no_such_day",
            "身份证号码中的出生日期不存在。",
            "The day of birth in the identity number does not exist.",
        )
    years = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    if not _ADULT_YEARS <= years <= _OLDEST_YEARS:
        zh, en = "出生日期不可能属于法定代表人。", "With this day of birth nobody is a legal representative."
        return "impossible_age", zh, en
    return None


def identity_check_character(first: str) -> str:
    """Of the first 17 digits: weights 2^(18-i) modulo 11, counted from 1 at the left."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(first))
    return "10X98765432"[total % 11]
