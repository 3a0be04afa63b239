"""From whom a series would be bought, and how long that takes: as buying chooses, with all that is known now."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import ceil

from activities.buying.choosing import Known, choose
from activities.buying.sources import known_of
from activities.supply.planned import Key
from activities.supply.reading import calendar_days, lead_of, read_leads, read_sourcing
from activities.supply.table import DemandTable
from contracts.partner_events import Bilingual
from contracts.partners import Location
from contracts.supply import LeadTime, Sourcing
from infra.mongo import Mongo

_CALENDAR = 7 / 5
"""Calendar days of a working day, for deviations."""


@dataclass(frozen=True, slots=True)
class Supply:
    """The supplier that was chosen. `days`: calendar days of its lead, from today."""

    sourcing: Sourcing
    lead: LeadTime
    days: int
    deviation_days: float
    why: list[Bilingual]


@dataclass(frozen=True, slots=True)
class Sources:
    """Rows by SKU, what is known of their suppliers, and lead times learned by supplier and location."""

    rows: Mapping[str, Sequence[Sourcing]]
    known: Known
    learned: Mapping[Key, LeadTime]

    def of(self, place: Location, sku: str, today: date, needed: int) -> Supply | None:
        """None: nobody supplies it there. `needed`: units by which minimum and multiple are weighed. Who reports fewer
        is not left out, as long as it has any: what it has is shared among all that want it."""
        suppliers = {one.supplier for one in self.rows.get(sku, ())}
        leads = {one: self.learned[one, place.id] for one in suppliers if (one, place.id) in self.learned}
        known = replace(self.known, lead_times=leads)
        best = choose(self.rows.get(sku, ()), max(needed, 1), place.division, known, today, least=1).best
        if best is None:
            return None
        lead = lead_of(best.source, place.id, self.learned)
        return Supply(best.source, lead, calendar_days(lead, today), lead.deviation * _CALENDAR, list(best.why))

    def price(self, sku: str) -> int:
        """The least at which it is bought anywhere; 0 where nobody sells it to us."""
        return min((one.price for one in self.rows.get(sku, ())), default=0)


def weekly(table: DemandTable) -> dict[Key, int]:
    """Units of each series that a week asks for, by its last weeks; at least one. What is really short is known only
    when the lead time is, and so the supplier."""
    means = table.demand[:, -table.rhythm.level :].mean(axis=1)
    return {key: max(ceil(7 * mean), 1) for key, mean in zip(table.series, means, strict=True)}


async def read_sources(mongo: Mongo, now: datetime, skus: Set[str], places: Sequence[str]) -> Sources:
    rows = await read_sourcing(mongo, skus)
    flat = [one for several in rows.values() for one in several]
    known = await known_of(mongo, flat, "", now)
    return Sources(rows, known, await read_leads(mongo, {one.supplier for one in flat}, places))
