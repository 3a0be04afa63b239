"""A partner's way in: its API key, made when it is collected, and ended all at once."""

from infra.keys import Scope, create_key, revoke_keys
from infra.mongo import Mongo


class PartnerAccess:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def key(self, partner: str) -> str:
        """A further key of the partner; shown now and never again."""
        return await create_key(self._mongo, partner.lower(), [Scope.PARTNER], partner=partner)

    async def revoke(self, partner: str) -> None:
        """All of the partner's keys."""
        await revoke_keys(self._mongo, partner=partner)
