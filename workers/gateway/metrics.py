"""Figures of this process for Prometheus: requests, and what others let it show; and refusals of all processes."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_BUCKETS_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "tongqu_http_requests",
            "Requests answered.",
            ["method", "path", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "tongqu_http_seconds",
            "Time to answer.",
            ["method", "path"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._shown: list[Callable[[], Metric]] = []

    def counter(self, name: str, words: str, read: Callable[[], float]) -> None:
        """Show what `read` gives when somebody looks, and never falls."""
        self._shown.append(lambda: CounterMetricFamily(f"tongqu_{name}", words, value=read()))

    def gauge(self, name: str, words: str, read: Callable[[], float]) -> None:
        """Show what `read` gives when somebody looks."""
        self._shown.append(lambda: GaugeMetricFamily(f"tongqu_{name}", words, value=read()))

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        self._requests.labels(method, path, str(status)).inc()
        self._seconds.labels(method, path).observe(seconds)

    def text(self, refusals: Mapping[str, Mapping[str, int]]) -> bytes:
        """Prometheus' text format. `refusals`: counts by where and code."""
        shown = CollectorRegistry(auto_describe=False)
        shown.register(_Fixed(self._figures(refusals)))
        return generate_latest(self._registry) + generate_latest(shown)

    def _figures(self, refusals: Mapping[str, Mapping[str, int]]) -> list[Metric]:
        refused = CounterMetricFamily("tongqu_refusals", "Refusals of all processes.", labels=["where", "code"])
        for where, codes in refusals.items():
            for code, count in codes.items():
                refused.add_metric([where, code], count)
        return [refused, *(show() for show in self._shown)]


class _Fixed:
    """Figures that were read beforehand, as prometheus_client collects them."""

    def __init__(self, figures: list[Metric]) -> None:
        self._figures = figures

    def collect(self) -> list[Metric]:
        return self._figures


class Measured:
    """ASGI middleware that counts and times requests under their route's path, so that labels stay few."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if path != "other" else "other"
            self._metrics.note(method, path, status, time.perf_counter() - began)
