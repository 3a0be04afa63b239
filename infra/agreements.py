"""Agreements in MongoDB, with names, addresses, links and words of persons sealed."""

from contracts.agreement_record import Agreement
from infra.mongo import Mongo, Session
from infra.sealing import Sealing

_COLLECTION = "agreements"


class Agreements:
    """The one place that reads and writes them."""

    def __init__(self, mongo: Mongo, sealing: Sealing) -> None:
        self.mongo = mongo
        self._sealing = sealing

    async def find(self, agreement: str, session: Session | None = None) -> Agreement | None:
        return await self._one({"_id": agreement}, session)

    async def newest(self, application: str) -> Agreement | None:
        """Of an application, of which every renewal makes another."""
        return await self._one({"application": application}, None)

    async def insert(self, agreement: Agreement) -> None:
        """Raises DuplicateKeyError."""
        await self.mongo.agreements.insert_one(self._sealing.row(agreement, _COLLECTION))

    async def replace(self, agreement: Agreement, session: Session) -> None:
        row = self._sealing.row(agreement, _COLLECTION)
        await self.mongo.agreements.replace_one({"_id": agreement.id}, row, session=session)

    async def _one(self, query: dict[str, str], session: Session | None) -> Agreement | None:
        row = await self.mongo.agreements.find_one(query, sort=[("number", -1)], session=session)
        return Agreement.from_row(self._sealing.opened(row, _COLLECTION)) if row else None
