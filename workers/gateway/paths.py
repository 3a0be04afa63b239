"""What a path takes, read from the app's own OpenAPI document: which methods, and which parameters in the query."""

import re
from functools import lru_cache

from fastapi import FastAPI, Request

from workers.gateway.faults import Fault, refused

_PARAMETER = re.compile(r"\\\{[^}]*\\\}")
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """Methods for `Allow`. The router knows only the first route that matches a path; a path may have several."""
    matching = [(pattern, methods) for pattern, methods in _table(app) if pattern.fullmatch(path)]
    exact = [methods for pattern, methods in matching if pattern.pattern == re.escape(path)]
    return sorted({method for methods in exact or [methods for _, methods in matching] for method in methods})


@lru_cache(maxsize=8)
def _table(app: FastAPI) -> list[tuple[re.Pattern[str], list[str]]]:
    return [
        (re.compile(_PARAMETER.sub("[^/]+", re.escape(path))), [m.upper() for m in item if m in _METHODS])
        for path, item in app.openapi()["paths"].items()
    ]


def refuse_strange_parameters(request: Request) -> None:
    """Raises Refusal for a parameter that is not known, or comes twice where one is meant: ignoring it would answer
    another question than the one that was asked."""
    query = request.query_params.multi_items()
    if not query:
        return
    known = _query_parameters(request.app, request.scope["route"].path, request.method.lower())
    faults = [
        Fault(
            name[:100], "unknown_parameter", "There is no such parameter.", f"Send only {', '.join(known) or 'none'}."
        )
        for name in dict.fromkeys(name for name, _ in query)
        if name not in known
    ]
    faults += [
        Fault(name, "parameter_twice", "This parameter takes one value.", "Send it once.")
        for name, repeatable in known.items()
        if not repeatable and sum(given == name for given, _ in query) > 1
    ]
    if faults:
        raise refused(faults)


@lru_cache(maxsize=256)
def _query_parameters(app: FastAPI, path: str, method: str) -> dict[str, bool]:
    """Whether each may be repeated, by name."""
    parameters = app.openapi()["paths"][path][method].get("parameters", [])
    return {p["name"]: p["schema"].get("type") == "array" for p in parameters if p["in"] == "query"}
