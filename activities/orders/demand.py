"""What an order wants of the router: units per line, and the groups of lines that are shipped as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from activities.orders.moves import residual
from contracts.orders import OrderState
from contracts.routing import Policy
from contracts.settlement import WHOLE_BP
from contracts.skus import Article

UNKNOWN = Article(id="")


@dataclass(frozen=True, slots=True)
class Demand:
    """What must be shipped for one order: units per line, to a WGS84 point in a division."""

    order: str
    channel: str
    lat: float
    lon: float
    lines: Sequence[tuple[int, str, int]]
    """(line number, SKU, units)"""
    excluded: Sequence[str]
    attempt: int
    division: str = ""
    deadline: datetime | None = None
    """The promise to the customer; None: the policy's, from now on."""
    placed_at: datetime | None = None
    patient: bool = True
    """May wait where its goods are worth more to others; one that is yet to be paid for would be cancelled instead."""
    values: Mapping[int, int] = field(default_factory=dict)
    """Price of a unit by line, in minor units; 0 where it is not known."""
    together: Mapping[int, str] = field(default_factory=dict)
    """Lines with the same word are shipped from one location."""

    def value(self) -> int:
        return sum(self.values.get(line, 0) * units for line, _, units in self.lines)

    def margin(self, policy: Policy) -> float:
        """What is lost with the sale, in minor units."""
        return self.value() * policy.margin_bp / WHOLE_BP


def demand_of(order: OrderState, policy: Policy | None = None) -> Demand:
    """What an order still wants from the router."""
    lines = {line.line: line for line in order.lines}
    wanted = residual(order)
    return Demand(
        order=order.id,
        channel=order.channel,
        lat=order.lat,
        lon=order.lon,
        lines=[(line, lines[line].sku, units) for line, units in wanted.items()],
        excluded=order.excluded,
        attempt=order.attempt + 1,
        division=order.division,
        deadline=policy.deadline(order.placed_at, order.deliver_by) if policy else order.deliver_by,
        placed_at=order.placed_at,
        patient=order.payment.method != "later",
        values={line: lines[line].unit_price for line in wanted},
        together={line: word for line in wanted if (word := lines[line].together) is not None},
    )


def added_up(entries: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Units by SKU, in the order in which the SKUs come."""
    units: dict[str, int] = {}
    for sku, count in entries:
        units[sku] = units.get(sku, 0) + count
    return units


def size_of(units: Mapping[str, int], articles: Mapping[str, Article]) -> tuple[int, int]:
    """Weight in grams and volume in cubic centimetres of some units by SKU."""
    known = [(articles.get(sku, UNKNOWN), count) for sku, count in units.items()]
    return sum(one.weight_g * count for one, count in known), sum(one.volume_cm3 * count for one, count in known)


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that come from one location as long as any has them all: one SKU, or lines to be kept together."""

    units: dict[str, int]
    weight_g: int
    volume_cm3: int
    value: int


def groups_of(demand: Demand, articles: Mapping[str, Article]) -> list[Group]:
    """Lines of the same SKU make one group; so do lines with the same word, with all that shares a SKU with them."""
    if not demand.together:
        by_sku: dict[str, list[tuple[int, str, int]]] = {}
        for entry in demand.lines:
            by_sku.setdefault(entry[1], []).append(entry)
        return [_group(lines, demand, articles) for lines in by_sku.values()]
    owner: dict[str, int] = {}
    members: dict[int, list[tuple[int, str, int]]] = {}
    for number, (line, sku, units) in enumerate(demand.lines):
        keys = [f"sku:{sku}"] + ([f"word:{demand.together[line]}"] if line in demand.together else [])
        homes = {owner[key] for key in keys if key in owner}
        home = min(homes, default=number)
        merged = [entry for other in sorted(homes) for entry in members.pop(other)]
        members[home] = [*merged, (line, sku, units)]
        for key, value in list(owner.items()):
            if value in homes:
                owner[key] = home
        owner.update(dict.fromkeys(keys, home))
    return [_group(members[home], demand, articles) for home in sorted(members)]


def _group(lines: Sequence[tuple[int, str, int]], demand: Demand, articles: Mapping[str, Article]) -> Group:
    units = added_up((sku, count) for _, sku, count in lines)
    value = sum(demand.values.get(line, 0) * count for line, _, count in lines)
    return Group(units, *size_of(units, articles), value)
