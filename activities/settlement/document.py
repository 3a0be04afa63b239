"""The PDF of a statement, in Chinese and English. The same content makes the same bytes."""

import re
from datetime import datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import orjson
import typst

from contracts.hours import TIME_ZONE
from contracts.money import display
from contracts.settlement import Balance, Meaning, StatementContent, StatementLine

_WORDS: dict[Meaning, str] = {
    "goods": "货款 Goods",
    "commission": "平台佣金 Commission",
    "sales_commission": "销售佣金 Sales commission",
    "handling": "操作费 Handling",
    "freight": "运费 Freight",
    "correction": "更正 Correction",
    "payout": "已付款 Paid out",
}
_COLUMNS = (
    "行 Line",
    "时间 Time",
    "事项 What",
    "订单 Order",
    "货款 Goods",
    "佣金 Commission",
    "操作费 Handling",
    "运费 Freight",
    "其他 Other",
    "小计 Amount",
)
_OWN_COLUMN: tuple[tuple[Meaning, ...], ...] = (
    ("goods",),
    ("commission", "sales_commission"),
    ("handling",),
    ("freight",),
)
_PAGES = re.compile(rb"/Type\s*/Pages\s*/Count (\d+)")


def pdf_of(content: StatementContent) -> bytes:
    """Takes about 50 ms, and more with thousands of lines: not to be called in an event loop."""
    shown = orjson.dumps(_shown(content)).decode()
    # Tags would make it twenty times as large.
    return typst.compile(
        _template(), font_paths=_fonts(), format="pdf", sys_inputs={"statement": shown}, pdf_tags=False
    )


def pages_of(pdf: bytes) -> int:
    """As the document itself says."""
    return max((int(found) for found in _PAGES.findall(pdf)), default=0)


@cache
def _template() -> bytes:
    return files("activities.settlement").joinpath("statement.typ").read_bytes()


@cache
def _fonts() -> typst.Fonts:
    folder = str(files("noto_cjk_sans_otc"))
    return typst.Fonts(include_system_fonts=False, font_paths=[folder])


def _shown(content: StatementContent) -> dict[str, object]:
    facts = [
        ("编号 Statement", content.statement),
        ("合作方 Partner", f"{content.partner_name} ({content.partner})"),
        ("期间 Period", content.period),
        ("截止 Until", _time(content.until)),
        ("金额 Amounts", "正数应付合作方，负数应由合作方支付。 Above zero: due to the partner; below: due from it."),
    ]
    return {
        "title": f"结算单 Settlement statement {content.statement}",
        "statement": content.statement,
        "revision": content.revision,
        "partner": content.partner,
        "facts": facts,
        "balances": [{"currency": b.currency, "rows": _balance(b)} for b in content.balances],
        "columns": _COLUMNS,
        "lines": [_row(line) for line in content.lines],
    }


def _balance(balance: Balance) -> list[tuple[str, str]]:
    def money(amount: int) -> str:
        return display(amount, balance.currency)

    return [
        ("期初余额 Opening balance", money(balance.opening)),
        *((_WORDS.get(meaning, meaning), money(amount)) for meaning, amount in balance.amounts.items()),
        ("期末余额 Closing balance", money(balance.closing)),
    ]


def _row(line: StatementLine) -> list[str]:
    def money(amount: int) -> str:
        return display(amount, line.currency) if amount else ""

    own = [sum(line.amounts.get(meaning, 0) for meaning in column) for column in _OWN_COLUMN]
    return [
        str(line.number),
        _time(line.at),
        _what(line),
        line.order or "",
        *(money(amount) for amount in own),
        money(line.amount - sum(own)),
        display(line.amount, line.currency),
    ]


def _what(line: StatementLine) -> str:
    """In words, by what the cause says happened."""
    if "correction" in line.amounts:
        return "更正 Correction"
    if "payout" in line.amounts:
        return "上期付款 Payment of an earlier statement"
    about = line.cause.removeprefix(f"{line.parcel}:")
    kind, _, units = about.partition(":")
    if kind == "shipped":
        return f"发货 Shipped {line.parcel}"
    if kind == "returned":
        return f"退回或丢失 Returned or lost, {units} 件 units, {line.parcel}"
    return f"{about} {line.parcel or ''}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(TIME_ZONE)):%Y-%m-%d %H:%M}"
