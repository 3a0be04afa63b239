"""What the workflow OrderFulfilment and its activities say to each other; ids, queues and search attributes."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from temporalio.common import SearchAttributeKey

from contracts.base import Document, Moment

WORKFLOW = "OrderFulfilment"
TASK_QUEUE = "fulfilment"
ADVANCE = "orders.advance"
SETTLE = "payments.settle"
BOOK = "carriers.book"
BELL = "bell"

STAGE = SearchAttributeKey.for_keyword_list("TongquStage")
REGION = SearchAttributeKey.for_keyword_list("TongquRegion")
CHANNEL = SearchAttributeKey.for_keyword("TongquChannel")
"""Channels joined by commas: a server on SQL keeps three keyword lists at most, and those are used."""
BATCH_SIZE = SearchAttributeKey.for_int("TongquBatchSize")
OLDEST_OPEN = SearchAttributeKey.for_datetime("TongquOldestOpenOrder")
ORDERS = SearchAttributeKey.for_keyword_list("TongquOrders")
ATTENTION = SearchAttributeKey.for_int("TongquAttention")
SEARCH_ATTRIBUTES: tuple[SearchAttributeKey[Any], ...] = (
    STAGE,
    REGION,
    CHANNEL,
    BATCH_SIZE,
    OLDEST_OPEN,
    ORDERS,
    ATTENTION,
)

ORDERS_INDEXED = 30
"""Ids of up to so many orders fit the 2,048 bytes of a keyword list (ids are at most 64 characters)."""


class Batch(Document):
    """The input of the workflow: a reference, and what is carried over when it continues as new."""

    id: str
    size: int
    stages: dict[str, str] = {}


class Advance(Document):
    """One step of a batch. `now` is the workflow's clock, so that a skipped hour is an hour for the orders too."""

    batch: str
    now: Moment
    cancel: bool = False
    """Cancel every order that has not been shipped (an operator cancelled the workflow)."""
    show_all: bool = False
    """Tell the stage of every order, not only of those that changed: the first step of a run knows none."""


class Progress(Document):
    """What one step did, and what the batch waits for now."""

    open: int
    changed: dict[str, list[str]] = {}
    """Orders whose stage changed, by the new stage; all orders when they were asked for or are few."""
    stages: dict[str, int] = {}
    """Orders of the batch by stage."""
    payments_due: bool = False
    labels_due: bool = False
    next_due: Moment | None = None
    oldest_open: Moment | None = None
    attention: list[str] = []
    regions: list[str] = []
    channels: list[str] = []


class Ask(Document):
    """Ask the payment provider, or the carriers, for everything of the batch that is due there."""

    batch: str
    now: Moment


class Answered(Document):
    """How many of the answers were which."""

    done: int = 0
    declined: int = 0
    failed: int = 0

    @classmethod
    def of(cls, statuses: Iterable[str]) -> "Answered":
        return cls.model_validate(Counter(statuses))
