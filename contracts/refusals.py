"""One error for every refusal: what is wrong, with which field, and what to do about it."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """A request that is not carried out. Nothing was changed.

    `code` is stable and counted; `field` names the input (a JSON path such as `lines.0.sku`); `remedy` says what
    to change; `status` is the HTTP status of the answer.
    """

    def __init__(
        self, code: str, detail: str, *, remedy: str, field: str | None = None, status: int = 422, **extra: Any
    ) -> None:
        super().__init__(f"{code}: {detail} {remedy}")
        self.code = code
        self.detail = detail
        self.remedy = remedy
        self.field = field
        self.status = status
        self.extra: Mapping[str, Any] = extra
