"""The PDF of an agreement, in Chinese and English side by side. The same content makes the same bytes."""

from functools import cache
from importlib.resources import files

import orjson
import typst

from activities.agreements.templates import Clause, Condition, Template, read, template_named
from contracts.agreement_record import Content, Party, Terms
from contracts.agreements import Role
from contracts.partnership import PartnerKind

_ROLES: dict[Role, str] = {
    "legal_representative": "乙方签署人 Party B, signer",
    "second": "乙方第二签署人 Party B, further signer",
    "retailer": "甲方会签 Party A, countersignature",
}
_KINDS: dict[PartnerKind, str] = {
    "distributor": "经销商 Distributor",
    "franchise": "加盟店 Franchise store",
    "counter": "专柜 Counter",
    "supplier": "供应商 Supplier",
    "carrier": "承运商 Carrier",
    "service": "售后网点 After-sales outlet",
}


def pdf_of(content: Content) -> bytes:
    """Takes about 50 ms: not to be called in an event loop. Raises UnknownTemplate and TemplateChanged."""
    template = template_named(content.template)
    shown = orjson.dumps(_shown(content, template)).decode()
    return typst.compile(
        read(template.layout), font_paths=_fonts(), format="pdf", sys_inputs={"agreement": shown}, pdf_tags=False
    )


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, font_paths=[str(files("noto_cjk_sans_otc"))])


def _shown(content: Content, template: Template) -> dict[str, object]:
    values = _values(content)
    held = conditions(content.terms)
    clauses = [clause for clause in template.clauses if held.issuperset(clause.when)]
    return {
        "title": f"{template.title.zh} {template.title.en} {content.agreement}",
        "agreement": content.agreement,
        "template": content.template,
        "partner": content.partner.name,
        "heading": template.title.model_dump(),
        "parties": {
            "columns": ("", "甲方 Party A", "乙方 Party B"),
            "rows": _parties(content.retailer, content.partner),
        },
        "facts": _facts(content, values),
        "clauses": [_clause(clause, values) for clause in clauses],
        "signers": [(_ROLES[role], name, "电子签名 Electronic signature") for role, name in content.signers],
    }


def conditions(terms: Terms) -> frozenset[Condition]:
    """Which clauses are in: those whose conditions all hold. Pure."""
    held: dict[Condition, bool] = {
        "territory": bool(terms.territory),
        "exclusive": terms.exclusive,
        "open": not terms.exclusive,
        "categories": bool(terms.categories),
        "commission": terms.commission_bp is not None,
        "price_list": terms.price_list is not None,
        "first": terms.renews is None,
        "renewal": terms.renews is not None,
    }
    return frozenset(name for name, holds in held.items() if holds)


def _parties(retailer: Party, partner: Party) -> list[tuple[str, str, str]]:
    return [
        ("名称 Name", retailer.name, partner.name),
        ("统一社会信用代码 Credit code", retailer.credit_code, partner.credit_code),
        ("住所 Address", retailer.address, partner.address),
        ("代表人 Represented by", retailer.represented_by, partner.represented_by),
    ]


def _facts(content: Content, values: dict[str, str]) -> list[tuple[str, str]]:
    terms = content.terms
    facts = [
        ("编号 Agreement", content.agreement),
        ("合作类型 Kind", _KINDS[terms.kind]),
        ("区域 Territory", values["territory"]),
        ("独家 Exclusive", "是 Yes" if terms.exclusive else "否 No"),
        ("品类 Categories", values["categories"]),
        ("佣金 Commission", values["commission"]),
        ("价目表 Price list", values["price_list"]),
        ("有效期 Term", f"{terms.term_months} 个月 months"),
        ("终止通知 Notice", f"{terms.notice_days} 日 days"),
    ]
    return [(name, shown) for name, shown in facts if shown]


def _values(content: Content) -> dict[str, str]:
    """What clauses may name."""
    terms = content.terms
    return {
        "retailer": content.retailer.name,
        "partner": content.partner.name,
        "territory": "、".join(content.areas),
        "categories": "、".join(content.categories),
        "commission": "" if terms.commission_bp is None else f"{terms.commission_bp / 100:.2f}%",
        "price_list": terms.price_list or "",
        "months": str(terms.term_months),
        "notice": str(terms.notice_days),
        "renews": terms.renews or "",
    }


def _clause(clause: Clause, values: dict[str, str]) -> dict[str, object]:
    text = {"zh": clause.text.zh.format_map(values), "en": clause.text.en.format_map(values)}
    return {"title": clause.title.model_dump(), "text": text}
