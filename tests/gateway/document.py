"""The OpenAPI document, written once for all whose tests are made from it."""

from typing import Any

from infra.settings import Settings
from workers.gateway.app import create_app

DOCUMENT: dict[str, Any] = create_app(Settings()).openapi()
