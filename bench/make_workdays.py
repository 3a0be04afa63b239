"""Builds contracts/data/workdays.json: python bench/make_workdays.py contracts/data/workdays.json

From the packages chinesecalendar and holidays, which take them from the notices of the State Council. Where both know a
year, they must agree on every day. A year whose notice is not out yet has its statutory days only, and is provisional.
"""

import argparse
import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import holidays
from chinese_calendar import constants, is_workday

FIRST, LAST = 2018, 2036
SOURCE = "国务院办公厅关于部分节假日安排的通知 (notices of the General Office of the State Council, www.gov.cn/gongbao)"
NOTICES = {
    2018: "content/2017/content_5248221.htm",
    2019: "content/2018/content_5350046.htm, content/2019/content_5380356.htm",
    2020: "content/2019/content_5459138.htm, content/2020/content_5477297.htm",
    2021: "content/2020/content_5567750.htm",
    2022: "content/2021/content_5651728.htm",
    2023: "content/2023/content_5736714.htm",
    2024: "2023/issue_10806/202311/content_6913823.html",
    2025: "2024/issue_11726/202411/content_6989767.html",
    2026: "2025/issue_12406/202511/content_7048922.html",
}


def _days(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def published(year: int) -> dict[str, Any]:
    """Raises ValueError where the two packages do not say the same of a day."""
    other = holidays.country_holidays("CN", years=year)
    for day in _days(year):
        if is_workday(day) != other.is_working_day(day):
            raise ValueError(f"{day}: the packages do not agree")
    return {
        "notice": NOTICES[year],
        "provisional": False,
        "off": [f"{day:%m-%d}" for day in _days(year) if day in constants.holidays],
        "work": [f"{day:%m-%d}" for day in _days(year) if day in constants.workdays],
    }


def provisional(year: int) -> dict[str, Any]:
    """Statutory days, those by the moon as they are calculated; no days are exchanged yet."""
    known = holidays.country_holidays("CN", years=year)
    return {
        "notice": None,
        "provisional": True,
        "off": [f"{day:%m-%d}" for day in _days(year) if day in known],
        "work": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    last_published = max(day.year for day in constants.holidays)
    years = {
        str(year): published(year) if year <= last_published else provisional(year) for year in range(FIRST, LAST + 1)
    }
    lines = ",\n".join(f'  "{year}": {json.dumps(days)}' for year, days in years.items())
    source = json.dumps(SOURCE, ensure_ascii=False)
    out.write_text(f'{{\n "region": "CN",\n "source": {source},\n "years": {{\n{lines}\n }}\n}}\n')


if __name__ == "__main__":
    main()
