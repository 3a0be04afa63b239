"""From a statement's entries to its lines, balances and JSON. Pure."""

from collections.abc import Iterable, Mapping

import orjson

from contracts.settlement import Balance, Entry, Meaning, StatementContent, StatementLine

_ORDER: tuple[Meaning, ...] = (
    "goods",
    "commission",
    "sales_commission",
    "handling",
    "freight",
    "correction",
    "payout",
)


def lines_of(entries: Iterable[Entry]) -> list[StatementLine]:
    """One line for each cause and currency, in the order in which they happened, numbered from 1.

    A later correction has a later moment, so that the lines before it keep their numbers.
    """
    gathered: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        gathered.setdefault((entry.cause, entry.currency), []).append(entry)
    together = sorted(gathered.values(), key=lambda same: (same[0].at, same[0].cause, same[0].currency))
    return [_line(number, same) for number, same in enumerate(together, 1)]


def _line(number: int, entries: list[Entry]) -> StatementLine:
    first = entries[0]
    amounts = _amounts(entries)
    return StatementLine(
        number=number,
        cause=first.cause,
        at=first.at,
        order=first.order,
        parcel=first.parcel,
        currency=first.currency,
        amounts=amounts,
        amount=sum(amounts.values()),
        rules=sorted({entry.rule for entry in entries if entry.rule is not None}),
    )


def _amounts(entries: Iterable[Entry]) -> dict[Meaning, int]:
    total: dict[Meaning, int] = {}
    for entry in entries:
        total[entry.meaning] = total.get(entry.meaning, 0) + entry.amount
    return {meaning: total[meaning] for meaning in sorted(total, key=_place)}


def _place(meaning: Meaning) -> tuple[int, str]:
    return (_ORDER.index(meaning) if meaning in _ORDER else len(_ORDER), meaning)


def balances_of(opening: Mapping[str, int], lines: Iterable[StatementLine]) -> list[Balance]:
    """By currency: what was there, what was added for what, and what there is now."""
    amounts: dict[str, dict[Meaning, int]] = {currency: {} for currency in opening}
    for line in lines:
        of_currency = amounts.setdefault(line.currency, {})
        for meaning, amount in line.amounts.items():
            of_currency[meaning] = of_currency.get(meaning, 0) + amount
    return [
        Balance(
            currency=currency,
            opening=opening.get(currency, 0),
            amounts={meaning: sums[meaning] for meaning in sorted(sums, key=_place)},
            closing=opening.get(currency, 0) + sum(sums.values()),
        )
        for currency, sums in sorted(amounts.items())
    ]


def json_of(content: StatementContent) -> bytes:
    """The same content makes the same bytes."""
    return orjson.dumps(content.model_dump(mode="json"), option=orjson.OPT_INDENT_2)
