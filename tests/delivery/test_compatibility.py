"""No change of the events breaks a partner's program: what was released is compared with what is generated."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.events import REPLY_TYPE, STOCK_TYPE
from workers.asyncapi import document
from workers.compatibility import breaks

RELEASED: dict[str, Any] = orjson.loads((Path(__file__).parents[2] / "docs" / "asyncapi.released.json").read_bytes())
NOW: dict[str, Any] = document()
OFFERED = "parcel.offered.v1"
Contract = dict[str, Any]


def schema(contract: Contract, name: str) -> dict[str, Any]:
    found: dict[str, Any] = contract["components"]["schemas"][name]
    return found


def test_nothing_that_was_released_is_broken() -> None:
    """If this fails: keep the old field or type beside the new one, or make a v2 of the event."""
    assert breaks(RELEASED, NOW) == []


def test_what_has_changed_has_another_version() -> None:
    parts = ("channels", "operations", "components")
    if any(RELEASED[part] != NOW[part] for part in parts):
        before, after = (tuple(map(int, one["info"]["version"].split("."))) for one in (RELEASED, NOW))
        assert after > before, "raise VERSION in workers/asyncapi.py"
        assert after[0] == before[0], "what is compatible keeps its first number"


def _without_field(contract: Contract) -> None:
    offered = schema(contract, "ParcelOffered")
    del offered["properties"]["answer_by"]
    offered["required"].remove("answer_by")


def _renamed(contract: Contract) -> None:
    offered = schema(contract, "ParcelOffered")
    offered["properties"]["goods"] = offered["properties"].pop("items")
    offered["required"] = ["goods" if name == "items" else name for name in offered["required"]]


def _without_optional_field(contract: Contract) -> None:
    del schema(contract, "ParcelOffered")["properties"]["service"]


def _type_changed(contract: Contract) -> None:
    schema(contract, "OfferedItem")["properties"]["quantity"]["type"] = "string"


def _null_may_come(contract: Contract) -> None:
    item = schema(contract, "OfferedItem")["properties"]
    item["sku"] = {"anyOf": [item["sku"], {"type": "null"}]}


def _left_out(contract: Contract) -> None:
    schema(contract, "ParcelOffered")["required"].remove("ship_to")


def _value_may_come(contract: Contract) -> None:
    schema(contract, "CancellationAnswered")["properties"]["outcome"]["enum"].append("perhaps")


def _event_gone(contract: Contract) -> None:
    for part in ("channels", "operations"):
        del contract[part][OFFERED]
    del contract["components"]["messages"][OFFERED]
    for way in ("http.pull", "http.stream", "webhook"):
        del contract["channels"][way]["messages"][OFFERED]


def _reply_gone(contract: Contract) -> None:
    del contract["components"]["messages"][STOCK_TYPE]


def _subject_moved(contract: Contract) -> None:
    contract["channels"][OFFERED]["address"] = "evt.v2.{location}.parcel.offered"


def _path_moved(contract: Contract) -> None:
    contract["channels"]["http.pull"]["address"] = "/v2/events"


def _method_changed(contract: Contract) -> None:
    contract["operations"]["http.pull"]["bindings"]["http"]["method"] = "POST"


def _media_type_changed(contract: Contract) -> None:
    contract["components"]["messages"][OFFERED]["contentType"] = "application/json"


def _reply_field_needed(contract: Contract) -> None:
    reply = schema(contract, "Reply")
    reply["properties"]["operator"] = {"type": "string"}
    reply["required"].append("operator")


def _optional_reply_field_needed(contract: Contract) -> None:
    schema(contract, "Reply")["required"].append("tracking")


def _reply_field_gone(contract: Contract) -> None:
    del schema(contract, "Reply")["properties"]["tracking"]


def _reply_kind_gone(contract: Contract) -> None:
    schema(contract, "Reply")["properties"]["kind"]["enum"].remove("packed")


def _reply_null_refused(contract: Contract) -> None:
    tracking = schema(contract, "Reply")["properties"]["tracking"]
    tracking["anyOf"] = [one for one in tracking["anyOf"] if one["type"] != "null"]


def _reply_shorter(contract: Contract) -> None:
    (text,) = [one for one in schema(contract, "Reply")["properties"]["tracking"]["anyOf"] if one["type"] == "string"]
    text["maxLength"] = 20


def _fewer_replies(contract: Contract) -> None:
    schema(contract, "Replies")["properties"]["replies"]["maxItems"] = 100


def _reply_pattern(contract: Contract) -> None:
    schema(contract, "Reply")["properties"]["id"]["pattern"] = "^[a-z]+$"


def _count_narrowed(contract: Contract) -> None:
    schema(contract, "StockCount")["properties"]["on_hand"]["maximum"] = 10


def _integers_only(contract: Contract) -> None:
    count = schema(contract, "StockCount")["properties"]
    count["sku"] = {"type": "integer"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_without_field, f"{OFFERED}.data.answer_by: is gone"),
        (_renamed, f"{OFFERED}.data.items: is gone"),
        (_without_optional_field, f"{OFFERED}.data.service: is gone"),
        (_type_changed, f"{OFFERED}.data.items[].quantity: may be of type string"),
        (_null_may_come, f"{OFFERED}.data.items[].sku: may be of type null"),
        (_left_out, f"{OFFERED}.data.ship_to: may be left out"),
        (_value_may_come, "order.cancellation_answered.v1.data.outcome: 'perhaps' may come"),
        (_event_gone, f"{OFFERED}: is gone"),
        (_reply_gone, f"{STOCK_TYPE}: is gone"),
        (_subject_moved, f"channel {OFFERED}: its address was evt.v1.{{location}}.parcel.offered"),
        (_path_moved, "channel http.pull: its address was /v1/partner/events"),
        (_method_changed, "operation http.pull: another binding"),
        (_media_type_changed, f"{OFFERED}: is sent as application/json"),
        (_reply_field_needed, f"{REPLY_TYPE}.data.replies[].operator: is needed now"),
        (_optional_reply_field_needed, f"{REPLY_TYPE}.data.replies[].tracking: is needed now"),
        (_reply_field_gone, f"{REPLY_TYPE}.data.replies[].tracking: is gone"),
        (_reply_kind_gone, f"{REPLY_TYPE}.data.replies[].kind: 'packed' is taken no more"),
        (_reply_null_refused, f"{REPLY_TYPE}.data.replies[].tracking: cannot be of type null"),
        (_reply_shorter, f"{REPLY_TYPE}.data.replies[].tracking: maxLength was 100 and is 20"),
        (_fewer_replies, f"{REPLY_TYPE}.data.replies: maxItems was 500 and is 100"),
        (_reply_pattern, f"{REPLY_TYPE}.data.replies[].id: pattern was"),
        (_count_narrowed, f"{STOCK_TYPE}.data.counts[].on_hand: maximum was 10000000 and is 10"),
        (_integers_only, f"{STOCK_TYPE}.data.counts[].sku: cannot be of type string"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_what_would_break_a_partner_is_caught(change: Callable[[Contract], None], words: str) -> None:
    changed = copy.deepcopy(NOW)
    change(changed)
    found = breaks(NOW, changed)
    assert any(one.startswith(words) for one in found), found


def _field_added(contract: Contract) -> None:
    schema(contract, "ParcelOffered")["properties"]["gift"] = {"type": "boolean"}


def _always_there(contract: Contract) -> None:
    schema(contract, "ParcelOffered")["required"].append("service")


def _null_never_comes(contract: Contract) -> None:
    offered = schema(contract, "ParcelOffered")["properties"]
    offered["service"]["anyOf"] = [one for one in offered["service"]["anyOf"] if one["type"] != "null"]


def _event_added(contract: Contract) -> None:
    for part in (contract["channels"], contract["operations"], contract["components"]["messages"]):
        part["parcel.weighed.v1"] = copy.deepcopy(part[OFFERED])


def _optional_reply_field(contract: Contract) -> None:
    schema(contract, "Reply")["properties"]["operator"] = {"type": "string"}


def _reply_kind_added(contract: Contract) -> None:
    schema(contract, "Reply")["properties"]["kind"]["enum"].append("weighed")


def _more_replies(contract: Contract) -> None:
    schema(contract, "Replies")["properties"]["replies"]["maxItems"] = 1000


def _reply_field_not_needed(contract: Contract) -> None:
    schema(contract, "StockEvent")["required"].remove("source")


def _other_words(contract: Contract) -> None:
    for one in contract["components"]["schemas"].values():
        one["description"] = "said otherwise"
    schema(contract, "Reply")["properties"]["kind"]["title"] = "Otherwise"


@pytest.mark.parametrize(
    "change",
    [
        _field_added,
        _always_there,
        _null_never_comes,
        _event_added,
        _optional_reply_field,
        _reply_kind_added,
        _more_replies,
        _reply_field_not_needed,
        _other_words,
    ],
    ids=lambda value: value.__name__.strip("_"),
)
def test_what_only_adds_passes(change: Callable[[Contract], None]) -> None:
    changed = copy.deepcopy(NOW)
    change(changed)
    assert changed != NOW
    assert breaks(NOW, changed) == []


def test_a_contract_breaks_nothing_of_itself() -> None:
    assert breaks(NOW, copy.deepcopy(NOW)) == []
