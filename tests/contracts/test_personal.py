"""Personal data is masked wherever it is marked, and what is no business of a log does not come through it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from contracts.base import Document
from contracts.personal import (
    BankAccount,
    Email,
    PersonalKind,
    PersonName,
    Phone,
    Remark,
    ResidentId,
    mask,
    masked,
    personal_fields,
    scrub,
    visited,
)


class _Contact(Document):
    name: PersonName
    phone: Phone | None = None
    emails: list[Email] = []


class _Place(Document):
    id: str
    city: str = "Hangzhou"
    owner: _Contact
    others: list[_Contact] = []
    by_role: dict[str, _Contact] = {}
    accounts: dict[str, BankAccount] = {}
    resident: ResidentId | None = None
    amount: int = 1


PLACE = _Place(
    id="p1",
    owner=_Contact(name="王小明", phone="13812341234", emails=["wang@example.com"]),
    others=[_Contact(name="Ann Lee", phone=None)],
    by_role={"manager": _Contact(name="李雷", phone="13912345678")},
    accounts={"main": "6222020200112233445"},
    resident="11010519491231002X",
)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("phone", "13812341234", "138****1234"),
        ("phone", "+8613812341234", "+86****1234"),
        ("phone", "5551234", "****"),
        ("email", "wang@example.com", "w***@example.com"),
        ("email", "w@example.com", "***@example.com"),
        ("email", "no address", "***"),
        ("name", "王小明", "王**"),
        ("name", "王", "**"),
        ("account", "6222020200112233445", "****3445"),
        ("account", "12345", "****"),
        ("resident", "11010519491231002X", "1****************X"),
        ("resident", "12345", "****"),
        ("secret", "whsec_" + "A" * 43, "****"),
    ],
)
def test_what_is_shown(kind: PersonalKind, value: str, shown: str) -> None:
    assert mask(kind, value) == shown


@given(st.sampled_from(["phone", "account", "resident"]), st.text("0123456789", min_size=1, max_size=40))
def test_at_least_four_characters_of_a_number_are_hidden_or_all(kind: PersonalKind, value: str) -> None:
    shown = mask(kind, value)
    assert len(value) - len(shown.replace("*", "")) >= min(4, len(value))


def test_every_marked_field_is_masked_and_no_other() -> None:
    assert masked(PLACE) == {
        "id": "p1",
        "city": "Hangzhou",
        "owner": {"name": "王**", "phone": "138****1234", "emails": ["w***@example.com"]},
        "others": [{"name": "A**", "phone": None, "emails": []}],
        "by_role": {"manager": {"name": "李**", "phone": "139****5678", "emails": []}},
        "accounts": {"main": "****3445"},
        "resident": "1****************X",
        "amount": 1,
    }


def test_the_marked_fields_of_a_model_can_be_told() -> None:
    assert personal_fields(_Place) == {
        "owner.name": "name",
        "owner.phone": "phone",
        "owner.emails": "email",
        "others.name": "name",
        "others.phone": "phone",
        "others.emails": "email",
        "by_role.name": "name",
        "by_role.phone": "phone",
        "by_role.emails": "email",
        "accounts": "account",
        "resident": "resident",
    }


def test_fields_are_visited_under_their_path_without_places_in_lists() -> None:
    seen: list[tuple[str, str]] = []
    visited(PLACE, lambda _kind, value, path: seen.append((path, value)))
    assert ("others.name", "Ann Lee") in seen
    assert ("by_role.manager.phone", "13912345678") in seen
    assert ("accounts.main", "6222020200112233445") in seen


def test_a_model_in_a_message_does_not_tell_what_is_marked() -> None:
    told = f"{PLACE} {PLACE!r}"
    for secret in ("王小明", "13812341234", "wang@example.com", "6222020200112233445", "11010519491231002X"):
        assert secret not in told


def test_an_error_does_not_tell_its_input() -> None:
    with pytest.raises(ValidationError) as told:
        _Contact.model_validate({"name": "", "phone": ["13812341234"], "emails": "wang@example.com"})
    assert "13812341234" not in str(told.value)
    assert "wang@example.com" not in str(told.value)


CHANCE = "A1b2C3d4" * 5
SEED = "SUAKYRHVIOREXV7EUZTBHUHL7NUMHPMAS7QMDU3GTIUWEI5LDNOXD43IZY"
JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ.eyJqdGkiOiJBQkMifQ.c2lnbmF0dXJl"
SECRETS = [
    (f"tq_{CHANCE}", CHANCE),
    (f"app_{CHANCE}", CHANCE),
    ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    (SEED, SEED),
    (SEED.replace("SU", "SA", 1), SEED[2:]),
    (JWT, "eyJqdGkiOiJBQkMifQ"),
    (JWT, "c2lnbmF0dXJl"),
    ("Bearer abcDEF123456.xyz", "abcDEF123456"),
    ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("mongodb://admin:hunter22@db.example/", "hunter22"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0\n-----END PRIVATE KEY-----", "kqhkiG9w0"),
    ("X-API-Key: 0123456789abcdef", "0123456789abcdef"),
    ("{'x-api-key': '0123456789abcdef'}", "0123456789abcdef"),
    ('"Authorization": "0123456789abcdef"', "0123456789abcdef"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
@pytest.mark.parametrize("around", ["{}", "failed: {} was refused", "({}) at 12:00\nnext line", "at a.py: {}"])
def test_no_secret_comes_through(text: str, secret: str, around: str) -> None:
    scrubbed = scrub(around.format(text))
    assert secret in text
    assert secret not in scrubbed
    for words in around.split("{}"):
        assert words in scrubbed


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("call 13812341234 now", "call 138****1234 now"),
        ("call +86 138 1234 1234 now", "call +86****1234 now"),
        ("电话13812341234。", "电话138****1234。"),
        ("id 11010519491231002X.", "id 1****************X."),
        ("to wang.li+a@mail.example.com,", "to w***@mail.example.com,"),
        ("card 6222020200112233440?", "card 6222020200112233440?"),
        ("card 4111111111111111!", "card ****1111!"),
    ],
)
def test_what_looks_personal_is_masked(text: str, scrubbed: str) -> None:
    assert scrub(text) == scrubbed


@pytest.mark.parametrize(
    "text",
    [
        "batch 6f1c2d8e-13812341234a took 12.5 ms",
        "order 0192f3a4b5c67d8e9f00 at 2026-11-23T08:40:01.123Z",
        "127.0.0.1:54321 - POST /v1/orders HTTP/1.1 202",
        "evt.v1.store-17.order@1 read 1763887201123 rows",
        "91330106MA2CFRKT0P is a credit code",
    ],
)
def test_what_is_neither_secret_nor_personal_is_left_as_it_is(text: str) -> None:
    assert scrub(text) == text


def test_a_remark_that_was_taken_is_taken_again_though_its_masks_are_longer() -> None:
    remarks: TypeAdapter[str] = TypeAdapter(Remark)
    once = remarks.validate_python("x" * 493 + " a@x.cn")
    assert len(once) == 500 and remarks.validate_python(once) == once
