"""How far service may go by itself, and how long it waits for others. Part of a service policy."""

from pydantic import Field

from contracts.base import Request


class Limits(Request):
    """Amounts in minor units (fen), of all compensations of a case together; `_work_s` are seconds of working time,
    `_s` seconds by the clock."""

    compensation_bot: int = Field(default=0, ge=0, description="What the bot gives by itself.")
    compensation: int = Field(default=50_00, ge=0, description="What people give without approval.")
    approval_work_s: int = Field(default=4 * 3600, ge=60, description="Until a compensation that waits has lapsed.")
    partner_work_s: int = Field(default=8 * 3600, ge=60, description="So long a partner may take to answer.")
    customer_s: int = Field(default=3 * 86_400, ge=60, description="A customer's silence for so long ends a case.")
    repeat_within_s: int = Field(
        default=30 * 86_400, ge=0, description="A second complaint within so long is a repeated one."
    )
