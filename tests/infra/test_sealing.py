"""Personal fields lie encrypted in MongoDB, are found again by equality, and open only where they belong."""

import uuid

import orjson
import pytest

from contracts.base import Document
from contracts.personal import Phone
from infra.keyring import Keyring, NotGenuine, UnknownKey, new_key
from infra.mongo import Mongo
from infra.sealing import Sealing, canonical
from infra.settings import Settings
from tests.contracts.test_personal import PLACE, _Place

KEYS = new_key("first")
SEALING = Sealing(Keyring.parse(KEYS))


def test_a_document_is_the_same_after_it_was_sealed_and_opened() -> None:
    row = SEALING.row(PLACE, "places")
    assert _Place.from_row(SEALING.opened(row, "places")) == PLACE
    lying = orjson.dumps(row).decode()
    for secret in ("王小明", "13812341234", "wang@example.com", "6222020200112233445", "11010519491231002X"):
        assert secret not in lying
    assert row["city"] == "Hangzhou"


def test_a_sealed_field_does_not_open_in_another_document_or_field() -> None:
    row = SEALING.row(PLACE, "places")
    with pytest.raises(NotGenuine):
        SEALING.opened({**row, "_id": "p2"}, "places")
    with pytest.raises(NotGenuine):
        SEALING.opened(row, "elsewhere")
    with pytest.raises(NotGenuine):
        SEALING.opened({**row, "resident": row["owner"]["phone"]}, "places")


def test_one_field_can_be_sealed_for_an_update() -> None:
    row = SEALING.row(PLACE, "places")
    row["owner"]["phone"] = SEALING.seal("phone", "13700001111", "places/p1/owner.phone")
    opened = _Place.from_row(SEALING.opened(row, "places"))
    assert opened.owner.phone == "13700001111"


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "13812341234", "+86 138-1234-1234"),
        ("phone", "13812341234", "008613812341234"),
        ("phone", "13812341234", "138 1234 1234"),  # Full width.
        ("email", "Wang@Example.com", " wang@example.COM"),
        ("name", "王 小明", "王小明"),
        ("account", "6222 0202 0011 2233 445", "6222020200112233445"),
        ("resident", "11010519491231002x", "11010519491231002X"),
    ],
)
def test_values_that_are_the_same_are_equal_however_they_are_written(kind: str, one: str, other: str) -> None:
    assert canonical(kind, one) == canonical(kind, other)  # type: ignore[arg-type]
    assert SEALING.hashes(kind, one) == SEALING.hashes(kind, other)  # type: ignore[arg-type]


def test_a_hash_tells_the_kind_apart() -> None:
    assert SEALING.hashes("phone", "123456789") != SEALING.hashes("account", "123456789")


class _Person(Document):
    id: str
    phone: Phone


async def test_equals_are_found_in_the_database_also_after_a_change_of_keys(settings: Settings) -> None:
    mongo = Mongo(settings.require("mongo_url"), settings.mongo_database)
    people = mongo.db["people"]
    after = Sealing(Keyring.parse(f"{new_key('second')},{KEYS}"))
    for sealing, phone in ((SEALING, "13812341234"), (after, "+86 13812341234"), (after, "13900000000")):
        await people.insert_one(sealing.row(_Person(id=uuid.uuid4().hex, phone=phone), "people"))
    found = await people.find({"phone.hash": {"$in": after.hashes("phone", "138 1234 1234")}}).to_list(None)
    phones = {_Person.from_row(after.opened(row, "people")).phone for row in found}
    assert phones == {"13812341234", "+86 13812341234"}
    with pytest.raises(UnknownKey):
        [SEALING.opened(row, "people") for row in found]
    mongo.close()
