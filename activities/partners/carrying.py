"""The activities of a partner's life. Each may be repeated at any time: what was done is found done."""

from temporalio import activity

from activities.heartbeat import heartbeats
from activities.onboarding.provisioning import Access
from activities.partners.living import carry_out, conclude_renewal, expire, leave, remind, stand, urge
from contracts.failures import failure_of
from contracts.lifecycle import (
    CARRY_OUT,
    EXPIRE,
    LEAVE,
    REMIND,
    RENEWED,
    STAND,
    URGE,
    CarryOut,
    Remind,
    Renewed,
    Standing,
    Step,
    Urge,
)
from contracts.refusals import Refusal
from infra.mongo import Mongo


class PartnerActivities:
    """`access` ends keys and credentials of a partner that leaves."""

    def __init__(self, mongo: Mongo, access: Access) -> None:
        self._mongo = mongo
        self._access = access

    @activity.defn(name=STAND)
    async def stand(self, step: Step) -> Standing:
        """How it stands; nothing is done."""
        return await stand(self._mongo, step.partner)

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        try:
            return await carry_out(self._mongo, step)
        except Refusal as refusal:
            raise failure_of(refusal) from refusal

    @activity.defn(name=REMIND)
    async def remind(self, step: Remind) -> Standing:
        return await remind(self._mongo, step)

    @activity.defn(name=EXPIRE)
    async def expire(self, step: Step) -> Standing:
        return await expire(self._mongo, step)

    @activity.defn(name=URGE)
    async def urge(self, step: Urge) -> Standing:
        return await urge(self._mongo, step)

    @activity.defn(name=RENEWED)
    async def renewed(self, step: Renewed) -> Standing:
        return await conclude_renewal(self._mongo, step)

    @activity.defn(name=LEAVE)
    async def leave(self, step: Step) -> Standing:
        """Its access ends after it is written that it is terminated; cut off in between, this is done again."""
        async with heartbeats():
            standing = await leave(self._mongo, step)
            if standing.state == "terminated":
                await self._access.revoke(step.partner)
            return standing
