"""Why a proposal is what it is: its numbers in order, the forecast behind them, and words in two languages."""

from datetime import date, timedelta

from activities.supply.forecasting import BOOSTED
from activities.supply.planned import Planned
from activities.supply.watching import watched
from contracts.base import Document
from contracts.money import display
from contracts.partner_events import Bilingual
from contracts.refusals import Refusal
from contracts.supply import DailyDemand, DemandClass, Explanation, Forecast, Proposal, Target, forecast_id
from contracts.workdays import Day
from infra.mongo import Mongo

HISTORY_DAYS = 84
_FOR = "for"
_CLASSES: dict[DemandClass, str] = {
    "smooth": "平稳",
    "erratic": "波动",
    "intermittent": "间歇",
    "lumpy": "块状",
    "new": "新品",
}


class Step(Document):
    """One number on the way to the quantity."""

    name: str
    value: float | int | str
    words: Bilingual


class Told(Document):
    """A proposal, explained. `history` ends on the day before the run's; `steps` are in the order of the reckoning."""

    proposal: Proposal
    forecast: Forecast | None
    target: Target | None
    history: list[DailyDemand]
    today: Day
    summary: Bilingual
    steps: list[Step]


async def told(mongo: Mongo, proposal: str) -> Told:
    """Raises Refusal 404. The forecast is missing once it is kept no more."""
    row = await mongo.proposals.find_one({"_id": proposal})
    if row is None:
        remedy = "Check the id; GET /v1/supply/proposals lists them."
        raise Refusal("unknown_proposal", f"There is no proposal {proposal}.", remedy=remedy, field="id", status=404)
    found = Proposal.from_row(row)
    series = str(found.explanation.terms.get(_FOR, found.location))
    kept = await mongo.forecasts.find_one({"_id": forecast_id(found.run, series, found.sku)})
    planned = Planned.from_row(kept) if kept else None
    today = planned.forecast.as_of if planned else found.created_at.date()
    return Told(
        proposal=found,
        forecast=planned.forecast if planned else None,
        target=planned.target if planned else None,
        history=await _history(mongo, found, series, today),
        today=today,
        summary=_summary(found),
        steps=list(_steps(found)),
    )


async def _history(mongo: Mongo, proposal: Proposal, series: str, today: date) -> list[DailyDemand]:
    first = today - timedelta(days=HISTORY_DAYS)
    return await watched(mongo, proposal.region, series, proposal.sku, first, today)


def _summary(one: Proposal) -> Bilingual:
    value = display(one.value, one.currency)
    if one.kind == "transfer":
        return Bilingual(
            zh=f"从 {one.source} 调拨 {one.quantity} 件 {one.sku} 到 {one.location}，价值 {value}。",
            en=f"Move {one.quantity} of {one.sku} from {one.source} to {one.location}, worth {value}.",
        )
    return Bilingual(
        zh=f"向 {one.source} 采购 {one.quantity} 件 {one.sku}，送至 {one.location}，金额 {value}。",
        en=f"Buy {one.quantity} of {one.sku} from {one.source} for {one.location}, for {value}.",
    )


def _step(name: str, value: float | int | str, zh: str, en: str) -> Step:
    return Step(name=name, value=value, words=Bilingual(zh=zh, en=en))


