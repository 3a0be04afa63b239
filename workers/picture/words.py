"""What pictures and tables say, in Chinese and English. Codes without words are shown as they are."""

from typing import Literal

Language = Literal["en", "zh"]

REASONS: dict[str, tuple[str, str]] = {
    "inactive": ("takes no orders", "暂停接单"),
    "channel": ("does not serve this channel", "不支持该渠道"),
    "excluded": ("refused or did not answer before", "此前已拒单或未应答"),
    "no_stock": ("has none of it", "没有库存"),
    "partial_stock": ("has only a part of it", "库存不全"),
    "region_licence": ("outside its licensed region", "不在配送许可区域内"),
    "radius": ("too far away", "超出距离上限"),
    "closed": ("closed for too long", "休业或已过截单时间"),
    "capacity": ("no capacity left", "产能已满"),
    "no_carrier": ("no carrier serves it", "没有可用承运商"),
    "no_answer": ("no answer in time", "超时未应答"),
    "out_of_stock": ("out of stock", "缺货"),
    "damaged": ("damaged", "商品破损"),
    "too_busy": ("too busy", "门店繁忙"),
    "other": ("another reason", "其他原因"),
}
VERDICTS: dict[str, tuple[str, str]] = {
    "chosen": ("chosen", "已选中"),
    "could_ship_all": ("could ship all", "可整单发货"),
    "could_ship_some": ("could ship a part", "可部分发货"),
    "ruled_out": ("ruled out", "已排除"),
}
TERMS: dict[str, tuple[str, str]] = {
    "freight": ("freight", "运费"),
    "handling": ("handling", "操作费"),
    "lateness": ("lateness", "延误"),
    "scarcity": ("scarcity", "稀缺性"),
    "total": ("total", "合计"),
}
OUTCOMES: dict[str, tuple[str, str]] = {
    "single": ("one parcel", "整单发货"),
    "split": ("split into parcels", "拆单发货"),
    "none": ("nobody could ship it", "无法发货"),
}
HAPPENINGS: dict[str, tuple[str, str]] = {
    "order.placed": ("The order was placed", "订单已创建"),
    "order.backordered": ("The order waits for stock", "订单缺货等待"),
    "order.cancelled": ("The order was cancelled", "订单已取消"),
    "order.attention": ("A person must look at it", "需要人工处理"),
    "order.released": ("Its goods were given back, and it is held", "已释放库存并挂起"),
    "order.rerouted": ("Sent to look for other stores", "人工改派"),
    "order.retried": ("Tried anew", "重新尝试"),
    "parcel.offered": ("A parcel was offered to", "包裹已派给"),
    "parcel.accepted": ("Accepted by", "已接单："),
    "parcel.rejected": ("Refused by", "已拒单："),
    "parcel.expired": ("No answer from", "超时未应答："),
    "parcel.withdrawn": ("Taken away from", "已从该处撤回："),
    "parcel.packed": ("Packed by", "已打包："),
    "parcel.shipped": ("Handed over by", "已出库："),
    "parcel.delivered": ("Delivered, from", "已送达，发自"),
    "parcel.overdue": ("Not handed over in time by", "未按时出库："),
    "parcel.held": ("Goods are held at", "已预占库存："),
    "parcel.labelled": ("Labelled, from", "已打印面单，发自"),
    "parcel.lost": ("Lost on the way, from", "运输途中丢失，发自"),
    "parcel.refused_at_door": ("Refused at the door, from", "收件人拒收，发自"),
    "parcel.delivery_overdue": ("Not delivered in time, from", "未按时送达，发自"),
    "address.changed": ("The address was changed", "收货地址已变更"),
    "hold.ended": ("The goods are not held any more", "预占已结束"),
    "payment.received": ("Paid", "已付款"),
    "payment.declined": ("The payment was declined", "付款被拒"),
    "payment.expired": ("Not paid in time", "超时未付款"),
}
TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Why order {order} goes where it goes", "订单 {order} 为何这样派单"),
    "decision": ("decision {number} of {all}", "第 {number} 次派单决策，共 {all} 次"),
    "exchanged": ("goods exchanged with", "与其他订单互换货源"),
    "customer": ("customer", "收货地"),
    "map": ("Where", "位置"),
    "map_alt": (
        "Map of the customer and the locations that were weighed; the tables below say the same in words.",
        "收货地与候选发货点示意图；下方表格内容相同。",
    ),
    "costs": ("What each would cost", "各候选成本"),
    "costs_note": ("of a parcel with everything that it could ship", "按其可发全部商品的一个包裹计算"),
    "no_costs": (
        "Costs were not reckoned for this decision; the nearest counted.",
        "本次决策未计算成本，以距离最近为准。",
    ),
    "ruled_out": ("Ruled out", "被排除的发货点"),
    "story": ("What happened", "经过"),
    "winner": ("winner", "选中"),
    "runner_up": ("runner-up", "次优"),
    "same_cost": ("at the same cost", "成本相同"),
    "by": ("{amount} more", "多 {amount}"),
    "nobody": ("nobody", "无"),
    "reason": ("reason", "原因"),
    "nearest": ("nearest of them", "其中最近"),
    "count": ("locations", "数量"),
    "location": ("location", "发货点"),
    "verdict": ("verdict", "结论"),
    "distance": ("km", "公里"),
    "policy": ("policy", "策略"),
    "stock": ("stock seen", "所见库存"),
    "stock_at": ("version {version} and {rows} rows", "版本 {version} 及其后 {rows} 行"),
    "exact": ("proven to be the best", "已证明最优"),
    "gap": ("at most {amount} above the best", "与最优相差至多 {amount}"),
    "cut_short": ("the search was cut short", "搜索提前结束"),
    "quality": ("search", "求解"),
    "service": ("carried by", "承运服务"),
    "promised": ("expected", "预计送达"),
    "no_place": ("not on the map: their place is not known", "位置未知，未在图上显示"),
    "unknown_km": ("unknown", "未知"),
    "placed": ("placed", "下单时间"),
    "to": ("to", "收货"),
    "all_times": ("All times are UTC.", "所有时间均为 UTC。"),
    "legend": ("What the marks mean", "图例"),
    "none_ruled_out": ("None.", "无。"),
    "again": ("decided again", "重新派单"),
    "colon": (": ", "："),
    "comma": (", ", "，"),
}


def say(words: dict[str, tuple[str, str]], key: str, language: Language) -> str:
    """The words for a code, or the code itself."""
    found = words.get(key)
    return key if found is None else found[language == "zh"]


def text(key: str, language: Language, **filled: object) -> str:
    return TEXTS[key][language == "zh"].format(**filled)
