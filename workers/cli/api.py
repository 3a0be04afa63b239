"""A small client of the HTTP API for commands: one request, and refusals in plain words.

When the API asks for a moment, the request is sent again after the seconds that Retry-After names, for a minute at
most; under the same idempotency key, so that it is carried out once.
"""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from infra.settings import Settings, read_state
from workers.cli.console import CommandFailed

_TIMEOUT_S = 60.0
_PATIENCE_S = 60.0
_FAULTS_SHOWN = 10


class Answer(NamedTuple):
    status: int
    body: Any


class ApiRefused(CommandFailed):
    """The API did not do it. The message holds the problem's detail and what to do."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = problem
        detail = problem.get("detail") or problem.get("title") or "no reason was given"
        where = f"{problem['field']}: " if problem.get("field") else ""
        parts = [f"{where}{detail} ({problem.get('code', 'http')}, {status})"]
        faults = [fault for fault in problem.get("errors") or [] if fault.get("field")]
        if len(faults) > 1:
            parts += [f"  {fault['field']}: {fault['detail']} {fault['remedy']}" for fault in faults[:_FAULTS_SHOWN]]
        if problem.get("remedy"):
            parts.append(str(problem["remedy"]))
        super().__init__("\n".join(parts))


class Api:
    """The gateway that the settings name, with the operator's key."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.require("gateway_url").rstrip("/")
        self._key = settings.require("operator_key")
        self._remedy = (
            f"The system runs here, so its gateway is starting or stands still; its log: {settings.data_dir}/log."
            if read_state(settings.data_dir).get("gateway_url") == self._url
            else "Start the system with `tongqu up`, or set TONGQU_GATEWAY_URL and TONGQU_OPERATOR_KEY."
        )

    def get(self, *path: str, **query: object) -> Any:
        return self._send("GET", _join(path, query)).body

    def text(self, *path: str, **query: object) -> str:
        """What is no JSON."""
        return str(self._send("GET", _join(path, query), read=lambda answer: answer.read().decode()).body)

    def content(self, *path: str, **query: object) -> bytes:
        """A file."""
        return bytes(self._send("GET", _join(path, query), read=lambda answer: answer.read()).body)

    @property
    def url(self) -> str:
        return self._url

    def post(
        self, *path: str, body: Mapping[str, Any], wait_s: int = 0, query: Mapping[str, object] | None = None
    ) -> Answer:
        """`wait_s`: how long the API may take to tell the outcome; it answers 202 when it is not known by then."""
        headers = {"Idempotency-Key": uuid.uuid4().hex} | ({"Prefer": f"wait={wait_s}"} if wait_s else {})
        return self._send("POST", _join(path, query), body, headers)

    def put(self, *path: str, body: Mapping[str, Any]) -> Any:
        return self._send("PUT", _join(path), body).body

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        more: Mapping[str, str] | None = None,
        read: Callable[[Any], Any] = json.load,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json", **(more or {})}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, headers, method=method)
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                    return Answer(answer.status, read(answer))
            except urllib.error.HTTPError as error:
                wait_s = _asked_to_wait(error)
                if wait_s is None or time.monotonic() + wait_s > give_up:
                    raise ApiRefused(error.code, _problem(error)) from error
                error.close()
            except (OSError, ValueError) as error:
                why = getattr(error, "reason", error)
                raise CommandFailed(f"The API at {self._url} cannot be reached: {why}. {self._remedy}") from error
            time.sleep(wait_s)


def _asked_to_wait(error: urllib.error.HTTPError) -> float | None:
    """Seconds after which the same request may be sent again; None when it would be refused again."""
    seconds = error.headers.get("Retry-After", "")
    return max(float(seconds), 0.1) if seconds.isdigit() else None


def _join(path: tuple[str, ...], query: Mapping[str, object] | None = None) -> str:
    asked = urlencode({name: value for name, value in (query or {}).items() if value is not None})
    return "/" + "/".join(quote(part, safe="") for part in path) + (f"?{asked}" if asked else "")


def _problem(error: urllib.error.HTTPError) -> Mapping[str, Any]:
    try:
        problem = json.load(error)
    except ValueError:
        return {"title": error.reason}
    return problem if isinstance(problem, dict) else {"title": error.reason}
