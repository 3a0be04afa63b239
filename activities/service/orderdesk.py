"""What service has done with orders, through the same API, permissions and idempotency as everybody else."""

from typing import Protocol

from contracts.cases import CaseRecord, Compensation, Correction


class OrderDesk(Protocol):
    async def correct(self, case: CaseRecord, wanted: Correction) -> str | None:
        """Done when it returns; the code says why the order would not. Raises NotNow of infra.order_api."""
        ...

    async def compensate(self, case: CaseRecord, given: Compensation) -> str | None:
        """Paid when it returns; the code says why the order cannot pay it. Raises NotNow of infra.order_api."""
        ...
