"""What the activities that ask somebody outside have in common."""

from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from contracts.orders import Attention
from infra.mongo import Mongo


async def set_aside(
    mongo: Mongo, order: str, due: Literal["pay_at", "label_at"], error: ValidationError, at: datetime
) -> None:
    """An order whose payment or label cannot even be read waits for a person, and holds up no other."""
    what = "payment" if due == "pay_at" else "label"
    attention = Attention(code="error", detail=f"{what}: {error}"[:500], at=at).model_dump()
    await mongo.orders.update_one({"_id": order}, {"$set": {"attention": attention, due: None}})
