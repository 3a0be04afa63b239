"""What becomes of a parcel in the sandbox: which scans, how long after the booking, and how they are told. Pure."""

import re
from hashlib import blake2b
from typing import Literal, NamedTuple, cast, get_args

from contracts.carriers import TrackingState as S

Fate = Literal["ok", "late", "lost", "refused", "returned", "twice", "jumbled", "declined", "unserved", "flaky"]
"""`refused`: at the door, and it stays there; `returned`: refused and brought back. `twice`: every scan is told twice;
`jumbled`: scans are told out of order. `declined`: the first label is; `unserved`: every label is; `flaky`: the first
two tries to book fail."""

_TOKEN = re.compile(rf"fate-({'|'.join(get_args(Fate))})(?![a-z])")
_SHORTEST_DAYS = 0.4
_LATE_BY_DAYS = 3.0
_MOMENT_DAYS = 0.01
_PLACES = {S.LABELLED: "online", S.COLLECTED: "sender", S.IN_TRANSIT: "hub", S.LOST: "hub", S.RETURNED: "sender"}


class Rates(NamedTuple):
    """Shares of parcels without a token that meet a fate, drawn from seed and key."""

    late: float = 0.0
    lost: float = 0.0
    refused: float = 0.0
    declined: float = 0.0
    seed: int = 0


class Step(NamedTuple):
    """A scan so many days after the booking, told at `told_days` and as many times."""

    state: S
    days: float
    told_days: float
    place: str
    times: int = 1


def fate_of(parcel: str, key: str, rates: Rates) -> Fate:
    """By a token such as `fate-lost` in the parcel's id, which begins with the order's; else by chance."""
    token = _TOKEN.search(parcel)
    if token:
        return cast(Fate, token[1])
    digest = blake2b(repr((rates.seed, key)).encode(), digest_size=8).digest()
    draw = int.from_bytes(digest, "big") / 2**64
    chances: tuple[tuple[Fate, float], ...] = (
        ("late", rates.late),
        ("lost", rates.lost),
        ("refused", rates.refused),
        ("declined", rates.declined),
    )
    for fate, share in chances:
        if draw < share:
            return fate
        draw -= share
    return "ok"


def journey(fate: Fate, service_days: int) -> list[Step]:
    """The way of a parcel: collected early, delivered shortly before its service's days are over, unless ..."""
    days = max(float(service_days), _SHORTEST_DAYS)
    way = [(S.LABELLED, 0.0), (S.COLLECTED, 0.05), (S.IN_TRANSIT, 0.3 * days), (S.IN_TRANSIT, 0.55 * days)]
    slip = _LATE_BY_DAYS if fate == "late" else 0.0
    door = 0.8 * days + slip
    if fate == "lost":
        way.append((S.LOST, days + 1))
    else:
        way.append((S.OUT_FOR_DELIVERY, door))
        if fate in ("refused", "returned"):
            way.append((S.REFUSED, 0.9 * days))
        else:
            way.append((S.DELIVERED, 0.9 * days + slip))
    if fate == "returned":
        way += [(S.RETURNING, 1.2 * days), (S.RETURNED, 2 * days)]
    told = [after for _, after in way]
    if fate == "jumbled":
        for place in range(0, len(told) - 1, 2):
            told[place], told[place + 1] = told[place + 1] + _MOMENT_DAYS, told[place + 1]
    times = 2 if fate == "twice" else 1
    return [
        Step(state, after, at, _PLACES.get(state, "door"), times) for (state, after), at in zip(way, told, strict=True)
    ]
