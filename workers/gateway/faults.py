"""What is wrong with an input, field by field: the errors of pydantic, each with a code of ours and a remedy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from contracts.refusals import Refusal

SHOWN = 100
"""Faults named in one answer; a caller who sends thousands has one mistake, many times."""

_NAME_MAX = 60
"""Characters of a field name that are repeated: the names of unknown fields are the sender's."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `field` is a JSON path such as `lines.0.quantity`."""

    field: str
    code: str
    detail: str
    remedy: str


_CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "less_than": "too_large",
    "less_than_equal": "too_large",
    "too_short": "too_few",
    "too_long": "too_many",
    "string_too_short": "too_short",
    "string_too_long": "too_long",
    "string_pattern_mismatch": "bad_format",
    "literal_error": "not_allowed",
    "enum": "not_allowed",
    "finite_number": "not_finite",
    "date_from_datetime_parsing": "bad_format",
    "date_from_datetime_inexact": "bad_format",
}
_REMEDIES = {
    "missing": "Send this field.",
    "extra_forbidden": "Leave it out, or check its spelling.",
    "greater_than": "Send more than {gt}.",
    "greater_than_equal": "Send {ge} or more.",
    "less_than": "Send less than {lt}.",
    "less_than_equal": "Send {le} or less.",
    "too_short": "Send at least {min_length}.",
    "too_long": "Send at most {max_length}; share the rest out over further requests.",
    "string_too_short": "Send at least {min_length} character(s).",
    "string_too_long": "Send at most {max_length} characters.",
    "string_pattern_mismatch": "Send text of the form {pattern}.",
    "literal_error": "Send {expected}.",
    "enum": "Send {expected}.",
    "finite_number": "Send a finite number.",
    "date_from_datetime_parsing": "Send a day such as 2026-03-31.",
    "date_from_datetime_inexact": "Send a day such as 2026-03-31, without a time.",
    "date_type": "Send a day such as 2026-03-31.",
    "int_from_float": "Send a whole number.",
    "int_parsing": "Send a whole number.",
    "int_parsing_size": "Send a smaller number.",
    "int_type": "Send a whole number.",
    "float_parsing": "Send a number.",
    "float_type": "Send a number.",
    "string_type": "Send text.",
    "bool_parsing": "Send true or false.",
    "bool_type": "Send true or false.",
    "list_type": "Send a list.",
    "model_type": "Send a JSON object.",
    "model_attributes_type": "Send a JSON object.",
    "dict_type": "Send a JSON object.",
}
_RULES = {
    "total is": ("total", "prices_do_not_add_up"),
    "lines carry": ("lines", "line_number_twice"),
    "a card payment": ("token", "token_missing"),
    "zones without a rate": ("zones", "zone_without_rate"),
    "is not named after its carrier": ("services", "foreign_service"),
    "two services carry": ("services", "listed_twice"),
    "valid_to is": ("valid_to", "not_after"),
    "category cannot": ("category", "not_allowed"),
    "per_parcel has": ("per_parcel", "not_allowed"),
    "nothing is promoted": ("skus", "missing"),
    "last_day lies before": ("last_day", "too_early"),
    "it lasts more than": ("last_day", "too_late"),
    "leads from": ("", "not_allowed"),
    "two lead from": ("", "listed_twice"),
}
"""Rules over several fields, by words of their message: the field to change, and the code."""


def fault_of(error: Mapping[str, Any]) -> Fault:
    """One of pydantic's errors in our words. What a message says after a semicolon is its remedy."""
    kind, context = error["type"], error.get("ctx", {})
    path = [str(part)[:_NAME_MAX] for part in error["loc"]]
    if kind == "value_error":
        detail, _, remedy = str(context["error"]).partition("; ")
        field, code = next((rule for words, rule in _RULES.items() if words in detail), ("", "invalid"))
        path += [field] if field else []
    elif kind in _REMEDIES:
        detail, code = error["msg"], _CODES.get(kind, "wrong_type")
        remedy = _REMEDIES[kind].format_map(context)
    else:
        detail, _, remedy = error["msg"].partition("; ")
        code = kind
    return Fault(".".join(path), code, _sentence(detail), _sentence(remedy or "Correct this field"))


def faults_of(errors: Iterable[Mapping[str, Any]]) -> list[Fault]:
    return [fault_of(error) for error in errors]


def refused(faults: Sequence[Fault], status: int = 422) -> Refusal:
    """One refusal for all that is wrong. Its code is that of the faults, if they are all of one kind."""
    first, codes = faults[0], {fault.code for fault in faults}
    errors = [asdict(fault) for fault in faults[:SHOWN]]
    if len(faults) == 1:
        return Refusal(first.code, first.detail, remedy=first.remedy, field=first.field, status=status, errors=errors)
    return Refusal(
        first.code if len(codes) == 1 else "invalid",
        f"{len(faults)} fields are wrong, the first of them {first.field or 'the body'}: {first.detail}",
        remedy="Correct every field that is named in errors.",
        field=first.field,
        status=status,
        errors=errors,
    )


def invalid(error: ValidationError) -> Refusal:
    return refused(faults_of(error.errors(include_url=False, include_input=False)))


def codes_of(refusal: Refusal) -> set[str]:
    """What a refusal is counted under: each kind of fault once."""
    return {error["code"] for error in refusal.extra.get("errors", ())} or {refusal.code}


def _sentence(words: str) -> str:
    words = words[:1].upper() + words[1:]
    return words if words.endswith((".", "!", "?")) else words + "."
