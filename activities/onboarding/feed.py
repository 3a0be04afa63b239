"""Whether the stock feed that an applicant offers is at least what is asked. Pure."""

from activities.onboarding.case import Case
from contracts.applications import Check, Evidence

_ITEM = "stock_feed"


def check_stock_feed(case: Case) -> list[Check]:
    offered, asked = case.application.fields.stock_feed, case.requirements.stock_feed
    if offered is None or asked is None or not case.asks(_ITEM):
        return []
    evidence = (
        Evidence(source="fields.stock_feed", value=f"{offered.skus} skus, every {offered.every_minutes} min"),
        Evidence(
            source=f"requirements:{case.requirements.pinned}",
            value=f"{asked.skus} skus, every {asked.every_minutes} min",
        ),
    )
    if offered.skus < asked.skus:
        zh, en = f"至少需要 {asked.skus} 个商品的库存数据。", f"Stock of at least {asked.skus} articles is needed."
        return [case.found("stock_feed", _ITEM, "failed", "too_few_skus", zh, en, *evidence)]
    if offered.every_minutes > asked.every_minutes:
        zh = f"库存数据至少每 {asked.every_minutes} 分钟更新一次。"
        en = f"Stock must be told at least every {asked.every_minutes} minutes."
        return [case.found("stock_feed", _ITEM, "failed", "too_seldom", zh, en, *evidence)]
    zh, en = "满足最低库存数据要求。", "It meets the minimum."
    return [case.found("stock_feed", _ITEM, "passed", "ok", zh, en, *evidence)]
