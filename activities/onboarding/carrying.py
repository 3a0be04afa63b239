"""The activities that carry an application from stage to stage. Each may be repeated: what was done is found done."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeats
from activities.onboarding.deciding import carry_out, move, remind
from activities.onboarding.provisioning import CannotBeMade, Hands, provide, undo
from activities.onboarding.testing import look_for_test, send_test
from contracts.failures import failure_of
from contracts.onboarding import (
    CARRY_OUT,
    LOOK_FOR_TEST,
    MOVE,
    PROVISION,
    REMIND,
    SEND_TEST,
    UNDO,
    CarryOut,
    Look,
    Move,
    Provide,
    Remind,
    Standing,
    Step,
)
from contracts.refusals import Refusal


class OnboardingActivities:
    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._mongo = hands.mongo

    @activity.defn(name=CARRY_OUT)
    async def carry_out(self, step: CarryOut) -> Standing:
        """What somebody wants done. A refusal is not tried again."""
        try:
            return await carry_out(self._hands, step)
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

    @activity.defn(name=PROVISION)
    async def provision(self, asked: Provide) -> None:
        """One step of making the partner."""
        async with heartbeats():
            try:
                await provide(self._hands, asked)
            except CannotBeMade as error:
                raise ApplicationError(str(error), type=error.code, non_retryable=True) from error

    @activity.defn(name=UNDO)
    async def undo(self, asked: Provide) -> None:
        async with heartbeats():
            await undo(self._hands, asked)

    @activity.defn(name=SEND_TEST)
    async def send_test(self, step: Step) -> None:
        await send_test(self._mongo, step)

    @activity.defn(name=LOOK_FOR_TEST)
    async def look_for_test(self, asked: Look) -> bool:
        async with heartbeats():
            return await look_for_test(self._mongo, self._hands.js, asked)
