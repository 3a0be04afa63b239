"""A workflow that asks for purchase orders, as a run of replenishment does when its proposals are approved."""

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.buying import TASK_QUEUE
    from contracts.supply import ORDER, OrderAsked


@workflow.defn
class AskAll:
    @workflow.run
    async def run(self, asked: list[OrderAsked]) -> list[str]:
        """All at once."""
        return await asyncio.gather(*(self._ask(one) for one in asked))

    async def _ask(self, asked: OrderAsked) -> str:
        made: str = await workflow.execute_activity(
            ORDER,
            asked,
            task_queue=TASK_QUEUE,
            result_type=str,
            start_to_close_timeout=timedelta(minutes=2),
            heartbeat_timeout=timedelta(seconds=6),
        )
        return made


ASKERS = [AskAll]
