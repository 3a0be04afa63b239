"""From what a caller placed to the document that is kept."""

from activities.orders.accept import digest, new_order, order_document
from contracts.orders import OrderState
from tests.builders import NOW, placement


class TestAccept:
    def test_line_amounts_add_up_to_the_total_with_discount_and_fee(self) -> None:
        made = new_order(placement(("tea", 3), ("cup", 1), price=333, discount=100, shipping_fee=7), "order-1", NOW)
        assert made.total == 4 * 333 - 93
        assert sum(line.amount for line in made.lines) == made.total

    def test_the_customers_point_is_kept_as_wgs84(self) -> None:
        asked = placement()
        point = asked.ship_to.point.model_copy(update={"datum": "GCJ02"})
        shifted = asked.model_copy(update={"ship_to": asked.ship_to.model_copy(update={"point": point})})
        made = new_order(shifted, "order-1", NOW)
        assert 0.001 < abs(made.lat - point.lat) + abs(made.lon - point.lon) < 0.02
        assert made.ship_to["point"]["datum"] == "GCJ02"

    def test_the_fingerprint_is_of_the_content_and_not_of_the_id(self) -> None:
        assert digest(placement(id="a")) == digest(placement(id="b"))
        assert digest(placement(("tea", 1))) != digest(placement(("tea", 2)))

    def test_the_document_reads_back_as_the_same_state_and_waits_for_a_batch(self) -> None:
        document = order_document(placement(("tea", 2), method="card"), "order-1", NOW)
        read = OrderState.from_row(document)
        assert read == new_order(placement(("tea", 2), method="card"), "order-1", NOW)
        assert (document["batch"], document["stage"], document["decisions"]) == (None, "placed", [])
