"""The schedule of faults: the same for a seed, every kind in it, and nobody hit twice at once."""

import itertools
from collections import Counter

import pytest

from tests.chaos.schedule import APART, KINDS, SHORT, Fault, Pace, schedule


def test_a_seed_gives_the_same_faults_again_and_another_seed_others() -> None:
    assert schedule(3, 200, Pace()) == schedule(3, 200, Pace())
    assert schedule(3, 200, Pace()) != schedule(4, 200, Pace())


@pytest.mark.parametrize("seed", range(5))
def test_every_kind_comes_once_in_each_round(seed: int) -> None:
    counted = Counter((fault.kind, fault.target) for fault in schedule(seed, 2 * len(KINDS), SHORT))
    assert counted == dict.fromkeys(KINDS, 2)


@pytest.mark.parametrize("seed", range(20))
def test_faults_overlap_but_never_at_one_target(seed: int) -> None:
    faults = schedule(seed, 200, Pace())
    assert any(later.at_s < sooner.ends_s for sooner, later in itertools.pairwise(faults))
    for place in {_place(fault) for fault in faults}:
        here = [fault for fault in faults if _place(fault) == place]
        assert all(later.at_s > sooner.ends_s for sooner, later in itertools.pairwise(here))


def test_two_hundred_faults_take_less_than_25_minutes() -> None:
    assert all(max(fault.ends_s for fault in schedule(seed, 200, Pace())) < 25 * 60 for seed in range(50))


def test_apart_no_fault_begins_before_the_one_before_it_is_long_over() -> None:
    faults = schedule(1, len(KINDS), APART)
    gaps = [later.at_s - sooner.ends_s for sooner, later in itertools.pairwise(faults)]
    assert min(gaps) >= 19.9


def _place(fault: Fault) -> tuple[bool, str]:
    return fault.kind in ("cut", "halt"), fault.target
