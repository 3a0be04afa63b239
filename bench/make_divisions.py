"""Builds contracts/data/divisions.csv and populations.csv: python bench/make_divisions.py SOURCES OUT

SOURCES is a folder with the files named below; contracts/data/README.md says where they come from.
"""

import argparse
import csv
import json
from collections.abc import Iterator
from pathlib import Path

from contracts.geo import Point, to_wgs84

NAMES = "china_divisions/xiangyuecn_level3_pinyin.csv"
CENTRES = "china_divisions/88250_city_geo_latlng.json"
POPULATION = "china_stats/population_by_province_2015_2024_nbs.csv"
POPULATION_YEAR = 2024

MUNICIPALITIES = {"110100": "北京市", "120100": "天津市", "310100": "上海市", "500100": "重庆市"}
"""GB/T 2260 calls these only "municipal districts"; a reader wants the city's name."""
RENAMED = {**MUNICIPALITIES, "500200": "重庆市所辖县"}
PINYIN = {"220200": "jilin", "500100": "chongqing", "500200": "chongqing-counties"}
UNLISTED = {"232761", "632825", "460301"}
"""In the source, but not codes of the ministry's list of the end of 2024."""
LISTED_LATER = {
    "460302": ("西沙区", "xisha"),
    "460303": ("南沙区", "nansha"),
    "653228": ("和康县", "hekang"),
    "653229": ("和安县", "hean"),
}
"""Codes of the ministry's list of the end of 2024 that the source lacks, or has under another name."""

BY_HAND = {
    "130500": (37.06217, 114.49272),
    "460300": (16.83912, 112.34064),
    "460400": (19.52134, 109.57895),
    "513200": (31.90059, 102.22092),
    "522300": (25.09617, 104.90639),
    "532500": (23.36779, 103.38212),
    "630200": (36.48000, 102.41639),
    "710000": (25.05306, 121.52639),
    "810000": (22.27832, 114.17469),
    "820000": (22.20056, 113.54611),
}
"""WGS84 (lat, lon) of the seat, from GeoNames, where the source has none or another town."""
CENSUS_2020 = {"710000": 23_561_236, "810000": 7_474_200, "820000": 683_218}

Row = dict[str, str]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("sources", type=Path)
    arguments.add_argument("out", type=Path)
    given = arguments.parse_args()
    rows = divisions(given.sources)
    write(given.out / "divisions.csv", ["code", "name", "level", "parent", "pinyin", "lon", "lat"], rows)
    write(given.out / "populations.csv", ["code", "year", "people"], list(populations(given.sources, rows)))


def divisions(sources: Path) -> list[Row]:
    named = dict(names(sources / NAMES))
    centres = centres_of(sources / CENTRES, {code: name for code, (name, _) in named.items()})
    return [row(code, *named[code], centres.get(code)) for code in sorted(named)]


def names(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Code, and name with pinyin."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        for source in csv.DictReader(lines):
            code = source["id"].ljust(6, "0")
            below_taiwan = code.startswith("71") and code != "710000"
            abroad = code.startswith("91")
            if len(code) == 6 and code not in UNLISTED and not below_taiwan and not abroad:
                pinyin = PINYIN.get(code, source["pinyin"].replace(" ", ""))
                yield code, (RENAMED.get(code, source["ext_name"]), pinyin)
    yield from LISTED_LATER.items()


def centres_of(path: Path, names_by_code: dict[str, str]) -> dict[str, tuple[float, float]]:
    """WGS84 (lat, lon) of each prefecture. The source is in BD09."""
    at = {(place["province"], place["city"]): place for place in json.loads(path.read_text()) if not place["area"]}
    centres = {}
    for code, name in names_by_code.items():
        if level(code) != "prefecture" or code == "500200" or code in BY_HAND:
            continue
        city = "市辖区" if code in MUNICIPALITIES else name
        place = at[names_by_code[code[:2] + "0000"], city]
        point = to_wgs84(Point(lat=float(place["lat"]), lon=float(place["lng"]), datum="BD09"))
        centres[code] = (point.lat, point.lon)
    return centres | BY_HAND


def row(code: str, name: str, pinyin: str, centre: tuple[float, float] | None) -> Row:
    lat, lon = (f"{degrees:.5f}" for degrees in centre) if centre else ("", "")
    shown = pinyin if level(code) != "county" else ""
    known = {"code": code, "name": name, "level": level(code), "parent": parent(code)}
    return known | {"pinyin": shown, "lon": lon, "lat": lat}


def level(code: str) -> str:
    return "province" if code.endswith("0000") else "prefecture" if code.endswith("00") else "county"


def parent(code: str) -> str:
    """Counties that a province governs itself have 90 in the place of the prefecture."""
    if level(code) == "province":
        return ""
    return code[:2] + "0000" if level(code) == "prefecture" or code[2:4] == "90" else code[:4] + "00"


def populations(sources: Path, rows: list[Row]) -> Iterator[Row]:
    codes = {row["name"]: row["code"] for row in rows if row["level"] == "province"}
    lines = (sources / POPULATION).read_text(encoding="utf-8-sig").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("地区"))
    for source in csv.DictReader(lines[start:]):
        if source["地区"] in codes:
            people = int(source[f"{POPULATION_YEAR}年"]) * 10_000
            yield {"code": codes[source["地区"]], "year": str(POPULATION_YEAR), "people": str(people)}
    for code, people in CENSUS_2020.items():
        yield {"code": code, "year": "2020", "people": str(people)}


def write(path: Path, columns: list[str], rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
