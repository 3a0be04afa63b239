"""Bulk upserts of master data: every item is looked at by itself, the good ones are written together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, TypeAdapter

from activities.partners.places import renew_network
from contracts.divisions import wrong_prefix
from contracts.refusals import Refusal
from infra.mongo import Collection, Mongo, Session, UpdateOne
from workers.gateway.body import parse
from workers.gateway.faults import codes_of
from workers.gateway.results import counted, refused_item
from workers.gateway.services import Gateway

Model = TypeVar("Model", bound=BaseModel)
Outcome = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Written:
    outcomes: Mapping[str, Outcome]
    network_version: int


@dataclass(slots=True)
class Upserts(Generic[Model]):
    """What a bulk request holds: good items by their id, the ids by place in the list, and the refusals."""

    good: dict[str, Model] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)
    refusals: dict[int, Refusal] = field(default_factory=dict)

    def answer(self, written: Written) -> dict[str, Any]:
        """A result for each item, in their order."""
        results = [
            refused_item(index, self.refusals[index])
            if index in self.refusals
            else _result(index, self.ids[index], written.outcomes[self.ids[index]])
            for index in range(len(self.ids) + len(self.refusals))
        ]
        return counted(results, network_version=written.network_version)


def read_upserts(
    gateway: Gateway,
    values: list[Any],
    adapter: TypeAdapter[Model],
    check: Callable[[Model], None],
    key: str = "id",
) -> Upserts[Model]:
    """`check` raises Refusal for what no schema can say; `key` names the field that is the item's id."""
    read: Upserts[Model] = Upserts()
    for index, value in enumerate(values):
        try:
            item = parse(adapter, value)
            check(item)
            item_id: str = getattr(item, key)
            if item_id in read.good:
                detail = f"{item_id} comes twice in this request."
                raise Refusal("listed_twice", detail, remedy="Send each once.", field=key)
            read.good[item_id], read.ids[index] = item, item_id
        except Refusal as refusal:
            read.refusals[index] = refusal
            gateway.refusals.note(codes_of(refusal))
    return read


def refuse_wrong_prefixes(prefixes: Mapping[str, str]) -> None:
    """Beginnings of division codes by the field that holds them. Raises Refusal for the first that begins none."""
    for name, prefix in prefixes.items():
        wrong = wrong_prefix(prefix)
        if wrong is not None:
            detail, _, remedy = wrong.partition("; ")
            remedy = remedy or "write two, four or six digits of a code that exists"
            raise Refusal("division_unknown", f"{detail}.", remedy=f"{remedy[0].upper()}{remedy[1:]}.", field=name)


async def write_upserts(mongo: Mongo, collection: Collection, documents: Mapping[str, Mapping[str, Any]]) -> Written:
    """Write the fields of documents by id; those that changed take their next version, and the network does.

    An item that is sent as it is known keeps its version, and nobody need read the network anew.
    """

    async def work(session: Session) -> Written:
        wanted = {"_id": {"$in": sorted(documents)}}
        known = {row["_id"]: row async for row in collection.find(wanted, session=session)}
        outcomes: dict[str, Outcome] = {}
        writes = []
        for item, fields in documents.items():
            before = known.get(item)
            if before is not None and all(name in before and before[name] == fields[name] for name in fields):
                outcomes[item] = "unchanged"
                continue
            outcomes[item] = "updated" if before else "created"
            version = before.get("version", 0) + 1 if before else 1
            writes.append(UpdateOne({"_id": item}, {"$set": {**fields, "version": version}}, upsert=True))
        if writes:
            await collection.bulk_write(writes, ordered=False, session=session)
            await renew_network(mongo, session)
        return Written(outcomes, await network_version(mongo, session))

    return await mongo.transaction(work)


async def network_version(mongo: Mongo, session: Session | None = None) -> int:
    counter = await mongo.counters.find_one({"_id": "network"}, session=session)
    return counter["version"] if counter else 0


def _result(index: int, item: str, outcome: Outcome) -> dict[str, Any]:
    return {"index": index, "status": 201 if outcome == "created" else 200, "id": item, "outcome": outcome}
