"""The client that commands use, against an API that is busy for a while."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from infra.settings import Settings
from workers.cli.api import Api, ApiRefused


class Busy(ThreadingHTTPServer):
    """Answers with each of `answers` in turn, status and Retry-After, the last one for ever; keeps what came."""

    answers: list[tuple[int, str | None]]
    keys: list[str | None]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Any = self.server
        self.rfile.read(int(self.headers["Content-Length"]))
        server.keys.append(self.headers["Idempotency-Key"])
        status, after = server.answers[min(len(server.keys), len(server.answers)) - 1]
        self.send_response(status)
        if after is not None:
            self.send_header("Retry-After", after)
        self.end_headers()
        self.wfile.write(json.dumps({"code": "overloaded", "detail": "Busy.", "status": status}).encode())

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[Busy]:
    with Busy(("127.0.0.1", 0), _Handler) as server:
        server.answers, server.keys = [], []
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def api(server: Busy) -> Api:
    return Api(Settings(gateway_url=f"http://127.0.0.1:{server.server_port}", operator_key="tq_test"))


def test_what_is_asked_for_later_is_sent_again_under_its_key(busy: Busy) -> None:
    busy.answers = [(503, "0"), (429, "1"), (200, None)]
    assert api(busy).post("v1", "orders", body={}).status == 200
    assert len(busy.keys) == 3 and busy.keys[0] and len(set(busy.keys)) == 1
    assert api(busy).post("v1", "orders", body={}).status == 200
    assert busy.keys[3] != busy.keys[0]


@pytest.mark.parametrize("answer", [(503, None), (429, "3600"), (409, None)])
def test_what_takes_too_long_or_forever_is_refused_at_once(busy: Busy, answer: tuple[int, str | None]) -> None:
    busy.answers = [answer]
    with pytest.raises(ApiRefused) as refused:
        api(busy).post("v1", "orders", body={})
    assert refused.value.status == answer[0] and len(busy.keys) == 1
