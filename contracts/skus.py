"""Articles: what routing and carriers must know of a SKU, its weight and its size."""

from pydantic import Field

from contracts.base import Document, Request
from contracts.ids import Sku

WEIGHT_G = 500
"""Taken for an article of which nobody has said what it weighs."""


class ArticleUpsert(Request):
    """An article as a caller describes it. Replaces what was known of the same SKU."""

    sku: Sku
    name: str = Field(default="", max_length=200)
    weight_g: int = Field(default=WEIGHT_G, ge=1, le=1_000_000, description="Packed, in grams.")
    volume_cm3: int = Field(default=0, ge=0, le=100_000_000, description="Packed, in cubic centimetres; 0: unknown.")
    category: str = Field(default="", max_length=60, description="For commission rules and reports.")


class Article(Document):
    """An article as it is kept; its id is the SKU."""

    id: str
    name: str = ""
    weight_g: int = WEIGHT_G
    volume_cm3: int = 0
    category: str = ""
