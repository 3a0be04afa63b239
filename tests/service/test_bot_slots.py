"""What messages name: orders, days, places, addresses, yes and no."""

from datetime import date

import pytest

from activities.service.bot.places import division_in, name_with_city
from activities.service.bot.slots import slots_of

MONDAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("订单TQ20261101008现在什么状态", "TQ20261101008"),
        ("单号88213的不要了", "88213"),
        ("1002938这单降价了", "1002938"),
        ("cancel order 20331 please", "20331"),
        ("shop-100042 到哪了", "shop-100042"),
        ("我的手机号换成13800138000", None),
        ("我买的是256GB的", None),
        ("11-28能到吗", None),
        ("330106附近的售后", None),
        ("好的", None),
    ],
)
def test_an_order_is_told_from_other_numbers(text: str, order: str | None) -> None:
    assert slots_of(text, MONDAY).order == order


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("明天能到吗", "2026-11-24"),
        ("周日开门吗", "2026-11-29"),
        ("周一几点开门", "2026-11-23"),
        ("下周三能送到吗", "2026-12-02"),
        ("下周一呢", "2026-11-30"),
        ("12月5号之前能到吗", "2026-12-05"),
        ("1月3日", "2027-01-03"),
        ("2月30号", None),
        ("by Friday", "2026-11-27"),
        ("什么时候到", None),
    ],
)
def test_a_day_is_reckoned_from_today(text: str, day: str | None) -> None:
    assert slots_of(text, MONDAY).day == day


@pytest.mark.parametrize(
    ("text", "near", "code"),
    [
        ("杭州西湖区有没有店", None, "330106"),
        ("西湖区有吗", None, None),
        ("西湖区有吗", "330100", "330106"),
        ("朝阳区", "110105", "110105"),
        ("长春朝阳", None, "220104"),
        ("浦东的店", "310115", "310115"),
        ("昆山有店吗", None, "320583"),
        ("重庆渝北哪有", None, "500112"),
        ("吉林省延吉市", None, "222401"),
        ("延边", None, "222400"),
        ("香港有店吗", None, "810000"),
        ("任何编码330106附近", None, "330106"),
        ("999999附近", None, None),
        ("any shop in Chengdu", None, "510100"),
        ("any shop in Suzhou", None, None),
        ("我的快递到哪了", "330106", None),
    ],
)
def test_a_place_is_found_by_code_and_by_name(text: str, near: str | None, code: str | None) -> None:
    assert division_in(text, near) == code


def test_a_district_is_called_with_its_city() -> None:
    assert name_with_city("330106") == "杭州市西湖区"
    assert name_with_city("330100") == "杭州市"


@pytest.mark.parametrize(
    ("text", "division", "line"),
    [
        ("改成 广东省深圳市南山区科技园南路12号", "440305", "广东省深圳市南山区科技园南路12号"),
        ("四川省成都市武侯区天府大道100号2栋1203", "510107", "四川省成都市武侯区天府大道100号2栋1203"),
    ],
)
def test_an_address_has_a_place_a_street_and_a_number(text: str, division: str, line: str) -> None:
    found = slots_of(text).address
    assert found is not None
    assert (found.division, found.line) == (division, line)


@pytest.mark.parametrize("text", ["改地址", "改到杭州", "南山区科技园南路", "送到我公司12楼"])
def test_half_an_address_is_none(text: str) -> None:
    assert slots_of(text).address is None


@pytest.mark.parametrize(
    ("text", "yes", "no"),
    [("是的", True, False), ("确认", True, False), ("好的 取消吧", True, False), ("yes please", True, False),
     ("不是", False, True), ("不用了", False, True), ("no", False, True), ("north gate", False, False),
     ("对不起", False, False), ("是不是还没发货啊我都等了好几天了还没有人理我", False, False)],
)  # fmt: skip
def test_yes_and_no(text: str, yes: bool, no: bool) -> None:
    slots = slots_of(text)
    assert (slots.yes, slots.no) == (yes, no)
