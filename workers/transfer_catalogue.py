"""Events about stock transfers: to whom each goes, and an example."""

from datetime import UTC, datetime, timedelta

from contracts.transfers import TransferEvent, TransferLine
from workers.catalogue import LOCATION, Told

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_TRANSFER = "st-supply-east-2026-03-02T030000Z-0a1b2c3d4e"
_SKU = "tea-longjing-250g"


def _event(state: str, **line: int) -> TransferEvent:
    return TransferEvent.model_validate(
        {
            "transfer": _TRANSFER,
            "source": "store-hangzhou-1",
            "destination": "store-ningbo-2",
            "state": state,
            "lines": [TransferLine(sku=_SKU, asked=24, **line)],
            "ship_by": _AT + timedelta(hours=5),
            "arrive_by": _AT + timedelta(days=1, hours=7),
        }
    )


OF_TRANSFERS: tuple[Told, ...] = (
    Told(
        "transfer.requested.v1",
        LOCATION,
        "Goods are to go from one location to another; they are held at the source, which ships them before `ship_by`. "
        "Told to both and to the retailer, and again as a reminder.",
        _TRANSFER,
        _event("approved", held=24),
    ),
    Told(
        "transfer.shipped.v1",
        LOCATION,
        "The goods have left the source. The destination reports what came, under the number of its delivery note.",
        _TRANSFER,
        _event("shipped", shipped=24),
    ),
    Told(
        "transfer.received.v1",
        LOCATION,
        "A part of the goods has come; the rest is still under way.",
        _TRANSFER,
        _event("shipped", shipped=24, received=20, damaged=1),
    ),
    Told(
        "transfer.closed.v1",
        LOCATION,
        "All of it came, or what did not is lost; or it was cancelled before it was shipped.",
        _TRANSFER,
        _event("received", shipped=24, received=20, damaged=1, lost=3),
    ),
)
