"""The keys that personal data is encrypted with: AES-256-GCM, several at once so that they can be changed."""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from infra.private import make_private
from infra.settings import Settings

KEY_FILE = "codec.keys"
"""In the data directory of an embedded system, as in TONGQU_CODEC_KEYS. Mode 0600, made once."""
_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")


class BadKeys(ValueError):
    """What should be a list of keys is none. The message names the place, never a key."""


class UnknownKey(Exception):
    """Something was encrypted with a key that this process does not have."""

    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"this was encrypted with the key {key_id[:40]!r}, which this process does not have; add that key to "
            "TONGQU_CODEC_KEYS, behind the first one, on every process"
        )
        self.key_id = key_id


class NotGenuine(Exception):
    """What was to be decrypted is not what was encrypted with this key for this purpose: changed, or moved here."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"what was encrypted with the key {key_id!r} was changed, or belongs somewhere else")


class Keyring:
    """Keys by id. The first encrypts, all decrypt.

    The keys in use are derived (HKDF-SHA256), one for each purpose, so that what is sealed for one cannot be opened
    for another. Nonces are drawn by chance, which is good for 2^32 values of a key (NIST SP 800-38D §8.3).
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise BadKeys("there is no key; give at least one as id:base64")
        self._keys = dict(keys)
        self._ciphers: dict[tuple[str, str], AESGCM] = {}

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`id:base64,id2:base64`, each of 32 bytes. Raises BadKeys."""
        keys: dict[str, bytes] = {}
        for place, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
            key_id, _, encoded = entry.partition(":")
            if not _ID.match(key_id):
                raise BadKeys(f"key {place} has no id; write id:base64, the id of letters, digits, _ and -")
            if key_id in keys:
                raise BadKeys(f"two keys have the id {key_id!r}; give the new one another id")
            try:
                key = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                raise BadKeys(f"the key {key_id!r} is no base64") from None
            if len(key) != _KEY_BYTES:
                raise BadKeys(f"the key {key_id!r} has {len(key)} bytes; 32 are needed: openssl rand -base64 32")
            keys[key_id] = key
        return cls(keys)

    @property
    def ids(self) -> list[str]:
        """The current one first."""
        return list(self._keys)

    @cached_property
    def current(self) -> str:
        return next(iter(self._keys))

    def encrypt(self, purpose: str, plain: bytes, context: bytes = b"") -> tuple[str, bytes]:
        """The id of the key, and nonce + ciphertext + tag. `context` must be the same at decrypting."""
        nonce = os.urandom(_NONCE_BYTES)
        return self.current, nonce + self._cipher(self.current, purpose).encrypt(nonce, plain, context)

    def decrypt(self, key_id: str, purpose: str, sealed: bytes, context: bytes = b"") -> bytes:
        """Raises UnknownKey and NotGenuine."""
        if key_id not in self._keys:
            raise UnknownKey(key_id)
        try:
            return self._cipher(key_id, purpose).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            raise NotGenuine(key_id) from None

    def fingerprints(self, purpose: str, value: bytes) -> list[str]:
        """HMAC-SHA256 of the value under each key, hex, the current one's first: equal values have equal ones."""
        return [
            hmac.new(_derived(key, f"{purpose}/fingerprint"), value, hashlib.sha256).hexdigest()
            for key in self._keys.values()
        ]

    def _cipher(self, key_id: str, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((key_id, purpose))
        if cipher is None:
            cipher = self._ciphers[key_id, purpose] = AESGCM(_derived(self._keys[key_id], purpose))
        return cipher


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"tongqu/{purpose}".encode()).derive(key)


def new_key(key_id: str) -> str:
    """A key as it is written in settings."""
    return f"{key_id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def keyring(settings: Settings) -> Keyring:
    """The keys of the settings, else those of the data directory, which are made when there are none.

    Raises BadKeys. Processes that share a database must share the keys: those of several machines need the setting.
    """
    return Keyring.parse(settings.codec_keys or _kept(settings.data_dir))


def _kept(data_dir: Path) -> str:
    path = data_dir / KEY_FILE
    if not path.exists():
        make_private(path, new_key("first"))
    return path.read_text()
