"""The activities that carry an application from stage to stage. Each may be repeated: what was done is found done."""

from temporalio import activity

from activities.onboarding.deciding import carry_out, move, remind
from contracts.failures import failure_of
from contracts.onboarding import CARRY_OUT, MOVE, REMIND, CarryOut, Move, Remind, Standing
from contracts.refusals import Refusal
from infra.mongo import Mongo


class OnboardingActivities:
    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        try:
            return await carry_out(self._mongo, step)
        except Refusal as refusal:
            raise failure_of(refusal) from refusal

    @activity.defn(name=MOVE)
    async def move(self, step: Move) -> Standing:
        """The process goes on by itself."""
        return await move(self._mongo, step)

    @activity.defn(name=REMIND)
    async def remind(self, step: Remind) -> Standing:
        """Whose turn it is, until when."""
        return await remind(self._mongo, step)
