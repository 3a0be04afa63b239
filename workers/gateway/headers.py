"""Headers of every answer: what a browser must not do with it, and who may ask from another site."""

from typing import Any
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from workers.gateway.metrics import App, Message, Receive, Scope, Send

_SCRIPTED = ("/docs", "/redoc")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'"
_SCRIPTED_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "worker-src blob:; connect-src 'self'; form-action 'none'; base-uri 'none'"
)
"""The documentation begins with a script in the page, and its search runs in a worker."""


def _headers(policy: str) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        # Answers are about orders and people. What may be kept by others says so itself.
        (b"cache-control", b"no-store"),
        (b"content-security-policy", f"{policy}; frame-ancestors 'none'".encode()),
    )


_OF_ALL, _OF_SCRIPTED = _headers(_POLICY), _headers(_SCRIPTED_POLICY)


def origin_of(url: str | None) -> str | None:
    """Scheme, host and port, as browsers name where a page comes from; None for no address."""
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme and parts.netloc else None


class Headed:
    """ASGI middleware. Pages of other sites are told nothing, but those of Temporal's UI by the codec."""

    def __init__(self, app: App, ui_origin: str | None) -> None:
        self._app = app
        self._codec: Any = CORSMiddleware(
            app,
            allow_origins=[ui_origin] if ui_origin else [],
            allow_methods=["POST"],
            allow_headers=["authorization", "content-type", "x-api-key", "x-namespace"],
            allow_credentials=True,
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                more = _OF_SCRIPTED if path.startswith(_SCRIPTED) else _OF_ALL
                message["headers"] = [*message["headers"], *(header for header in more if header[0] not in own)]
            await send(message)

        await (self._codec if path.startswith("/codec/") else self._app)(scope, receive, headed)
