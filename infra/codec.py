"""What Temporal keeps of ours is encrypted before it leaves the process: arguments, results, summaries, failures.

One rule for all workflows: nobody has to remember to mark what is personal, and a reason that a person typed or the
text of an error is covered too. What that costs is in docs/security.md (bench/codec.py measures it). What an earlier
version has written unencrypted is still read.
"""

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from infra.keyring import Keyring, NotGenuine

ENCODING = b"binary/encrypted"
"""As in Temporal's samples: the UI then says that it is encrypted, rather than showing the bytes."""
_KEY_ID = "encryption-key-id"
_PURPOSE = "payload"


class SealingCodec(PayloadCodec):
    """AES-256-GCM over the whole payload, with the key's id in the metadata.

    Decoding raises UnknownKey and NotGenuine (infra.keyring).
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._sealed(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._opened(payload) for payload in payloads]

    def _sealed(self, payload: Payload) -> Payload:
        key_id, sealed = self._keyring.encrypt(_PURPOSE, payload.SerializeToString(), ENCODING)
        return Payload(metadata={"encoding": ENCODING, _KEY_ID: key_id.encode()}, data=sealed)

    def _opened(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        opened = self._keyring.decrypt(key_id, _PURPOSE, payload.data, ENCODING)
        try:
            return Payload.FromString(opened)
        except ValueError:
            raise NotGenuine(key_id) from None
