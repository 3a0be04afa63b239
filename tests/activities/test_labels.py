"""Labels in an order's life: booked when a store accepts, elsewhere when declined, voided when not needed any more."""

import pytest

from activities.orders.labels import void_label
from contracts.carriers import TrackingState
from contracts.ids import label_key
from contracts.orders import Stage
from contracts.routing import Policy
from tests.builders import NOW, command, later, reply
from tests.parcels import NUMBER, SERVICE, Carried, label_event, told


class TestBooking:
    def test_an_accepted_parcel_gets_a_label_and_its_store_is_told(self) -> None:
        carried = Carried()
        assert carried.order().label_at is None
        carried.answer("accepted")
        assert (carried.label().key, carried.label().state) == ("order-1.p1:label:1", "todo")
        assert carried.order().label_at == NOW
        moves = carried.carrier_answers()
        assert (carried.parcel().tracking, carried.parcel().freight, carried.order().label_at) == (NUMBER, 700, None)
        [data] = told(moves, "parcel.labelled.v1")
        assert (data["parcel"], data["service"], data["tracking"]) == (carried.parcel().id, SERVICE, NUMBER)
        assert data["label_url"]

    def test_a_parcel_without_a_service_gets_none(self) -> None:
        carried = Carried(service=None)
        carried.answer("accepted")
        assert carried.parcel().label is None and carried.order().label_at is None

    def test_a_store_that_ships_at_once_with_its_own_number_needs_none(self) -> None:
        carried = Carried()
        carried.answer("shipped", tracking="OWN-1")
        assert carried.parcel().label is None and carried.parcel().tracking == "OWN-1"

    def test_the_same_answer_twice_counts_once(self) -> None:
        carried = Carried()
        carried.answer("accepted")
        heard = label_event(carried.label(), "done", NOW)
        carried.step(NOW, heard)
        again = carried.step(later(5), heard.model_copy(update={"id": "again"}))
        assert again.tells == [] and carried.label().state == "done"


class TestTrouble:
    def test_a_declined_label_goes_to_the_next_cheapest_service_that_was_not_asked(self) -> None:
        carried = Carried()
        carried.answer("accepted")
        offers = ((SERVICE, 500), ("yunque/express", 900), ("other/slow", 1_000))
        carried.carrier_answers("declined", code="no-capacity", alternatives=offers)
        assert (carried.label().service, carried.label().state) == ("yunque/express", "todo")
        assert carried.label().key == label_key(carried.parcel().id, 2)
        carried.carrier_answers("declined", alternatives=offers)
        assert (carried.label().service, carried.label().declined) == ("other/slow", [SERVICE, "yunque/express"])
        carried.carrier_answers()
        assert (carried.parcel().service, carried.order().attention) == ("other/slow", None)

    def test_without_any_other_service_a_person_must_look_and_a_retry_asks_anew(self) -> None:
        carried = Carried()
        carried.answer("accepted")
        carried.carrier_answers("declined", alternatives=((SERVICE, 500),))
        assert carried.needs() == "no_carrier"
        assert (carried.label().state, carried.order().label_at) == ("declined", None)
        carried.step(later(60), command("retry", at=later(60)))
        assert (carried.label().key, carried.label().service) == (label_key(carried.parcel().id, 2), SERVICE)
        assert carried.order().attention is None and carried.order().label_at == later(60)

    def test_a_store_that_ships_by_itself_ends_the_attention(self) -> None:
        carried = Carried()
        carried.answer("accepted")
        carried.carrier_answers("declined")
        carried.answer("shipped", tracking="OWN-1")
        assert carried.order().attention is None and carried.order().label_at is None

    def test_a_carrier_that_fails_is_asked_again_later_and_not_for_ever(self) -> None:
        carried = Carried(policy=Policy(label_tries=3, label_retry_s=10))
        carried.answer("accepted")
        carried.carrier_answers("failed", code="timeout")
        assert (carried.label().state, carried.order().label_at) == ("todo", later(10))
        carried.carrier_answers("failed", at=later(10))
        assert carried.order().label_at == later(30)
        carried.carrier_answers("failed", at=later(30), detail="no answer")
        assert (carried.label().state, carried.order().label_at) == ("failed", None)
        assert carried.needs() == "label_failed"
        carried.step(later(90), command("retry", at=later(90)))
        assert (carried.label().state, carried.label().tries, carried.label().key[-1]) == ("todo", 3, "1")


