"""Whether documents say the same about the applicant: name, credit code and legal representative. Pure."""

import unicodedata
from collections.abc import Sequence
from typing import Literal

from activities.onboarding import credit_code
from activities.onboarding.case import Case
from contracts.applications import Check, Evidence

Compared = Literal["name", "credit_code", "legal_representative"]
_CODES = {
    "name": ("name_differs", "名称", "the name"),
    "credit_code": ("credit_code_differs", "统一社会信用代码", "the credit code"),
    "legal_representative": ("legal_representative_differs", "法定代表人", "the legal representative"),
}
_BRACKETS = str.maketrans("【】〔〕[]{}〈〉《》", "()()()()()()")
_DOTS = str.maketrans(dict.fromkeys("·•‧∙⋅・･．.", "·"))


def normalised(name: str) -> str:
    """One way of writing: half width (NFKC), one kind of bracket and of middle dot, no blanks, lower case."""
    text = unicodedata.normalize("NFKC", name).translate(_BRACKETS).translate(_DOTS).casefold()
    return "".join(character for character in text if not character.isspace() and character not in "\u200b\ufeff")


def same(fact: Compared, one: str, other: str) -> bool:
    if fact == "credit_code":
        return credit_code.normalised(one) == credit_code.normalised(other)
    return normalised(one) == normalised(other)


def check_names(case: Case) -> list[Check]:
    """One result for each document that is to be compared with the company's form, and for the account's holder."""
    company = case.application.fields.company
    if company is None:
        return []
    found = []
    for item in case.asked:
        given = [fact for fact in item.compared if getattr(case.facts(item.id), fact) is not None]
        if given:
            pairs = [(fact, case.fact(item.id, fact), _of_company(case, fact)) for fact in given]
            found.append(_compared(case, item.id, pairs))
    account = case.application.fields.bank_account
    if account is not None and case.asks("bank_account"):
        holder = Evidence(source="fields.bank_account.holder", value=account.holder)
        found.append(_compared(case, "bank_account", [("name", holder, _of_company(case, "name"))]))
    return found


def check_account_number(case: Case) -> list[Check]:
    """Whether the bank's certificate is about the account of the form."""
    account, certified = case.application.fields.bank_account, case.facts("bank_account_certificate").number
    if account is None or certified is None:
        return []
    equal = _digits(account.number) == _digits(certified)
    evidence = (
        case.fact("bank_account_certificate", "number"),
        Evidence(source="fields.bank_account.number", person=account.number),
    )
    if equal:
        return [
            case.found(
                "names", "bank_account_certificate", "passed", "ok", "账号一致。", "The account is the same.", *evidence
            )
        ]
    zh, en = "证明中的账号与所填账号不同。", "The certificate is about another account than the form."
    return [case.found("names", "bank_account_certificate", "failed", "account_differs", zh, en, *evidence)]


def _of_company(case: Case, fact: Compared) -> Evidence:
    value = getattr(case.application.fields.company, fact)
    source = f"fields.company.{fact}"
    if fact == "legal_representative":
        return Evidence(source=source, person=value)
    return Evidence(source=source, value=value)


def _compared(case: Case, item: str, pairs: Sequence[tuple[Compared, Evidence, Evidence]]) -> Check:
    evidence = [part for _, left, right in pairs for part in (left, right)]
    differing = [fact for fact, left, right in pairs if not same(fact, _said(left), _said(right))]
    if not differing:
        zh, en = "与企业信息一致。", "It says the same as the form of the company."
        return case.found("names", item, "passed", "ok", zh, en, *evidence)
    code = _CODES[differing[0]][0]
    zh = f"{'、'.join(_CODES[fact][1] for fact in differing)}与企业信息不一致。"
    en = f"{_and([_CODES[fact][2] for fact in differing])} differ{'s' * (len(differing) == 1)} from the company's form."
    return case.found("names", item, "failed", code, zh, en[0].upper() + en[1:], *evidence)


def _said(evidence: Evidence) -> str:
    return evidence.value or evidence.person or ""


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _digits(number: str) -> str:
    return "".join(character for character in unicodedata.normalize("NFKC", number) if character.isdigit())
