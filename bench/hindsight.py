"""The hindsight optimum: what could have been done knowing all orders. A lower bound on cost, by linear programming.

Every way to put lines of an order into one parcel from one location is a variable with its exact cost; an order is
shipped whole or lost whole; stock is not exceeded. Variables may be fractions, so that no real plan can cost less than
the answer. Of each parcel only the cheapest locations are looked at; all others stand together as one without a limit
of its own at the cost of the cheapest of them, which again only lowers the bound. Solved by HiGHS's interior point.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

from activities.orders.choosing import look
from activities.orders.network import Availability
from bench.routing_world import World
from contracts.routing import Policy

CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Bound:
    """`total`: minor units; `lost` and `parcels`: of that optimum, fractions included.

    `least_lost`: units that every plan loses, also one that cares for nothing else.
    """

    total: float
    shipping: float
    lost: float
    parcels: float
    shipped: float
    least_lost: float


class _Program:
    """A linear program as it is put together, column by column."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.entries: tuple[list[int], list[int]] = ([], [])
        self.rows: dict[object, int] = {}

    def column(self, cost: float, rows: list[object]) -> int:
        number = len(self.costs)
        self.costs.append(cost)
        for row in rows:
            self.entries[0].append(self.rows.setdefault(row, len(self.rows)))
            self.entries[1].append(number)
        return number


def hindsight(world: World, policies: Mapping[str, Policy]) -> Bound:
    stock = world.availability()
    program = _Program()
    lost: list[tuple[int, int]] = []
    parcels: list[tuple[int, int]] = []
    lines: list[tuple[object, ...]] = []
    for number, (placed, demand) in enumerate(world.orders):
        policy = policies[demand.channel]
        view = look(demand, stock, world.network, policy, None, placed)
        rows: list[object] = [("line", number, sku) for sku in view.units]
        lines.extend(rows)  # type: ignore[arg-type]
        lost.append((program.column(demand.margin(policy), rows), len(rows)))
        for block in range(1, 1 << len(view.groups)):
            groups = [group for n, group in enumerate(view.groups) if block >> n & 1]
            skus = [sku for group in groups for sku in group.units]
            has = view.eligibility.able & np.all([stock.of(sku) > 0 for sku in skus], axis=0)
            price = view.costing.parcel(sum(g.weight_g for g in groups), sum(g.volume_cm3 for g in groups))
            places = np.flatnonzero(has & np.isfinite(price))
            places = places[np.argsort(price[places], kind="stable")]
            for rank, place in enumerate(places[: CANDIDATES + 1].tolist()):
                own = [("shelf", place, sku) for sku in skus] if rank < CANDIDATES else []
                shared = [("sku", sku) for sku in skus]
                column = program.column(float(price[place]), [*(("line", number, sku) for sku in skus), *own, *shared])
                parcels.append((column, len(skus)))
    return _solved(program, stock, world, lost, parcels)


def _solved(
    program: _Program, stock: Availability, world: World, lost: list[tuple[int, int]], parcels: list[tuple[int, int]]
) -> Bound:
    least, most = np.full(len(program.rows), -highspy.kHighsInf), np.zeros(len(program.rows))
    for row, number in program.rows.items():
        match row:
            case ("line", _, _):
                least[number] = most[number] = 1.0
            case ("shelf", int(place), str(sku)):
                most[number] = stock.of(sku)[place]
            case ("sku", str(sku)):
                most[number] = stock.of(sku).sum()
    values = _solve(np.array(program.costs), program.entries, least, most)
    units_lost = np.zeros(len(program.costs))
    for column, units in lost:
        units_lost[column] = units
    fewest_lost = _solve(units_lost, program.entries, least, most)
    gone = sum(values[column] * units for column, units in lost)
    shipped = sum(units for _, units in lost) - gone
    total = float(np.array(program.costs) @ values)
    lost_cost = sum(values[column] * program.costs[column] for column, _ in lost)
    return Bound(
        total=total,
        shipping=total - float(lost_cost),
        lost=float(gone),
        parcels=float(sum(values[column] for column, _ in parcels)),
        shipped=float(shipped),
        least_lost=float(units_lost @ fewest_lost),
    )


def _solve(
    costs: NDArray[np.float64],
    entries: tuple[list[int], list[int]],
    least: NDArray[np.float64],
    most: NDArray[np.float64],
) -> NDArray[np.float64]:
    matrix = csc_matrix((np.ones(len(entries[0])), entries), shape=(len(least), len(costs)))
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(costs), len(least)
    program.col_cost_ = costs
    program.col_lower_, program.col_upper_ = np.zeros(len(costs)), np.full(len(costs), highspy.kHighsInf)
    program.row_lower_, program.row_upper_ = least, most
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
    program.a_matrix_.value_ = matrix.data
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("solver", "ipm")
    solver.setOptionValue("run_crossover", "off")
    solver.passModel(program)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"the hindsight program was not solved: {solver.getModelStatus()}")
    return np.array(solver.getSolution().col_value)
