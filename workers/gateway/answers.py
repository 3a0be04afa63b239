"""What handlers answer with: a status, a JSON body already in bytes, and headers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import Response

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
PROBLEM = "application/problem+json"


def to_json(content: Any) -> bytes:
    """Times in UTC with Z."""
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that can be kept and given again; one with a secret is kept sealed."""

    status: int
    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = JSON
    secret: bool = False

    def response(self) -> Response:
        return Response(self.content, self.status, self.headers, self.media_type)


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    return Answer(status, to_json(content), headers or {})
