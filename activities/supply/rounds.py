"""Delivery rounds: which vehicle of a source takes which transfers in which order, and what that costs (PyVRP).

Distances are great circles times DETOUR, because no road network is at hand; costs are whole minor units. Pure: the
same stops and seed give the same rounds, as the search ends by its iterations and not by the clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from contracts.geo import haversine_km
from contracts.money import share
from contracts.replenishing import TransferTerms

DETOUR = 1.3
"""Roads are longer than the line through the air by about so much (Ballou, Rahardja and Sakai 2002: 1.2 to 1.5)."""
_ITERATIONS = 2_000
_WITHOUT_GAIN = 400
_SEED = 1


@dataclass(frozen=True, slots=True)
class Stop:
    """What goes to one destination; `kg` may exceed a vehicle, it is then split over several."""

    destination: str
    lat: float
    lon: float
    kg: float


@dataclass(frozen=True, slots=True)
class Round:
    """One vehicle's way: destinations in their order, and what it costs in minor units."""

    source: str
    stops: tuple[str, ...]
    km: float
    hours: float
    kg: float
    cost: int


@dataclass(frozen=True, slots=True)
class Rounds:
    """`left`: destinations that no vehicle reaches within a day's hours, or for which vehicles do not suffice."""

    rounds: tuple[Round, ...]
    left: tuple[str, ...]

    @property
    def cost(self) -> int:
        return sum(one.cost for one in self.rounds)

    @property
    def km(self) -> float:
        return sum(one.km for one in self.rounds)


def plan_rounds(source: str, at: tuple[float, float], stops: Sequence[Stop], terms: TransferTerms) -> Rounds:
    """Rounds from a source and back. `at`: its latitude and longitude, degrees of WGS84."""
    reachable = [stop for stop in stops if _hours(2 * _km(at, (stop.lat, stop.lon)), 1, terms) <= terms.round_hours]
    far = tuple(stop.destination for stop in stops if stop not in reachable)
    if not reachable:
        return Rounds((), far)
    loads = [load for stop in reachable for load in _split(stop, terms.vehicle_kg)]
    rounds = tuple(_round(source, at, [loads[n] for n in visits], terms) for visits in _search(at, loads, terms))
    served = {stop for one in rounds for stop in one.stops}
    late = tuple(stop.destination for stop in reachable if stop.destination not in served)
    return Rounds(rounds, far + late)


def _split(stop: Stop, most: int) -> list[Stop]:
    """In parts that fit a vehicle."""
    whole, rest = divmod(stop.kg, most)
    parts = [float(most)] * int(whole) + ([rest] if rest > 0 or not whole else [])
    return [Stop(stop.destination, stop.lat, stop.lon, kg) for kg in parts]


def _search(at: tuple[float, float], loads: Sequence[Stop], terms: TransferTerms) -> list[list[int]]:
    """Places of loads in the order of each vehicle's visits. Metres, seconds, grammes.

    What is not carried costs more than any vehicle would.
    """
    # Where there are rounds to reckon: who only reads them need not load it.
    from pyvrp import Model
    from pyvrp.stop import MaxIterations, MultipleCriteria, NoImprovement

    model = Model()
    points = [at, *((load.lat, load.lon) for load in loads)]
    spots = [model.add_location(point[1], point[0]) for point in points]
    depot = model.add_depot(spots[0])
    dear = 10 * (terms.vehicle_fixed + 1) * 1_000 + 10 * terms.per_km * 1_000 * 1_000
    for spot, load in zip(spots[1:], loads, strict=True):
        grammes = max(1, round(load.kg * 1_000))
        model.add_client(spot, grammes, service_duration=terms.stop_minutes * 60, prize=dear, required=False)
    model.add_vehicle_type(
        terms.vehicles,
        terms.vehicle_kg * 1_000,
        depot,
        depot,
        fixed_cost=terms.vehicle_fixed * 1_000,
        shift_duration=round(terms.round_hours * 3_600),
        unit_distance_cost=max(1, terms.per_km),
    )
    for frm, a in zip(spots, points, strict=True):
        for to, b in zip(spots, points, strict=True):
            metres = round(_km(a, b) * 1_000)
            model.add_edge(frm, to, metres, round(metres / 1_000 / terms.km_per_hour * 3_600))
    stop = MultipleCriteria([MaxIterations(_ITERATIONS), NoImprovement(_WITHOUT_GAIN)])
    best = model.solve(stop, seed=_SEED, collect_stats=False, display=False).best
    return [[visit.idx for visit in route if visit.is_client()] for route in best.routes()]


def _round(source: str, at: tuple[float, float], loads: Sequence[Stop], terms: TransferTerms) -> Round:
    points = [at, *((load.lat, load.lon) for load in loads), at]
    km = sum(_km(a, b) for a, b in pairwise(points))
    return Round(
        source=source,
        stops=tuple(load.destination for load in loads),
        km=round(km, 3),
        hours=round(_hours(km, len(loads), terms), 3),
        kg=round(sum(load.kg for load in loads), 3),
        cost=terms.vehicle_fixed + round(km * terms.per_km),
    )


def _km(a: tuple[float, float], b: tuple[float, float]) -> float:
    return haversine_km(*a, *b) * DETOUR


def _hours(km: float, stops: int, terms: TransferTerms) -> float:
    return km / terms.km_per_hour + stops * terms.stop_minutes / 60


def shares(rounds: Rounds, kg: Mapping[str, float]) -> dict[str, int]:
    """What each destination bears of the rounds that serve it: by weight, whole minor units, nothing lost."""
    borne: dict[str, int] = {}
    for one in rounds.rounds:
        weights = [max(1, round(kg.get(stop, 0) * 1_000)) for stop in one.stops]
        for stop, part in zip(one.stops, share(one.cost, weights), strict=True):
            borne[stop] = borne.get(stop, 0) + part
    return borne
