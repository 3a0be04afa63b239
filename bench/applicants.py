"""Made-up applicants whose papers are in order: codes with right check characters, facts that agree with each other."""

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from activities.onboarding.credit_code import ALPHABET, check_character, organisation_check_character
from activities.onboarding.documents import identity_check_character
from contracts.applications import (
    Application,
    Declared,
    Facts,
    Fields,
    SuppliedDocument,
    SuppliedFile,
)
from contracts.onboarding import Standing
from contracts.partnership import PartnerKind
from contracts.requirements import RequirementSet, categories

_LETTERS = ALPHABET[10:]
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋艳勇杰娟涛明超霞平刚"
_TRADES = "商贸 贸易 百货 服饰 食品 日用品 家居 供应链 物流 科技".split()


def credit_code(chance: random.Random, division: str = "330106", department: str = "91") -> str:
    """With both check characters right."""
    organisation = "MA" + "".join(chance.choice("0123456789" + _LETTERS) for _ in range(6))
    first = department + division + organisation + organisation_check_character(organisation)
    return first + check_character(first)


def identity_number(chance: random.Random) -> str:
    born = date(1960, 1, 1) + timedelta(days=chance.randrange(14_000))
    first = f"330106{born:%Y%m%d}{chance.randrange(1000):03d}"
    return first + identity_check_character(first)


def forms(number: int, *, region: str = "330106") -> dict[str, Any]:
    """The forms of applicant `number`, as it would send them; the same number is the same applicant."""
    chance = random.Random(f"applicant {number}")
    person = chance.choice(_SURNAMES) + chance.choice(_GIVEN) + chance.choice(_GIVEN)
    name = f"杭州{''.join(chance.sample(_GIVEN, 3))}{number}{chance.choice(_TRADES)}有限公司"
    return {
        "company": {
            "name": name,
            "credit_code": credit_code(chance, region),
            "legal_representative": person,
            "address": f"文三路 {number} 号",
            "established_on": "2015-04-01",
        },
        "contact": {"name": person, "phone": f"139{number:08d}", "email": f"a{number}@example.com"},
        "bank_account": {"holder": name, "bank": "中国工商银行", "number": f"62220212{number:08d}7"},
        "territory": {"prefixes": [region], "exclusive": False},
        "places": [{"name": f"{name}一店", "division": region, "address": f"文三路 {number} 号"}],
        "signatories": [{"name": person, "email": f"a{number}@example.com"}],
        "stock_feed": {"skus": 500, "every_minutes": 5},
    }


def facts(item: str, given: Mapping[str, Any], categories_: Sequence[str], number: int, today: date) -> dict[str, Any]:
    """What the applicant's document says, in agreement with its forms."""
    company = given["company"]
    words = [word for one in categories_ for word in _words(item, one)]
    said: dict[str, Any] = {
        "name": company["name"],
        "credit_code": company["credit_code"],
        "legal_representative": company["legal_representative"],
        "scope": "一般项目：" + "；".join(words or ["销售"]) + "。",
        "number": f"JY{number:012d}",
        "valid_from": (today - timedelta(days=400)).isoformat(),
        "valid_until": (today + timedelta(days=800)).isoformat(),
    }
    if item == "legal_representative_id":
        said["number"] = identity_number(random.Random(f"identity {number}"))
    if item == "bank_account_certificate":
        said["number"] = given["bank_account"]["number"]
    return said


def _words(item: str, category: str) -> list[str]:
    known = categories()[category]
    return known.licences.get(item, known.scope)[:1]


def complete(
    number: int,
    requirements: RequirementSet,
    now: datetime,
    *,
    kind: PartnerKind = "franchise",
    asked_for: Sequence[str] = ("food", "household"),
    region: str = "330106",
) -> Application:
    """An application with all that its set asks for, submitted and not checked yet."""
    given = forms(number, region=region)
    application_id = f"app-{number:018d}"
    papers: dict[str, SuppliedDocument] = {}
    made: dict[str, Declared] = {}
    for item in requirements.asked_of(asked_for):
        if item.kind == "document":
            file = SuppliedFile(
                digest=f"{number:032x}{len(papers):032x}",
                media_type="application/pdf",
                size=1,
                pages=1,
                supplied_at=now,
            )
            said = Facts.model_validate(facts(item.id, given, asked_for, number, now.date()))
            papers[item.id] = SuppliedDocument(file=file, facts=said)
        elif item.kind == "declaration":
            made[item.id] = Declared(item=item.id, requirements=requirements.pinned, at=now)
    return Application(
        id=application_id,
        kind=kind,
        region=region,
        categories=list(asked_for),
        requirements=requirements.pinned,
        token_hash="0" * 64,
        fields=Fields.model_validate(given),
        documents=papers,
        declarations=made,
        credit_code=given["company"]["credit_code"],
        standing=Standing(application=application_id, stage="checking", revision=1, step=2),
        created_at=now,
        updated_at=now,
    )
