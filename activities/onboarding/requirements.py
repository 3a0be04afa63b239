"""The requirement sets that there are: those that come with the system, and those that an operator has added."""

from contracts.requirements import Choice, RequirementSet, builtin_sets, choose
from infra.mongo import Mongo, Session


class UnknownSet(LookupError):
    """A pinned set that is not there; sets are never taken away, so somebody has deleted it by hand."""

    def __init__(self, pinned: str) -> None:
        super().__init__(f"there is no requirement set {pinned}")


class RequirementBook:
    """Sets never change, so those that were read are kept."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._kept: dict[str, RequirementSet] = dict(builtin_sets())

    async def pinned(self, name: str, session: Session | None = None) -> RequirementSet:
        """Raises UnknownSet."""
        if name not in self._kept:
            row = await self._mongo.requirement_sets.find_one({"_id": name}, session=session)
            if row is None:
                raise UnknownSet(name)
            self._kept[name] = _from(row)
        return self._kept[name]

    async def all(self) -> list[RequirementSet]:
        """Every version of every set."""
        added = {row["_id"]: _from(row) async for row in self._mongo.requirement_sets.find().sort("_id", 1)}
        return list({**builtin_sets(), **added}.values())

    async def choose(self, kind: str, region: str, categories: list[str]) -> Choice:
        return choose(await self.all(), kind, region, categories)


def _from(row: dict[str, object]) -> RequirementSet:
    return RequirementSet.model_validate({name: value for name, value in row.items() if name != "_id"})