def _steps(one: Proposal) -> list[Step]:
    why, there = one.explanation, one.explanation.position
    kind = _CLASSES[why.demand_class]
    steps = [
        _step(
            "demand",
            round(why.demand_mean, 2),
            f"未来 {why.protection_days} 天预计需求 {why.demand_mean:.1f} 件（{kind}，模型 {why.model}）。",
            f"{why.demand_mean:.1f} are expected to be asked for in {why.protection_days} days "
            f"({why.demand_class}, by {why.model}).",
        ),
        *_promotions(why),
        _step(
            "level",
            why.level,
            f"取 {why.level:.0%} 分位数：{why.quantile:.1f} 件{_held(why, 'zh')}",
            f"Its {why.level:.0%} quantile is {why.quantile:.1f}{_held(why, 'en')}",
        ),
        _step(
            "lead_time",
            why.lead_mean,
            f"交货期 {why.lead_mean:.1f} ± {why.lead_deviation:.1f} 个工作日（{_learned(why, 'zh')}）。",
            f"Goods take {why.lead_mean:.1f} ± {why.lead_deviation:.1f} working days ({_learned(why, 'en')}).",
        ),
        _step(
            "position",
            there.total,
            f"库存位置 {there.total} = 在库 {there.on_hand} + 采购在途 {there.purchases} + 调入 {there.transfers_in}"
            f" − 预留 {there.reserved} − 缺货待补 {there.backorders} − 调出 {there.transfers_out}。",
            f"Position {there.total} = {there.on_hand} on hand + {there.purchases} on order + {there.transfers_in} "
            f"moving in − {there.reserved} reserved − {there.backorders} owed − {there.transfers_out} moving out.",
        ),
        _step(
            "target",
            round(why.order_up_to, 2),
            f"不高于 {why.reorder_point:.1f} 时补至 {why.order_up_to:.1f}。",
            f"At {why.reorder_point:.1f} or less it is filled up to {why.order_up_to:.1f}.",
        ),
    ]
    if why.moved:
        words = (f"本次调拨已带来 {why.moved} 件。", f"Transfers of this run bring {why.moved}.")
        steps.append(_step("moved", why.moved, *words))
    lost = float(why.terms.get("lost_before", 0))
    if lost >= 0.05:
        words = (
            f"到货前预计有 {lost:.1f} 件需求因缺货流失，不必补。",
            f"{lost:.1f} of it will be asked for in vain before goods come, and need not be bought.",
        )
        steps.append(_step("lost", round(lost, 2), *words))
    steps.append(
        _step("wanted", round(why.wanted, 2), f"需要 {why.wanted:.1f} 件。", f"That makes {why.wanted:.1f} wanted.")
    )
    steps.append(_bound(one, why))
    if one.kind == "transfer":
        steps.append(_saving(one, why))
    if one.state in ("changed", "approved", "rejected") and one.decided_by:
        words = (f"{one.decided_by} 决定：{one.quantity} 件。", f"{one.decided_by} decided: {one.quantity}.")
        steps.append(_step("decision", one.state, *words))
    return steps


def _promotions(why: Explanation) -> list[Step]:
    """Those planned for its days, and whether the model that was taken can know of them."""
    if not why.promotions:
        return []
    said = [f"{one.promotion} ({one.first_day}–{one.last_day}, {one.strength:.0%})" for one in why.promotions]
    counted = why.model == BOOSTED
    zh = "预测已计入" if counted else f"模型 {why.model} 不计入计划促销"
    en = "the forecast counts with it" if counted else f"{why.model} does not count with what is planned"
    words = (f"这些天内的计划促销：{'、'.join(said)}；{zh}。", f"Planned within these days: {', '.join(said)}; {en}.")
    return [_step("promotions", len(said), *words)]


def _bound(one: Proposal, why: Explanation) -> Step:
    zh = {
        "none": "没有约束改变数量",
        "minimum": f"起订量 {why.minimum}",
        "multiple": f"订货倍数 {why.multiple}",
        "capacity": f"货架容量 {why.capacity}",
        "fair_share": "供应不足，按公平份额分配",
        "budget": "预算",
        "season": "一次性季节品",
    }
    en = {
        "none": "nothing bound it",
        "minimum": f"the minimum of {why.minimum} bound it",
        "multiple": f"it comes in multiples of {why.multiple}",
        "capacity": f"the shelf holds {why.capacity}",
        "fair_share": "the supplier has too little for all, and each gets its share",
        "budget": "the budget bound it",
        "season": "it is bought once for its season",
    }
    if why.bound == "fair_share":
        has, asked = why.terms.get("supplier_has"), why.terms.get("asked_of_supplier")
        zh["fair_share"] += f"（各处共需 {asked}，供应商有 {has}）"
        en["fair_share"] += f" ({asked} are wanted, it has {has})"
    words = (f"建议数量 {one.proposed} 件：{zh[why.bound]}。", f"{one.proposed} are proposed: {en[why.bound]}.")
    return _step("quantity", one.proposed, *words)


def _saving(one: Proposal, why: Explanation) -> Step:
    saved = display(round(why.saved or 0), one.currency)
    freight = display(round(float(why.terms.get("freight", 0))), one.currency)
    return _step(
        "saved",
        round(why.saved or 0),
        f"{one.source} 富余 {why.surplus or 0:.0f} 件；扣除运费 {freight} 后节省 {saved}。",
        f"{one.source} has {why.surplus or 0:.0f} too many; after freight of {freight} it saves {saved}.",
    )


def _held(why: Explanation, language: str) -> str:
    """How often such quantiles held where the forecast could not know what came."""
    near = min(why.coverage, key=lambda one: abs(one.level - why.level), default=None)
    if near is None or not near.n:
        return "。" if language == "zh" else "."
    if language == "zh":
        return f"；{near.level:.0%} 分位数实测覆盖 {near.achieved:.1%}（{near.n} 次）。"
    return f"; the {near.level:.0%} quantile held {near.achieved:.1%} of {near.n} times."


def _learned(why: Explanation, language: str) -> str:
    if why.lead_n:
        return f"由 {why.lead_n} 次收货学得" if language == "zh" else f"learned from {why.lead_n} receipts"
    return "供应商承诺" if language == "zh" else "as promised"
