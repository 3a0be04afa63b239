"""The marketplace orders of Olist (Brazil, 2016 to 2018): from its CSV files to locations, stock and orders.

Sellers become locations, product categories become pooled SKUs, and a seller's stock of a category is what the
whole file says it sold of it. Places are known by zip prefix: the median of the prefix's points. What is left out,
and why, is told. The dataset's licence forbids shipping it; it is read from the folder that is named.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from statistics import median
from typing import Any

from contracts.divisions import exists
from workers.importing.rows import BadRow, Item, Row, RowRefused, read_rows

CHANNEL = "olist"
CURRENCY = "BRL"
UNCATEGORISED = "uncategorised"

NO_ITEMS = "no items"
NO_POINT = "no point known for the customer's zip prefix"
BAD_ITEM = "an item that cannot be read"
BAD_ORDER = "the order's own row is bad"

_SOUTH, _NORTH, _WEST, _EAST = -33.76, 5.28, -74.0, -28.8
"""Brazil with its islands, in degrees."""

Place = tuple[float, float]
"""Latitude and longitude, WGS84 degrees."""


@dataclass(frozen=True, slots=True)
class Seller:
    id: str
    city: str
    division: str
    place: Place | None
    line: int


@dataclass(frozen=True, slots=True)
class _Sold:
    """One unit that was sold; amounts in centavos."""

    sku: str
    seller: str
    price: int
    freight: int


@dataclass(frozen=True, slots=True)
class _Placed:
    id: str
    customer: str
    at: datetime
    line: int


@dataclass(slots=True)
class Olist:
    """What was read. `units`: sold by SKU and seller; `shipped_by`: the sellers who really shipped, by order."""

    sellers: dict[str, Seller] = field(default_factory=dict)
    orders: list[Item] = field(default_factory=list)
    orders_read: int = 0
    units: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    shipped_by: dict[str, list[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    paid_differently: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def items(self) -> Iterator[Item]:
        """Everything to be sent: locations, then stock, then orders in the order of their time."""
        for seller in self.sellers.values():
            yield Item("location", _location(seller), _SELLERS, seller.line)
        for sku, sold in sorted(self.units.items()):
            for seller_id, quantity in sorted(sold.items()):
                body = {"location": seller_id, "sku": sku, "kind": "count", "quantity": quantity}
                yield Item("stock", body, _SELLERS, self.sellers[seller_id].line)
        yield from self.orders


_SELLERS = "olist_sellers_dataset.csv"
_ORDERS = "olist_orders_dataset.csv"


def read_olist(folder: Path) -> Olist:
    """Raises FileUnusable when a file is missing or has other columns."""
    return _Reading(folder).read()


class _Reading:
    """Reads the files in the order in which they lean on each other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._olist = Olist()
        self._points: dict[str, list[Place]] = defaultdict(list)
        self._places: dict[str, Place] = {}
        self._english: dict[str, str] = {}
        self._skus: dict[str, str] = {}
        self._customers: dict[str, tuple[str, str]] = {}
        self._placed: dict[str, _Placed] = {}
        self._sold: dict[str, list[_Sold]] = defaultdict(list)
        self._spoilt: set[str] = set()
        self._paid: Counter[str] = Counter()

    def read(self) -> Olist:
        prefix = "geolocation_zip_code_prefix"
        self._read("olist_geolocation_dataset.csv", (prefix, "geolocation_lat", "geolocation_lng"), self._point)
        self._places = {
            known: (median(lat for lat, _ in points), median(lon for _, lon in points))
            for known, points in self._points.items()
        }
        names = ("product_category_name", "product_category_name_english")
        self._read("product_category_name_translation.csv", names, self._translation)
        self._read("olist_products_dataset.csv", ("product_id", "product_category_name"), self._product)
        seller = ("seller_id", "seller_zip_code_prefix", "seller_city", "seller_state")
        self._read(_SELLERS, seller, self._seller)
        customer = ("customer_id", "customer_zip_code_prefix", "customer_state")
        self._read("olist_customers_dataset.csv", customer, self._customer)
        self._read(_ORDERS, ("order_id", "customer_id", "order_purchase_timestamp"), self._order)
        item = ("order_id", "product_id", "seller_id", "price", "freight_value")
        self._read("olist_order_items_dataset.csv", item, self._item)
        self._read("olist_order_payments_dataset.csv", ("order_id", "payment_value"), self._payment)
        self._make_orders()
        return self._olist

    def _read(self, file: str, columns: tuple[str, ...], take: Any) -> None:
        read_rows(self._folder / file, columns, self._olist.bad.append, take)

    def _point(self, row: Row) -> None:
        lat, lon = (_degrees(row, name) for name in ("geolocation_lat", "geolocation_lng"))
        if not (_SOUTH <= lat <= _NORTH and _WEST <= lon <= _EAST):
            raise RowRefused("outside_brazil", f"the point {lat:.4f}, {lon:.4f} does not lie in Brazil")
        self._points[row.needed("geolocation_zip_code_prefix")].append((lat, lon))

    def _translation(self, row: Row) -> None:
        self._english[row.needed("product_category_name")] = row.needed("product_category_name_english")

    def _product(self, row: Row) -> None:
        """Where the translation is missing, the category's own name is used; where it has none, one for all."""
        category = row["product_category_name"].strip()
        self._skus[row.needed("product_id")] = f"cat-{self._english.get(category, category) or UNCATEGORISED}"

    def _seller(self, row: Row) -> None:
        known = row.needed("seller_id")
        _once(known, self._olist.sellers, "seller_id")
        place = self._places.get(row["seller_zip_code_prefix"].strip())
        city, division = row["seller_city"].strip(), _state(row, "seller_state")
        self._olist.sellers[known] = Seller(known, city, division, place, row.line)

    def _customer(self, row: Row) -> None:
        known = row.needed("customer_id")
        _once(known, self._customers, "customer_id")
        self._customers[known] = (row["customer_zip_code_prefix"].strip(), _state(row, "customer_state"))

    def _order(self, row: Row) -> None:
        known, customer = row.needed("order_id"), row.needed("customer_id")
        _once(known, self._placed, "order_id")
        if customer not in self._customers:
            raise RowRefused("unknown_customer", f"there is no customer {customer}")
        self._placed[known] = _Placed(known, customer, _moment(row, "order_purchase_timestamp"), row.line)

    def _item(self, row: Row) -> None:
        order = row.needed("order_id")
        try:
            sold = self._unit(row)
        except RowRefused:
            self._spoilt.add(order)
            raise
        if order not in self._placed:
            raise RowRefused("unknown_order", f"there is no order {order}")
        self._sold[order].append(sold)
        self._olist.units[sold.sku][sold.seller] += 1

    def _unit(self, row: Row) -> _Sold:
        product, seller = row.needed("product_id"), row.needed("seller_id")
        if product not in self._skus:
            raise RowRefused("unknown_product", f"there is no product {product}")
        if seller not in self._olist.sellers:
            raise RowRefused("unknown_seller", f"there is no seller {seller}")
        return _Sold(self._skus[product], seller, _centavos(row, "price"), _centavos(row, "freight_value"))

    def _payment(self, row: Row) -> None:
        self._paid[row.needed("order_id")] += _centavos(row, "payment_value")

    def _make_orders(self) -> None:
        bad = sum(row.file == _ORDERS for row in self._olist.bad)
        self._olist.orders_read = len(self._placed) + bad
        self._olist.left_out[BAD_ORDER] += bad
        for placed in sorted(self._placed.values(), key=lambda one: (one.at, one.id)):
            prefix, division = self._customers[placed.customer]
            sold, place = self._sold.get(placed.id, []), self._places.get(prefix)
            if placed.id in self._spoilt:
                self._olist.left_out[BAD_ITEM] += 1
            elif not sold:
                self._olist.left_out[NO_ITEMS] += 1
            elif place is None:
                self._olist.left_out[NO_POINT] += 1
            else:
                body = _order_body(placed.id, sold, division, place)
                self._olist.paid_differently += body["total"] != self._paid[placed.id]
                self._olist.orders.append(Item("order", body, _ORDERS, placed.line))
                self._olist.shipped_by[placed.id] = sorted({unit.seller for unit in sold})