class TestVoiding:
    @pytest.mark.parametrize("booked", [True, False])
    def test_a_cancelled_order_ends_when_its_label_is_void_booked_or_not(self, booked: bool) -> None:
        carried = Carried()
        carried.answer("accepted")
        booking = label_event(carried.label(), "done", later(30))
        if booked:
            carried.step(later(30), booking)
        carried.step(later(60), command("cancel", at=later(60), force=True))
        assert (carried.label().operation, carried.label().state) == ("void", "todo")
        assert carried.order().stage is Stage.CANCELLING
        late = carried.step(later(70), booking.model_copy(update={"id": "late", "received_at": later(70)}))
        assert told(late, "parcel.labelled.v1") == []
        carried.carrier_answers(at=later(80))
        assert carried.label().state == "dropped"
        assert carried.order().stage is Stage.CANCELLED

    def test_a_rejection_after_the_label_voids_it_and_the_next_store_s_parcel_gets_its_own(self) -> None:
        carried = Carried()
        carried.labelled()
        first = carried.parcel()
        carried.step(later(60), reply("rejected", first, at=later(60), reason="damaged"))
        old = carried.order().parcels[0].label
        assert old is not None and (old.operation, old.state) == ("void", "todo")
        assert carried.parcel().id != first.id and carried.parcel().tracking is None

    def test_a_store_that_ships_with_another_number_makes_the_label_void(self) -> None:
        carried = Carried()
        carried.labelled()
        carried.answer("shipped", later(60), tracking="OWN-1")
        assert (carried.label().operation, carried.label().state) == ("void", "todo")
        assert carried.parcel().tracking == "OWN-1"

    @pytest.mark.parametrize("said", [None, NUMBER])
    def test_a_store_that_ships_with_the_label_keeps_it(self, said: str | None) -> None:
        carried = Carried()
        carried.labelled()
        carried.answer("shipped", later(60), tracking=said)
        assert (carried.label().operation, carried.label().state) == ("book", "done")

    def test_a_label_that_a_carrier_would_not_void_is_not_forgotten_when_the_order_is_cancelled(self) -> None:
        carried = Carried(policy=Policy(label_tries=1))
        carried.labelled()
        carried.answer("rejected", later(60), reason="damaged")
        first = carried.order().parcels[0].label
        assert first is not None
        carried.step(later(70), label_event(first, "failed", later(70), code="timeout"))
        carried.step(later(80), command("cancel", at=later(80), force=True))
        assert (carried.needs(), carried.order().stage) == ("label_failed", Stage.CANCELLING)

    def test_a_label_that_cannot_be_voided_comes_to_a_person(self) -> None:
        carried = Carried()
        carried.labelled()
        carried.step(later(60), command("cancel", at=later(60), force=True))
        carried.carrier_answers("declined", at=later(70), code="already-collected")
        assert carried.needs() == "label_not_voided"
        assert carried.order().stage is Stage.CANCELLED

    @pytest.mark.parametrize("booked", [True, False])
    def test_a_label_that_is_not_right_any_more_is_voided_and_another_is_booked(self, booked: bool) -> None:
        carried = Carried()
        carried.answer("accepted")
        if booked:
            carried.carrier_answers()
        void_label(carried.parcel())
        carried.step(later(60))
        assert (carried.label().operation, carried.parcel().tracking) == ("void", None)
        carried.carrier_answers(at=later(70))
        assert (carried.label().key, carried.label().state) == (label_key(carried.parcel().id, 2), "todo")
        carried.carrier_answers(at=later(80), number="QL002")
        assert carried.parcel().tracking == "QL002"

    def test_a_label_of_a_moved_customer_that_cannot_be_voided_is_still_known_by_its_number(self) -> None:
        carried = Carried()
        carried.labelled()
        void_label(carried.parcel())
        carried.carrier_answers("declined", at=later(70), code="already-collected")
        assert (carried.needs(), carried.parcel().tracking) == ("label_not_voided", NUMBER)
        carried.scanned(TrackingState.COLLECTED, later(80))
        assert carried.what() == ["shipped", "collected"]
