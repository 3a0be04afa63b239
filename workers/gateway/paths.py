"""Which methods a path answers to, read from the app's own OpenAPI document."""

import re
from functools import lru_cache

from fastapi import FastAPI

_PARAMETER = re.compile(r"\\\{[^}]*\\\}")
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Methods for `Allow`. The router knows only the first route that matches a path; a path may have several."""
    found = {method for pattern, methods in _table(app) if pattern.fullmatch(path) for method in methods}
    return sorted(found)


@lru_cache(maxsize=8)
def _table(app: FastAPI) -> list[tuple[re.Pattern[str], list[str]]]:
    return [
        (re.compile(_PARAMETER.sub("[^/]+", re.escape(path))), [m.upper() for m in item if m in _METHODS])
        for path, item in app.openapi()["paths"].items()
    ]
