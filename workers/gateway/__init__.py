"""The HTTP gateway: orders, locations, stock and availability over HTTP, with keys, problems and idempotency."""
