"""Bodies of requests about replenishment, as the OpenAPI document describes them."""

from pydantic import BaseModel, ConfigDict, Field, create_model

from contracts.base import Request
from contracts.demand_history import HistoryBatch
from contracts.promotions import PromotionUpsert
from contracts.replenishing import Approvals, Changes, RegionUpsert, Rejections, RunAsked
from contracts.supply import SourcingUpsert, SupplyPolicy
from contracts.transfers import Because, ReceiveTransfer, ShipTransfer

SupplyPolicyDraft = create_model(
    "SupplyPolicyDraft",
    __config__=ConfigDict(extra="forbid", frozen=True),
    __doc__="A supply policy as a caller describes it. The version is given by the system.",
    **{name: (field.annotation, field) for name, field in SupplyPolicy.model_fields.items() if name != "version"},  # type: ignore[call-overload]
)


class SourcingBatch(Request):
    """Each row is looked at by itself; the good ones are written together."""

    sourcing: list[SourcingUpsert] = Field(min_length=1, max_length=1000)


class PromotionBatch(Request):
    """Each row is looked at by itself; the good ones are written together."""

    promotions: list[PromotionUpsert] = Field(min_length=1, max_length=1000)


SUPPLY_BODIES: tuple[type[BaseModel], ...] = (
    RegionUpsert,
    SupplyPolicyDraft,
    SourcingBatch,
    PromotionBatch,
    HistoryBatch,
    RunAsked,
    Approvals,
    Changes,
    Rejections,
    ShipTransfer,
    ReceiveTransfer,
    Because,
)