def _order_body(order: str, sold: list[_Sold], division: str, place: Place) -> dict[str, Any]:
    """Units of one SKU at one price make a line."""
    units = Counter((unit.sku, unit.price) for unit in sold)
    lines = [
        {"line": number, "sku": sku, "quantity": quantity, "unit_price": price}
        for number, ((sku, price), quantity) in enumerate(sorted(units.items()), 1)
    ]
    freight = sum(unit.freight for unit in sold)
    return {
        "id": order,
        "channel": CHANNEL,
        "currency": CURRENCY,
        "lines": lines,
        "shipping_fee": freight,
        "total": sum(unit.price for unit in sold) + freight,
        "payment": {"method": "prepaid"},
        "ship_to": {"division": division, "point": _point_body(place)},
    }


def _location(seller: Seller) -> dict[str, Any]:
    return {
        "id": seller.id,
        "kind": "seller",
        "name": f"{seller.city.title() or seller.division} {seller.id[:8]}",
        "division": seller.division,
        "point": _point_body(seller.place) if seller.place else None,
        "channels": [CHANNEL],
    }


def _point_body(place: Place) -> dict[str, Any]:
    return {"lat": place[0], "lon": place[1], "datum": "WGS84"}


def _once(known: str, seen: Any, column: str) -> None:
    if known in seen:
        raise RowRefused("twice", f"{column} {known} was there before; this row is left out")


def _state(row: Row, column: str) -> str:
    code = f"BR-{row.needed(column)}"
    if not exists(code):
        raise RowRefused("unknown_state", f"{column} {row[column]} is no state of ISO 3166-2:BR")
    return code


def _centavos(row: Row, column: str) -> int:
    text = row.needed(column)
    try:
        amount = Decimal(text) * 100
    except InvalidOperation as error:
        raise RowRefused("not_an_amount", f"{column} {text!r} is no amount") from error
    if not amount.is_finite() or amount < 0 or amount != amount.to_integral_value():
        raise RowRefused("not_an_amount", f"{column} {text!r} is no amount of zero or more in whole centavos")
    return int(amount)


def _degrees(row: Row, column: str) -> float:
    try:
        return float(row.needed(column))
    except ValueError as error:
        if isinstance(error, RowRefused):
            raise
        raise RowRefused("not_a_number", f"{column} {row[column]!r} is no number") from error


def _moment(row: Row, column: str) -> datetime:
    text = row.needed(column)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise RowRefused("not_a_moment", f"{column} {text!r} is no date and time") from error
