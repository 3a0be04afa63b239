"""Money: whole minor units (fen, centavos) with an ISO 4217 currency; shared out without losing any."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

AMOUNT_MAX = 10**12

Amount = Annotated[int, Field(strict=True, ge=0, le=AMOUNT_MAX, description="Minor units, such as fen.")]
"""An amount in minor units."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.", examples=["CNY", "BRL"])]
"""A currency code of ISO 4217."""

_SIGNS = {"CNY": "¥", "BRL": "R$ ", "HKD": "HK$", "MOP": "MOP$", "TWD": "NT$", "USD": "US$", "EUR": "€"}

_DIGITS_MOST_HAVE = 2
_DIGITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
"""Digits after the point where ISO 4217 has other than two."""


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Split `total` in proportion to `weights`; the parts add up to `total` exactly.

    Largest remainder: everyone gets the whole part of the quota, what is left goes one by one to the largest
    fractions, the earlier one first among equals. A weight of zero gets nothing, unless all are zero: then
    all count alike. Raises ValueError for a negative total or weight, and when there is nobody to get it.
    """
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("only amounts and weights of zero or more can be shared out")
    if not weights:
        if total:
            raise ValueError(f"{total} cannot be shared out among nobody")
        return []
    whole = sum(weights)
    if whole == 0:
        weights, whole = [1] * len(weights), len(weights)
    parts = [total * weight // whole for weight in weights]
    by_fraction = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_fraction[: total - sum(parts)]:
        parts[place] += 1
    return parts


def display(amount: int, currency: str) -> str:
    """The amount as people write it: "¥12.34", "R$ 12.34", "GBP 12.34", "JPY 1234"."""
    digits = _DIGITS.get(currency, _DIGITS_MOST_HAVE)
    units, rest = divmod(abs(amount), 10**digits)
    fraction = f".{rest:0{digits}d}" if digits else ""
    return f"{'-' if amount < 0 else ''}{_SIGNS.get(currency, currency + ' ')}{units}{fraction}"
