"""Keys can be changed while what was encrypted with the old ones is still there, and nothing else opens it."""

import base64
import os
import stat
import threading
from pathlib import Path

import pytest

from infra.keyring import KEY_FILE, BadKeys, Keyring, NotGenuine, UnknownKey, keyring, new_key
from infra.settings import EnvironmentSettings

OLD, NEW = new_key("old"), new_key("new")


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    before, after = Keyring.parse(OLD), Keyring.parse(f"{NEW}, {OLD}")
    old_id, old = before.encrypt("field", b"text", b"here")
    new_id, new = after.encrypt("field", b"text", b"here")
    assert (old_id, new_id) == ("old", "new")
    assert after.decrypt(old_id, "field", old, b"here") == after.decrypt(new_id, "field", new, b"here") == b"text"


def test_an_unknown_key_is_named_with_what_to_do() -> None:
    key_id, sealed = Keyring.parse(NEW).encrypt("field", b"text")
    with pytest.raises(UnknownKey, match=r"'new'.*TONGQU_CODEC_KEYS"):
        Keyring.parse(OLD).decrypt(key_id, "field", sealed)


@pytest.mark.parametrize("place", [0, 11, 12, -1])
def test_what_was_changed_does_not_open(place: int) -> None:
    ring = Keyring.parse(OLD)
    key_id, sealed = ring.encrypt("field", b"text")
    changed = bytearray(sealed)
    changed[place] ^= 1
    with pytest.raises(NotGenuine):
        ring.decrypt(key_id, "field", bytes(changed))


@pytest.mark.parametrize("cut", [0, 5, 12, 20])
def test_what_is_cut_off_does_not_open(cut: int) -> None:
    ring = Keyring.parse(OLD)
    key_id, sealed = ring.encrypt("field", b"text")
    with pytest.raises(NotGenuine):
        ring.decrypt(key_id, "field", sealed[:cut])


def test_what_was_sealed_for_one_purpose_or_place_does_not_open_for_another() -> None:
    ring = Keyring.parse(OLD)
    key_id, sealed = ring.encrypt("field", b"text", b"a")
    with pytest.raises(NotGenuine):
        ring.decrypt(key_id, "payload", sealed, b"a")
    with pytest.raises(NotGenuine):
        ring.decrypt(key_id, "field", sealed, b"b")


def test_the_same_text_is_never_encrypted_the_same_way() -> None:
    ring = Keyring.parse(OLD)
    assert len({ring.encrypt("field", b"text")[1] for _ in range(100)}) == 100


def test_fingerprints_are_equal_for_equals_and_found_after_a_change_of_keys() -> None:
    before, after = Keyring.parse(OLD), Keyring.parse(f"{NEW},{OLD}")
    assert before.fingerprints("field", b"text")[0] in after.fingerprints("field", b"text")
    assert before.fingerprints("field", b"text") != before.fingerprints("field", b"texts")
    assert before.fingerprints("field", b"text") != before.fingerprints("other", b"text")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no key"),
        ("first", "'first' has 0 bytes"),
        (":" + base64.b64encode(os.urandom(32)).decode(), "key 1 has no id"),
        (f"{OLD},{OLD}", "two keys"),
        ("a:!!!", "no base64"),
        ("a:" + base64.b64encode(b"short").decode(), "5 bytes"),
    ],
    ids=["nothing", "no colon", "no id", "twice", "no base64", "too short"],
)
def test_what_is_no_list_of_keys_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(BadKeys, match=words):
        Keyring.parse(text)


def test_no_error_and_no_repr_tells_a_key() -> None:
    secret = OLD.partition(":")[2]
    ring = Keyring.parse(OLD)
    assert secret not in repr(ring)
    with pytest.raises(BadKeys) as told:
        Keyring.parse(f"a:{secret}x")
    assert secret not in str(told.value)
    assert secret not in repr(EnvironmentSettings(codec_keys=OLD))


def test_a_data_directory_has_one_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    settings = EnvironmentSettings(data_dir=tmp_path / "new", codec_keys=None)
    rings: list[Keyring] = []
    threads = [threading.Thread(target=lambda: rings.append(keyring(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    key_id, sealed = rings[0].encrypt("field", b"text")
    assert len(rings) == 8
    assert {ring.decrypt(key_id, "field", sealed) for ring in rings} == {b"text"}
    assert stat.S_IMODE((tmp_path / "new" / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == [KEY_FILE]
