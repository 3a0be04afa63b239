"""Places on the picture: true distances and directions around the customer, and room for every label."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.geo import Point, distance_km
from workers.picture.labels import Box, Room, spread
from workers.picture.projection import graticule, kilometres, nice, rings, view_of

CENTRE = (30.27, 120.15)
near_lat, near_lon = st.floats(-80, 80), st.floats(-179, 179)


@given(near_lat, near_lon, near_lat, near_lon)
def test_distances_from_the_customer_are_true(lat: float, lon: float, other_lat: float, other_lon: float) -> None:
    east, north = kilometres((lat, lon), (other_lat, other_lon))
    here, there = Point(lat=lat, lon=lon, datum="WGS84"), Point(lat=other_lat, lon=other_lon, datum="WGS84")
    true = distance_km(here, there)
    # Close to the opposite side of the earth there is no direction any more.
    if true < 19_900:
        assert math.hypot(east, north) == pytest.approx(true, rel=1e-6, abs=1e-6)


def test_directions_are_true() -> None:
    assert kilometres(CENTRE, (31.27, 120.15)) == pytest.approx((0, 111.195), abs=0.001)
    east, north = kilometres(CENTRE, (30.27, 121.15))
    assert east == pytest.approx(111.195 * math.cos(math.radians(30.27)), abs=0.01)
    # A parallel bends towards the pole on the way east.
    assert 0 < north < 1


@given(st.lists(st.tuples(st.floats(-60, 60), st.floats(100, 140)), max_size=12))
def test_everything_is_on_the_picture(points: list[tuple[float, float]]) -> None:
    view = view_of(CENTRE, points, 960, 600, 90)
    for place in [*points, CENTRE]:
        assert view.holds(view.place(place), 89)


@given(st.floats(0, 20_000))
def test_rings_are_few_and_reach_the_farthest_place(farthest: float) -> None:
    radii = rings(farthest)
    assert 1 <= len(radii) <= 6
    assert radii[-1] >= farthest * (1 - 1e-9)


@given(st.floats(1e-3, 1e6))
def test_a_nice_number_is_close_below(most: float) -> None:
    assert most / 2.51 <= nice(most) <= most * (1 + 1e-9)


def test_lines_of_the_graticule_are_few_and_labelled() -> None:
    lines = graticule(view_of(CENTRE, [(31.0, 121.0)], 960, 600, 90))
    labels = [label for label, _ in lines]
    assert 4 <= len(labels) <= 40
    assert "30°N" in labels
    assert len(set(labels)) == len(labels)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(0, 300)), min_size=1, max_size=8), st.booleans())
def test_marks_are_moved_apart_and_the_customer_stays(marks: list[tuple[float, float]], same: bool) -> None:
    wanted = [marks[0]] * len(marks) if same else marks
    moved = spread(wanted, (200.0, 150.0), 25)
    everything = [*moved, (200.0, 150.0)]
    for number, one in enumerate(everything):
        for other in everything[number + 1 :]:
            assert math.dist(one, other) >= 15


def test_marks_that_lie_apart_stay_where_they_are() -> None:
    assert spread([(0.0, 0.0), (100.0, 0.0)], (50.0, 50.0), 25) == [(0.0, 0.0), (100.0, 0.0)]


@given(st.lists(st.tuples(st.floats(20, 380), st.floats(20, 280)), max_size=40))
def test_labels_never_lie_on_each_other_or_on_a_mark(marks: list[tuple[float, float]]) -> None:
    room = Room(400, 300)
    for x, y in marks:
        room.take(x, y, 8)
    blocked = list(room.taken)
    boxes: list[Box] = []
    for x, y in marks:
        found = room.find(x, y, [("西湖店 no. 1", 12.0)], 10)
        if found is not None:
            boxes.append(found[0])
    for number, box in enumerate(boxes):
        assert box.left >= 0 and box.right <= 400 and box.top >= 0 and box.bottom <= 300
        assert not any(box.meets(other) for other in [*boxes[number + 1 :], *blocked])
