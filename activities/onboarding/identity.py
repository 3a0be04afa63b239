"""The company's credit code as a check of the application: both check characters, and the division in it. Pure."""

from activities.onboarding import credit_code
from activities.onboarding.case import Case
from contracts.applications import Check, Evidence
from contracts.divisions import UnknownDivision, division, scheme_of
from contracts.onboarding import Verdict

_ITEM = "company"


def check_credit_code(case: Case) -> list[Check]:
    company = case.application.fields.company
    if company is None:
        return []
    typed = Evidence(source="fields.company.credit_code", value=company.credit_code)
    if not _in_china(case.application.region):
        zh, en = (
            "所在地不在中国，没有统一社会信用代码，请人工核对。",
            "A seat outside China has no credit code; a person must look.",
        )
        return [case.found("credit_code", _ITEM, "doubtful", "seat_outside_china", zh, en, typed)]
    code = credit_code.normalised(company.credit_code)
    fault = credit_code.fault_of(code)
    if fault is not None:
        verdict: Verdict = "failed" if fault.weight == "wrong" else "doubtful"
        checked = case.found(
            "credit_code", _ITEM, verdict, fault.code, fault.words.zh, fault.words.en, typed, *_calculated(code)
        )
    else:
        zh, en = "两位校验码均正确。", "Both check characters are right."
        checked = case.found("credit_code", _ITEM, "passed", "ok", zh, en, typed, *_calculated(code))
    if fault is not None and fault.weight == "wrong":
        return [checked]
    return [checked, _division(case, code)]


def _in_china(region: str) -> bool:
    try:
        return scheme_of(region) == "GB/T 2260"
    except UnknownDivision:
        return True


def _calculated(code: str) -> list[Evidence]:
    """The check characters as they should be, where they can be calculated."""
    if len(code) != 18 or any(character not in credit_code.ALPHABET for character in code):
        return []
    return [
        Evidence(source="calculated:GB 32100", value=credit_code.check_character(code[:17])),
        Evidence(source="calculated:GB 11714", value=credit_code.organisation_check_character(code[8:16])),
    ]


def _division(case: Case, code: str) -> Check:
    registered = code[2:8]
    try:
        named: str | None = division(registered).name
    except UnknownDivision:
        named = None
    evidence = (
        Evidence(source="fields.company.credit_code[3..8]", value=registered),
        Evidence(source=f"division:{registered}", value=named),
        Evidence(source="region", value=case.application.region),
    )
    fault = credit_code.division_doubt(code, case.application.region)
    if fault is None:
        zh, en = "登记地的行政区划存在，并与所在地相符。", "The division of registration exists and fits the seat."
        return case.found("division", _ITEM, "passed", "ok", zh, en, *evidence)
    return case.found("division", _ITEM, "doubtful", fault.code, fault.words.zh, fault.words.en, *evidence)
