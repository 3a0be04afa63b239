"""Everything that is kept, as bytes, to look for what must not be in it."""

from collections.abc import Iterable, Mapping
from typing import Any

from bson import BSON

from infra.mongo import Mongo


async def database(mongo: Mongo, without: Iterable[str] = ()) -> Mapping[str, bytes]:
    """Every document of every collection, by collection."""
    names = sorted(set(await mongo.db.list_collection_names()) - set(without))
    return {name: b"".join([BSON.encode(row) async for row in mongo.db[name].find()]) for name in names}


def where(kept: Mapping[str, bytes], secrets: Iterable[str]) -> dict[str, list[str]]:
    """Which of the secrets are where; empty when none is anywhere. Also as JSON escapes them, and in UTF-16."""
    found: dict[str, list[str]] = {}
    for secret in secrets:
        written = {secret.encode(), secret.encode("utf-16-le"), secret.encode("unicode_escape")}
        for place, content in kept.items():
            if any(form in content for form in written):
                found.setdefault(place, []).append(secret)
    return found


def texts(value: Any) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in texts(item)]
