"""What is said to a bank: a small deposit to an account, under a key, and what became of it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from contracts.base import Document, Request
from contracts.personal import BankAccount

DEPOSITS = "/v1/deposits"
FINAL_CODES = frozenset({"account-unknown", "holder-differs", "account-closed", "account-refused"})
"""Why a bank never pays to an account. All else is trouble that passes."""

DepositKey = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,200}$")]


class DepositOrder(Request):
    """Money to an account. The same key with the same content is paid once, however often it is asked."""

    key: DepositKey
    holder: str = Field(min_length=1, max_length=200)
    bank: str = Field(min_length=1, max_length=200)
    number: BankAccount
    amount: int = Field(ge=1, le=99, strict=True, description="Fen.")
    remark: str = Field(max_length=140, description="Shown on the account's statement.")


class DepositOutcome(Document):
    """paid: it is on the account's statement. refused: it never will be. failed: not known; ask again, same key."""

    key: str
    status: Literal["paid", "refused", "failed"]
    reference: str | None = None
    code: str | None = None
    detail: str | None = None
