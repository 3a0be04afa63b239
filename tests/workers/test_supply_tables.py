"""What a planner reads of proposals at the terminal."""

import io

import pytest
from rich.console import Console

from contracts.supply import proposal_id
from workers.cli.console import print_whole
from workers.cli.supply_tables import proposals_table, transfers_table


@pytest.mark.parametrize("width", [40, 80, 160, 240])
def test_ids_of_proposals_stand_whole_however_narrow_the_terminal(width: int) -> None:
    ids = [proposal_id("run-7f3a9c21", "purchase", f"partner-{n}7f3a9c21", "store-hangzhou", "tea-250") for n in (1, 2)]
    position = dict.fromkeys(("on_hand", "purchases", "transfers_in", "reserved", "backorders", "transfers_out"), 0)
    row = {
        "kind": "purchase",
        "source": "partner-17f3a9c21",
        "location": "store-hangzhou",
        "sku": "tea-250",
        "quantity": 48,
        "value": 120_000,
        "currency": "CNY",
        "explanation": {"demand_mean": 40.0, "position": position, "order_up_to": 48.0},
        "state": "proposed",
    }
    text = io.StringIO()
    print_whole(proposals_table([{**row, "id": one} for one in ids]), Console(width=width, file=text))
    lines = text.getvalue().splitlines()
    assert all(any(one in line for line in lines) for one in ids)
    assert any("¥1200.00" in line and "proposed" in line for line in lines)


@pytest.mark.parametrize("width", [60, 160])
def test_ids_of_transfers_stand_whole_however_narrow_the_terminal(width: int) -> None:
    counts = {"asked": 9, "held": 9, "shipped": 9, "received": 4, "damaged": 1, "lost": 0}
    transfer = "st-supply-zhejiang-01m85b30s21xyq97pm-1566a3529e"
    row = {
        "id": transfer,
        "source": "store-hangzhou-1",
        "destination": "store-hangzhou-2",
        "state": "shipped",
        "lines": [{"sku": "tea", **counts}],
        "ship_by": "2026-11-24T06:00:00Z",
        "arrive_by": "2026-11-25T16:00:00Z",
    }
    text = io.StringIO()
    print_whole(transfers_table([row]), Console(width=width, file=text))
    line = next(line for line in text.getvalue().splitlines() if transfer in line)
    assert [cell.strip() for cell in line.strip("│").split("│")][3:6] == ["shipped", "9", "4"]
