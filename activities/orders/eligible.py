"""Which locations may be asked for an order at all, and why the others may not. Pure."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from activities.orders.demand import Demand
from activities.orders.network import Availability, Network, Standing, chord_of
from activities.orders.tariffs import ready_at
from contracts.routing import Policy

REASONS = (
    "inactive",
    "channel",
    "region_licence",
    "no_carrier",
    "excluded",
    "radius",
    "closed",
    "capacity",
    "no_stock",
    "partial_stock",
)
"""Why a location is not chosen, in the order in which they are looked at; the first that holds is the one told."""


class Eligibility:
    """`able` by place; and the places that are ruled out, by reason, each under its first one."""

    def __init__(self, standing: Standing) -> None:
        self.able = standing.able
        self.ruled_out: dict[str, NDArray[np.intp]] = dict(standing.ruled_out)

    def keep(self, mask: NDArray[np.bool_], reason: str) -> None:
        """Rule out every place that is still able and not in the mask."""
        lost = self.able & ~mask
        if lost.any():
            self.ruled_out[reason] = np.flatnonzero(lost)
            self.able = self.able & mask

    def drop(self, places: Iterable[int], reason: str) -> None:
        lost = sorted(place for place in places if self.able[place])
        if lost:
            self.ruled_out[reason] = np.array(lost, dtype=np.intp)
            self.able = self.able.copy()
            self.able[lost] = False

    def reason_of(self, place: int) -> str | None:
        return next((reason for reason, places in self.ruled_out.items() if place in places), None)


def eligible(
    demand: Demand,
    stock: Availability,
    network: Network,
    policy: Policy,
    now: datetime,
    chords: NDArray[np.float64],
) -> Eligibility:
    """Everything but stock."""
    found = Eligibility(network.standing(demand.channel, demand.division))
    if demand.excluded:
        found.drop({network.index[one] for one in demand.excluded if one in network.index}, "excluded")
    if policy.radius_km is not None:
        found.keep(chords <= chord_of(policy.radius_km), "radius")
    if policy.hand_over_within_s is not None:
        found.keep(_in_time(network, now, policy.hand_over_within_s), "closed")
    if network.limited:
        found.drop(stock.full(now), "capacity")
    return found


def _in_time(network: Network, now: datetime, within_s: int) -> NDArray[np.bool_]:
    tariffs = network.tariffs
    waits = [(ready_at(schedule, now) - now).total_seconds() for schedule in tariffs.schedules]
    return np.array([wait <= within_s for wait in waits], dtype=bool)[tariffs.schedule_of]
