"""Opens cases, lets people and customers act, and lets time pass."""

import itertools
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.testing import WorkflowEnvironment

from activities.service.opening import open_case
from contracts.cases import LOOK, WORKFLOW, CaseEvent, CaseRecord, Doing, Live, Opening, new_case_id
from infra.cases import Cases
from infra.mongo import Mongo


class Floor:
    """`task_queue` keeps tests apart."""

    def __init__(self, cases: Cases, env: WorkflowEnvironment, task_queue: str) -> None:
        self.cases = cases
        self.env = env
        self.task_queue = task_queue
        self._numbers = itertools.count(1)

    @property
    def mongo(self) -> Mongo:
        return self.cases.mongo

    async def now(self) -> datetime:
        return await self.env.get_current_time()

    async def open(self, kind: Any = "complaint", **more: Any) -> str:
        """A case whose first step is done."""
        case = new_case_id()
        asked = Opening.model_validate({"kind": kind, "person": True, "region": "330106", **more})
        opened = await open_case(self.cases, case, asked, "app", await self.now())
        await self.look(opened.case)
        return opened.case

    async def look(self, case: str) -> WorkflowHandle[Any, Any]:
        """Something has come in; starts the workflow, if it does not run."""
        start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            WORKFLOW,
            Live(case=case),
            id=case,
            task_queue=self.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await self.env.client.execute_update_with_start_workflow(LOOK, start_workflow_operation=start)
        return await start.workflow_handle()

    async def happens(self, case: str, what: Doing, by: str = "lin", **data: Any) -> dict[str, Any]:
        """Carried out, or refused: what became of it."""
        text = data.pop("text", None)
        event = CaseEvent(
            id=f"{case}:e{next(self._numbers)}", case=case, at=await self.now(), by=by, what=what, data=data, text=text
        )
        await self.cases.write_events([event])
        await self.look(case)
        found = await self.cases.outcome(event.id)
        assert found is not None and found["taken"] is not None
        return dict(found["refused"] or {})

    async def passes(self, **span: float) -> None:
        await self.env.sleep(timedelta(**span))

    async def record(self, case: str) -> CaseRecord:
        found = await self.cases.find(case)
        assert found is not None
        return found

    async def told(self, case: str, kind: str) -> list[dict[str, Any]]:
        """Data of the events of a type about a case, in order."""
        import orjson

        rows = self.mongo.outbox.find({"events.type": kind}).sort("key", 1)
        events = [event async for row in rows for event in row["events"] if event["type"] == kind]
        bodies = [orjson.loads(event["body"]) for event in events]
        return [body["data"] for body in bodies if body["subject"] == case]
