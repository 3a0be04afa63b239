"""How far service goes by itself, and how long it waits for others. Part of a service policy."""

from pydantic import Field

from contracts.base import Request
from contracts.money import AMOUNT_MAX

_LONGEST_S = 10 * 366 * 86_400


class Limits(Request):
    """`_work_s` are seconds of working time, `_s` seconds by the clock."""

    compensation_bot: int = Field(
        default=0, ge=0, le=AMOUNT_MAX, description="What the bot gives of a case in all by itself, in minor units."
    )
    partner_work_s: int = Field(
        default=8 * 3600, ge=60, le=_LONGEST_S, description="So long a partner may take to answer."
    )
    customer_s: int = Field(
        default=3 * 86_400, ge=60, le=_LONGEST_S, description="A customer's silence for so long ends a case."
    )
    bot_quiet_s: int = Field(
        default=1800, ge=60, le=_LONGEST_S, description="So long after the bot's answer a case is resolved."
    )
    repeat_within_s: int = Field(
        default=30 * 86_400, ge=0, le=_LONGEST_S, description="A second complaint within so long is a repeated one."
    )
