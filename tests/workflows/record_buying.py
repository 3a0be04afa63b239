"""Records histories of purchase orders for the replay test: `.venv/bin/pytest tests/workflows/record_buying.py`."""

from contracts.buying import WORKFLOW
from contracts.supply import ApprovalLimit
from tests.workflows.buying import Purchasing
from tests.workflows.record_histories import _keep
from tests.workflows.test_buying import buying

__all__ = ["buying"]


async def test_record_an_order_from_approval_to_the_match(buying: Purchasing) -> None:
    supplier = await buying.supplier("sup-a", 100)
    process = await buying.order(supplier, limits=[ApprovalLimit(role="buyer")])
    await buying.do(process.id, approve={})
    await buying.says(process.id, "countered", lines=[{"line": 1, "quantity": 8}])
    await buying.stands(process.id, "countered")
    await buying.do(process.id, answer={"accept": True})
    await buying.pass_days(9)
    await buying.receive(process.id, "dn-1", ("tea", 8))
    lines = [{"line": 1, "quantity": 8, "unit_price": 100}]
    await buying.says(process.id, "invoiced", reference="inv-1", lines=lines)
    await process.result()
    await _keep("countered_late_and_closed", process, WORKFLOW)


async def test_record_a_silent_supplier(buying: Purchasing) -> None:
    process = await buying.order(await buying.supplier("sup-a", 100))
    await buying.pass_days(5)
    await process.result()
    await _keep("silent", process, WORKFLOW)
