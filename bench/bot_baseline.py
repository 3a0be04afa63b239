"""A keyword baseline for the first level: the first intent whose words are in the text, the narrow ones first."""

from contracts.bot import Intent

_WORDS: tuple[tuple[Intent, str], ...] = (
    ("talk_to_human", "人工 真人 转接 客服 经理 主管 human agent person representative"),
    ("complaint", "投诉 举报 差评 态度 骗 垃圾 假货 complain rude"),
    ("invoice", "发票 开票 抬头 税号 专票 invoice receipt fapiao"),
    ("price_protection", "保价 价保 差价 降价 买贵 便宜了 price difference cheaper"),
    ("refund_status", "退款 退钱 到账 refund money back"),
    ("cancel_order", "取消 撤单 不想要 不要了 别发 cancel"),
    ("change_address", "地址 改寄 收货人 收件人 address"),
    ("return_request", "退货 换货 退换 坏了 破损 想退 return exchange broken"),
    ("opening_hours", "几点开 几点关 营业 开门 关门 打烊 上班 open close hours"),
    ("nearest_outlet", "附近 门店 网点 维修点 最近的 实体店 nearest store shop near"),
    ("delivery_eta", "什么时候到 几天 多久 送达 几号 能到 arrive how long when will"),
    ("order_status", "快递 物流 发货 到哪 包裹 单号 order package tracking parcel"),
)
_ANGRY = "垃圾 骗子 妈的 傻逼 滚 气死 投诉 12315 人工 真人 human agent scam"


def by_keywords(text: str) -> tuple[Intent, bool]:
    """The intent, and whether a person is wanted."""
    lowered = text.lower()
    angry = any(word in lowered for word in _ANGRY.split())
    for intent, words in _WORDS:
        if any(word in lowered for word in words.split()):
            return intent, angry or intent == "talk_to_human"
    return "other", angry
