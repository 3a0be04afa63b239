"""Where a body may hold a number, as the OpenAPI document says, and bodies that hold a given text there."""

from collections.abc import Iterator
from typing import Any

import orjson

Path = tuple[str | int, ...]
_MARK = "\u0001here\u0001"
_DEEPEST = 8


def bodies_with(document: dict[str, Any], operation: dict[str, Any], texts: tuple[str, ...]) -> Iterator[bytes]:
    """The operation's example, with each text as it is in the place of each number, one at a time."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    example: Any = next((one["value"] for one in content.get("examples", {}).values()), {})
    for path in sorted(set(_numbers(document, content["schema"], ())), key=str):
        marked = orjson.dumps(_put(document, content["schema"], example, path)).replace(b"\\u0001", b"\x01")
        for text in texts:
            yield marked.replace(f'"{_MARK}"'.encode(), text.encode())


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """All that a value may be."""
    if "$ref" in schema:
        return _resolved(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    either = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("allOf", [])]
    return [kind for one in either for kind in _resolved(document, one)] or [schema]


def _numbers(document: dict[str, Any], schema: dict[str, Any], path: Path) -> Iterator[Path]:
    if len(path) > _DEEPEST:
        return
    for kind in _resolved(document, schema):
        if kind.get("type") in ("integer", "number"):
            yield path
        for name, field in kind.get("properties", {}).items():
            yield from _numbers(document, field, (*path, name))
        if isinstance(kind.get("additionalProperties"), dict):
            yield from _numbers(document, kind["additionalProperties"], (*path, "1"))
        if "items" in kind:
            yield from _numbers(document, kind["items"], (*path, 0))


def _put(document: dict[str, Any], schema: dict[str, Any], value: Any, path: Path) -> Any:
    """The value with the mark at the path; what is not there yet is made as small as it may be. Raises LookupError."""
    if not path:
        return _MARK
    for kind in _resolved(document, schema):
        try:
            return _put_into(document, kind, value, path)
        except LookupError:
            continue
    raise LookupError(path)


def _put_into(document: dict[str, Any], kind: dict[str, Any], value: Any, path: Path) -> Any:
    first, rest = path[0], path[1:]
    if isinstance(first, int):
        items = kind["items"]
        listed = list(value) if isinstance(value, list) and value else [_least(document, items)]
        return [_put(document, items, listed[0], rest), *listed[1:]]
    field = _field(kind, first)
    if field is None:
        raise LookupError(first)
    made = dict(value) if isinstance(value, dict) else _least(document, kind)
    return {**made, first: _put(document, field, made.get(first), rest)}


def _field(kind: dict[str, Any], name: str | int) -> dict[str, Any] | None:
    more = kind.get("additionalProperties")
    field: dict[str, Any] | None = kind.get("properties", {}).get(name) or (more if isinstance(more, dict) else None)
    return field


def _least(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A value that is hardly refused before the one that is tried."""
    kind = _resolved(document, schema)[0]
    if "examples" in kind:
        return kind["examples"][0]
    if "enum" in kind or "const" in kind:
        return kind.get("const", kind.get("enum", [None])[0])
    if kind.get("type") == "object":
        return {name: _least(document, kind["properties"][name]) for name in kind.get("required", [])}
    if kind.get("type") == "array":
        return [_least(document, kind["items"])] if kind.get("minItems") else []
    if kind.get("type") in ("integer", "number"):
        return max(kind.get("minimum", 1), 1)
    return {"boolean": True, "null": None}.get(str(kind.get("type")), "x")
