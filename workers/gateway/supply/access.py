"""Who may look at replenishment, and who may decide."""

from typing import Annotated

from fastapi import Depends, Query

from infra.keys import Scope
from workers.gateway.security import Caller, needs

Reads = Annotated[Caller, Depends(needs(Scope.SUPPLY_READ))]
Writes = Annotated[Caller, Depends(needs(Scope.SUPPLY_WRITE))]
Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=800, description="`next` of the page before.")]
