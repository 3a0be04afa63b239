"""The test event, and looking for its acknowledgement, as the workflow sees it that waits for it."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.onboarding import LOOK_FOR_TEST, SEND_TEST, Look, Step, partner_of

from workflows.waiting import UNTIL_IT_WORKS

_SILENT_AT_MOST = timedelta(seconds=20)
_MARGIN_S = 60
_STEP_AT_MOST = timedelta(minutes=10)


class Looking:
    """Somebody looks, for so many seconds; when that is `done`, `seen` says whether it was acknowledged."""

    def __init__(self, application: str, for_s: float) -> None:
        look = Look(application=application, partner=partner_of(application), for_s=for_s)
        self._look: workflow.ActivityHandle[bool] = workflow.start_activity(
            LOOK_FOR_TEST,
            look,
            result_type=bool,
            start_to_close_timeout=timedelta(seconds=for_s + _MARGIN_S),
            heartbeat_timeout=_SILENT_AT_MOST,
            retry_policy=UNTIL_IT_WORKS,
            summary="is the test event acknowledged?",
        )

    @property
    def done(self) -> bool:
        return self._look.done()

    async def seen(self) -> bool:
        return await self._look

    def give_up(self) -> None:
        self._look.cancel()


async def send_test(step: Step) -> None:
    """Once for a step."""
    await workflow.execute_activity(
        SEND_TEST,
        step,
        start_to_close_timeout=_STEP_AT_MOST,
        retry_policy=UNTIL_IT_WORKS,
        summary="the test event",
    )
