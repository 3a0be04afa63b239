"""What a message names: an order, a day, a place, an address; and whether it says yes or no. Pure."""

import re
from datetime import date, timedelta

from activities.service.bot.places import division_in
from contracts.bot import Address, Slots
from contracts.divisions import division

_ORDER = re.compile(r"(?<![A-Za-z0-9_-])#?((?=[A-Za-z0-9_-]*\d)[A-Za-z0-9][A-Za-z0-9_-]{4,63})(?![A-Za-z0-9_-])")
_PHONE = re.compile(r"1[3-9]\d{9}")
_MODEL = re.compile(r"\d{1,5}(g|gb|kg|ml|mm|cm|w|v|hz|mah|k|t|l|h)", re.IGNORECASE)
_ORDER_NEAR = re.compile(r"订单号?|单号|这?单|order|#", re.IGNORECASE)
_STREET = re.compile(
    r"(路|街|道|巷|弄|胡同|大厦|小区|花园|村|镇|广场|号|栋|幢|座|单元|室|楼|road|street|avenue)", re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9０-９一二三四五六七八九十]")
_LEAD = re.compile(r"^.*?(改成|改为|改到|换成|换到|寄到|送到|地址是|地址[::]|to:?)\s*", re.IGNORECASE)
_YES = re.compile(
    r"^(是的?呀?|是啊|对的?|对对|对呀|嗯+|好的?|好滴|好呀|行的?|可以的?|确认|确定|没错|要的?|同意|系|係|得|中|ok|okay|yes|y|yep|yeah|"
    r"sure|confirm|correct|please do|right)([,，。!！~ 的了吧呢啊]|$).{0,12}$",
    re.IGNORECASE,
)
_NO = re.compile(
    r"^(不是|不对|不用了?|不要了?|不了|不行|不确认|否|没有|先不|别|算了|唔系|唔使|唔好|"
    r"(no|n|nope|not|don'?t|never mind|wrong)\b)",
    re.IGNORECASE,
)
_WEEKDAY = re.compile(r"(下+个?)?(?:周|星期|礼拜)([一二三四五六日天末1-6])")
_NAMED_DAY = re.compile(r"(\d{1,2})\s*[月/.-]\s*(\d{1,2})\s*[日号]?")
_DAYS = {"大后天": 3, "后天": 2, "明天": 1, "明儿": 1, "明日": 1, "听日": 1, "今天": 0, "今儿": 0, "今日": 0, "今晚": 0,
         "tomorrow": 1, "today": 0, "tonight": 0}  # fmt: skip
_WEEK = {"一": 0, "二": 1, "三": 2, "四": 3, "五": 4, "六": 5, "末": 5, "日": 6, "天": 6,
         "1": 0, "2": 1, "3": 2, "4": 3, "5": 4, "6": 5}  # fmt: skip
_ENGLISH_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def slots_of(text: str, today: date | None = None, near: str | None = None) -> Slots:
    """`today`: the customer's date, for days named from it; `near`: the division in which a district likely lies."""
    day = day_in(text, today) if today else None
    place = division_in(text, near)
    tidy = text.strip()
    no = bool(_NO.match(tidy))
    return Slots(
        order=order_in(text),
        day=day.isoformat() if day else None,
        division=place,
        address=address_in(text, place),
        yes=not no and bool(_YES.match(tidy)),
        no=no,
    )


def order_in(text: str) -> str | None:
    """An order's id: letters and digits, or six digits and more. Not a phone number, a size or a division's code
    unless it stands right behind a word for an order."""
    for found in _ORDER.finditer(text):
        word = found[1]
        named = bool(_ORDER_NEAR.search(text[max(0, found.start() - 8) : found.start() + 1]))
        if _PHONE.fullmatch(word) or _MODEL.fullmatch(word) or _NAMED_DAY.fullmatch(word):
            continue
        if named or (word.isdigit() and len(word) > 6) or (not word.isdigit() and len(word) >= 6):
            return word
    return None


def day_in(text: str, today: date) -> date | None:
    """The first day that is named, on or after `today`."""
    lowered = text.lower()
    for word, ahead in _DAYS.items():
        if word in lowered:
            return today + timedelta(days=ahead)
    week = _WEEKDAY.search(text)
    if week:
        ahead = (_WEEK[week[2]] - today.weekday()) % 7
        return today + timedelta(days=ahead + (7 if week[1] and _WEEK[week[2]] >= today.weekday() else 0))
    for number, name in enumerate(_ENGLISH_WEEK):
        if name in lowered:
            return today + timedelta(days=(number - today.weekday()) % 7)
    named = _NAMED_DAY.search(text)
    return _of_year(int(named[1]), int(named[2]), today) if named else None


def _of_year(month: int, day: int, today: date) -> date | None:
    """This year's, or next year's when it is over."""
    for year in (today.year, today.year + 1):
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    return None


def address_in(text: str, place: str | None) -> Address | None:
    """An address to send to: a district or city by name, a street or a house, and a number."""
    if place is None or not place.isdigit():
        return None
    line = _LEAD.sub("", text.strip()).strip(" ，,。;；")
    known = division(place)
    named = known.name[:2] in line
    if not named or not _STREET.search(line) or not _NUMBER.search(line):
        return None
    return Address(division=place, line=line)
