"""The plot of characters that `tongqu supply why` shows, line by line."""

from datetime import date, timedelta
from typing import Any

import pytest
from rich.cells import cell_len

from contracts.supply import QUANTILES, Forecast, Position, Target
from workers.cli.supply_plot import bars, plot_of

TODAY = date(2026, 3, 2)


def why(sold: list[float], there: int = 20, out: tuple[int, ...] = (), known: bool = True) -> dict[str, Any]:
    """As the API answers it: sums of 4 days are 50 at a quantile of 0.5, and in a straight line around it."""
    forecast = Forecast(
        id="r:a:tea",
        run="r",
        location="a",
        sku="tea",
        demand_class="smooth",
        model="SBA",
        protection_days=4,
        mean=50,
        deviation=1,
        quantiles=[100 * level for level in QUANTILES],
        daily=[10, 10, 20, 10],
        as_of=TODAY,
    )
    first = TODAY - timedelta(days=len(sold))
    history = [
        {"day": f"{first + timedelta(days=number)}", "sold": units, "censored": number in out}
        for number, units in enumerate(sold)
    ]
    return {
        "proposal": {"explanation": {"position": Position(on_hand=there + 2, reserved=2).model_dump(mode="json")}},
        "forecast": forecast.model_dump(mode="json") if known else None,
        "target": Target(reorder_point=60, order_up_to=100, level=0.9).model_dump(mode="json") if known else None,
        "history": history,
    }


def test_heights_are_shares_of_the_highest_day() -> None:
    assert bars([0, 1, 2, 3, 4, 5, 6, 7, 8], 8) == "·▁▂▃▄▅▆▇█"
    assert bars([0.01, 800, 900], 800) == "▁██"
    assert bars([0, 0], 0) == "··" and bars([], 0) == ""


def test_every_line_is_as_it_should_be() -> None:
    lines = list(plot_of(why([0, 5, 10, 20, 20, 0], out=(1, 5)), 57, "en"))
    assert lines == [
        "Asked for each day, 2026-02-24 to 2026-03-01 (up to 20)",
        "·▂▄██·│▄▄█▄",
        " ×   ×",
        "  then expected for 4 days",
        "  × out of stock for a part of the day: at least so many were asked for",
        "",
        "The sum of 4 days, and what there is",
        "demand      50 │  ░░░░░░░░▒▒▒▒▒▒▒▒▒▒┃▒▒▒▒▒▒▒▒▒▒░░░░░░░░",
        "position    20 │█████████",
        "reorder at  60 │                        ▲",
        "fill up to 100 │                                        ▲",
        "               └0─────────────────────────────────────100",
        "  ▒ 50 % and ░ 90 % of such sums, ┃ their mean",
    ]


def test_what_is_owed_stands_left_of_nothing() -> None:
    lines = {line.split()[0]: line for line in plot_of(why([1.0], there=-100), 100, "en") if "│" in line}
    after = {name: line.partition("│")[2] for name, line in lines.items()}
    zero = after["position"].rstrip().rindex("█")
    assert after["position"].startswith("█") and "-100" in lines["position"]
    assert zero < after["demand"].index("░") < after["demand"].index("┃") < after["reorder"].index("▲")
    assert not [1 for line in plot_of(why([1.0], there=0), 100, "en") if "█" in line and "position" in line]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [40, 80, 200])
def test_what_is_drawn_fits_and_its_axes_stand_below_each_other(language: Any, width: int) -> None:
    lines = list(plot_of(why([float(day % 9) for day in range(84)], out=(80,)), width, language))
    drawn = [line for line in lines if "│" in line or "└" in line]
    assert max(cell_len(line) for line in drawn) == width
    assert len({cell_len(line.partition("└" if "└" in line else "│")[0]) for line in drawn[1:]}) == 1
    newest, _, ahead = drawn[0].partition("│")
    assert (len(newest), len(ahead)) == (min(84, width - 5), 4)
    assert newest.endswith(bars([float(day % 9) for day in range(70, 84)], 20.0))
    assert lines[2].index("×") == len(newest) - 4
    first = TODAY - timedelta(days=len(newest))
    assert f"{first}" in lines[0] and ("Asked" in lines[0]) == (language == "en")


def test_without_its_forecast_the_past_is_drawn() -> None:
    lines = list(plot_of(why([2, 4], known=False), 80, "zh"))
    assert lines[1:] == ["▄█", "该次运行的预测已不再保存。"]
    assert list(plot_of(why([], known=False), 80, "en")) == ["", "The forecast of this run is kept no more."]
