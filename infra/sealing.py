"""Personal fields of documents in MongoDB: encrypted where they lie, with a keyed hash beside for finding equals.

A sealed field is `{"sealed": "<key id>.<base64url>", "hash": "<hex>"}`. It opens only in the document and field it was
sealed for (that is its context), so that nothing is gained by copying it elsewhere. To find equals:
`{"fields.phone.hash": {"$in": sealing.hashes("phone", number)}}`, with an index over `fields.phone.hash`.

    sealing = Sealing(keyring(settings))
    row = sealing.row(application, "applications")
    application = Application.from_row(sealing.opened(row, "applications"))
"""

import base64
import binascii
import unicodedata
from collections.abc import Mapping
from typing import Any

from contracts.base import Document
from contracts.personal import PersonalKind, visited
from infra.keyring import Keyring, NotGenuine

_PURPOSE = "field"
_FORM = {"sealed", "hash"}


class Sealing:
    """Raises UnknownKey and NotGenuine of infra.keyring where something is opened."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def row(self, document: Document, collection: str) -> dict[str, Any]:
        """Like `as_row`, with personal fields sealed. The document has an `id`."""
        owner = f"{collection}/{document.id}"  # type: ignore[attr-defined]
        fields = visited(document, lambda kind, value, path: self.seal(kind, value, f"{owner}/{path}"))
        return {"_id": fields.pop("id"), **fields}

    def opened(self, row: Mapping[str, Any], collection: str) -> dict[str, Any]:
        """A row as it was before it was sealed. Fields that are not sealed are left as they are."""
        owner = f"{collection}/{row['_id']}"
        return {name: self._opened(value, owner, name) for name, value in row.items()}

    def seal(self, kind: PersonalKind, value: str, context: str) -> dict[str, str]:
        """One value, for an update of one field; `context` is `<collection>/<id>/<path>` without places in lists."""
        key_id, sealed = self._keyring.encrypt(_PURPOSE, value.encode(), context.encode())
        encoded = base64.urlsafe_b64encode(sealed).decode()
        return {"sealed": f"{key_id}.{encoded}", "hash": self.hashes(kind, value)[0]}

    def open(self, sealed: Mapping[str, str], context: str) -> str:
        key_id, _, encoded = sealed["sealed"].partition(".")
        try:
            raw = base64.urlsafe_b64decode(encoded)
        except (binascii.Error, ValueError):
            raise NotGenuine(key_id) from None
        return self._keyring.decrypt(key_id, _PURPOSE, raw, context.encode()).decode()

    def hashes(self, kind: PersonalKind, value: str) -> list[str]:
        """What equal values of a kind have in common, one for each key; the first is the one that is written.

        Equal in the sense of `canonical`.
        """
        return self._keyring.fingerprints(f"{_PURPOSE}/{kind}", canonical(kind, value).encode())

    def _opened(self, value: Any, owner: str, path: str) -> Any:
        if isinstance(value, Mapping):
            if value.keys() == _FORM:
                return self.open(value, f"{owner}/{path}")
            return {key: self._opened(item, owner, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self._opened(item, owner, path) for item in value]
        return value


def canonical(kind: PersonalKind, value: str) -> str:
    """One way of writing for values that are the same: width, case, blanks, and +86 before Chinese numbers."""
    if kind == "secret":
        return value
    text = unicodedata.normalize("NFKC", value).casefold()
    text = "".join(text.split())
    if kind in ("phone", "account", "resident"):
        text = "".join(char for char in text if char.isalnum())
    if kind == "phone":
        text = text.removeprefix("00")
        text = text.removeprefix("86") if len(text) == 13 else text
    return text
