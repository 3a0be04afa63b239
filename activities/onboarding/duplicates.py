"""Whether the same applicant is known already, by credit code, bank account and telephone. Pure."""

from activities.onboarding.case import Case
from contracts.applications import Check, Evidence

_WHERE = {"credit_code": "company", "bank_account": "bank_account", "phone": "contact"}
_WORDS = {
    "credit_code": ("统一社会信用代码", "credit code"),
    "bank_account": ("银行账号", "bank account"),
    "phone": ("电话", "telephone number"),
}


def check_duplicates(case: Case) -> list[Check]:
    """One result for each of the three. That the company is a partner of this kind already is a failure; all else is a
    doubt: groups share accounts, and anybody can write a stranger's code into an application."""
    fields = case.application.fields
    there = {
        "credit_code": fields.company is not None,
        "bank_account": fields.bank_account is not None,
        "phone": fields.contact is not None,
    }
    return [_shared(case, what) for what, given in there.items() if given and case.asks(_WHERE[what])]


def _shared(case: Case, what: str) -> Check:
    item, (zh, en) = _WHERE[what], _WORDS[what]
    same = [other for other in case.others.applications if what in other.shares]
    evidence = [Evidence(source=f"application:{other.id}", value=f"{other.kind}, {other.stage}") for other in same]
    if what == "credit_code":
        company = case.others.same_company
        evidence += [Evidence(source=f"partner:{one.id}", value=f"{one.kind}, {one.state}") for one in company]
        if any(one.kind == case.application.kind for one in company):
            words = "该企业已是同类合作伙伴。", "The company is a partner of this kind already."
            return case.found("duplicate", item, "failed", "already_partner", *words, *evidence)
        if company:
            words = "该企业已是其他类型的合作伙伴。", "The company is a partner of another kind already."
            return case.found("duplicate", item, "doubtful", "partner_of_other_kind", *words, *evidence)
    if same:
        words = f"另有申请使用相同的{zh}。", f"Another application has the same {en}."
        return case.found("duplicate", item, "doubtful", f"same_{what}", *words, *evidence)
    words = f"没有其他申请或合作伙伴使用相同的{zh}。", f"No other application or partner has this {en}."
    return case.found("duplicate", item, "passed", "ok", *words, Evidence(source="applications, partners"))
