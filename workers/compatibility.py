"""What a change of the contract would break for partners whose programs were written against an older one. Pure.

What partners hear may only say more: every field that was there stays, of the same type and within the same bounds.
What partners say must be taken as before: nothing more is demanded, and nothing is allowed less. New types of events,
new channels and new optional fields break nothing, as everybody is told to ignore what he does not know.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
Way = Literal["hears", "says"]

_WORDS = frozenset({"title", "description", "examples", "default", "deprecated", "name", "discriminator"})
"""Keywords that tell people something."""
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SHAPE = frozenset(
    {
        "type",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "enum",
        "const",
        "properties",
        "required",
        "items",
        "additionalProperties",
    }
)


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In words, what of two AsyncAPI 3 documents an existing consumer would stumble over; empty: nothing."""
    return [*_channels(old, new), *_messages(old, new)]


def _channels(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name, channel in old["channels"].items():
        found = new["channels"].get(name)
        if found is None:
            yield f"channel {name}: is gone"
            continue
        if found["address"] != channel["address"]:
            yield f"channel {name}: its address was {channel['address']} and is {found['address']}"
        for gone in sorted(set(_carried(channel)) - set(_carried(found))):
            yield f"channel {name}: carries {gone} no more"
    for name, operation in old["operations"].items():
        found = new["operations"].get(name, operation)
        for what in ("action", "bindings"):
            if found.get(what) != operation.get(what):
                yield f"operation {name}: another {what[:-1] if what == 'bindings' else what}"


def _carried(channel: Mapping[str, Any]) -> list[str]:
    return [message["$ref"] for message in channel["messages"].values()]


def _messages(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    known = new["components"]["messages"]
    for kind, message in old["components"]["messages"].items():
        if kind not in known:
            yield f"{kind}: is gone"
            continue
        if known[kind]["contentType"] != message["contentType"]:
            yield f"{kind}: is sent as {known[kind]['contentType']}"
        way: Way = "says" if old["operations"][kind]["action"] == "receive" else "hears"
        compared = _Comparison(old["components"]["schemas"], new["components"]["schemas"], way)
        yield from compared.breaks(kind, message["payload"], known[kind]["payload"])


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Of two schemas, one from each document. References are followed in their own."""

    old_schemas: Mapping[str, Schema]
    new_schemas: Mapping[str, Schema]
    way: Way

    def breaks(self, path: str, old: Schema, new: Schema) -> list[str]:
        """Alternatives are compared with the one that they fit: of what may come each with one that was known, of what
        may be sent each with one that is still taken."""
        olds, news = _alternatives(old, self.old_schemas), _alternatives(new, self.new_schemas)
        found: list[str] = []
        if self.way == "hears":
            for one in news:
                found += _least(
                    path, one, [self._pair(path, known, one) for known in olds if _alike(known, one)], "may be"
                )
        else:
            for one in olds:
                found += _least(
                    path, one, [self._pair(path, one, taken) for taken in news if _alike(one, taken)], "cannot be"
                )
        return found

    def _pair(self, path: str, old: Schema, new: Schema) -> list[str]:
        found = [*self._values(path, old, new), *self._bounds(path, old, new)]
        if "properties" in old or "properties" in new:
            found += self._fields(path, old, new)
        if "items" in old or "items" in new:
            found += self.breaks(f"{path}[]", old.get("items", {}), new.get("items", {}))
        found += self._unnamed(path, old, new)
        return found

    def _fields(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        had, has = old.get("properties", {}), new.get("properties", {})
        needed, needs = set(old.get("required", ())), set(new.get("required", ()))
        for name, schema in had.items():
            if name not in has:
                yield f"{path}.{name}: is gone"
            else:
                yield from self.breaks(f"{path}.{name}", schema, has[name])
        if self.way == "hears":
            yield from (f"{path}.{name}: may be left out" for name in sorted((needed - needs) & has.keys()))
        else:
            yield from (f"{path}.{name}: is needed now" for name in sorted(needs - needed))

    def _unnamed(self, path: str, old: Schema, new: Schema) -> list[str]:
        """Fields that are not named: whether there may be any, and of what type."""
        had, has = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if self.way == "says" and has is False and had is not False:
            return [f"{path}: unknown fields are refused"]
        if isinstance(had, Mapping) and isinstance(has, Mapping):
            return self.breaks(f"{path}.*", had, has)
        if isinstance(had, Mapping) and self.way == "hears" and has is not False:
            return [f"{path}.*: may be anything"]
        if isinstance(has, Mapping) and self.way == "says" and had is not False:
            return [f"{path}.*: cannot be anything any more"]
        return []

    def _values(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        had, has = _listed(old), _listed(new)
        wide, narrow = (has, had) if self.way == "hears" else (had, has)
        if narrow is None:
            return
        if wide is None:
            yield f"{path}: {'may be any value' if self.way == 'hears' else 'takes some values only'}"
            return
        for value in sorted(wide - narrow):
            yield f"{path}: {value} {'may come' if self.way == 'hears' else 'is taken no more'}"

    def _bounds(self, path: str, old: Schema, new: Schema) -> Iterator[str]:
        wide, narrow = (new, old) if self.way == "hears" else (old, new)
        beyond: list[tuple[str, Callable[[Any, Any], bool]]] = [
            *((name, lambda w, n: w > n) for name in _UPPER),
            *((name, lambda w, n: w < n) for name in _LOWER),
        ]
        for name, further in beyond:
            if name in narrow and (name not in wide or further(wide[name], narrow[name])):
                yield f"{path}: {name} was {old.get(name)} and is {new.get(name)}"
        known = {*_UPPER, *_LOWER, *_WORDS, *_SHAPE}
        for name in sorted(narrow.keys() - known):
            if wide.get(name) != narrow[name]:
                yield f"{path}: {name} was {old.get(name)} and is {new.get(name)}"


def _least(path: str, one: Schema, found: list[list[str]], words: str) -> list[str]:
    """What stands between an alternative and the one that it fits best."""
    return min(found, key=len) if found else [f"{path}: {words} of type {one.get('type', 'any')}"]


def _alternatives(schema: Schema, schemas: Mapping[str, Schema]) -> list[Schema]:
    while "$ref" in schema:
        schema = schemas[str(schema["$ref"]).rpartition("/")[2]]
    several = schema.get("anyOf") or schema.get("oneOf")
    if several:
        return [inner for one in several for inner in _alternatives(one, schemas)]
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return _alternatives(schema["allOf"][0], schemas)
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": kind} for kind in schema["type"]]
    return [schema]


def _alike(old: Schema, new: Schema) -> bool:
    return bool(old.get("type") == new.get("type"))


def _listed(schema: Schema) -> set[str] | None:
    """The values that it may have; None: any."""
    if "const" in schema:
        return {repr(schema["const"])}
    return {repr(value) for value in schema["enum"]} if "enum" in schema else None
