"""Personal data: marked in models where it is, masked where it is shown, blotted out where it is only passing by."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, StringConstraints

PersonalKind = Literal["phone", "email", "name", "account", "resident", "secret"]
"""A telephone number, an e-mail address, a person's name, a bank account, a number of a resident's identity card; and
what is not personal but is kept and shown the same way: a secret that two parties share."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field of text as personal: `Annotated[str, Personal("phone")]`, also below Optional, list and dict."""

    kind: PersonalKind


_Text = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Phone = Annotated[_Text, Personal("phone")]
Email = Annotated[_Text, Personal("email")]
PersonName = Annotated[_Text, Personal("name")]
BankAccount = Annotated[_Text, Personal("account")]
ResidentId = Annotated[_Text, Personal("resident")]
PersonalText = Annotated[str, Personal("name")]
"""What somebody has written, or is told by name."""
SharedSecret = Annotated[_Text, Personal("secret")]

Visit = Callable[[PersonalKind, str, str], Any]
"""Takes the kind, the value and the path of a personal field, such as `contacts.phone`, and gives what stands for it.
Places in lists are no part of a path: an entry may move."""


def mask(kind: PersonalKind, value: str) -> str:
    """What people see who need not know: `138****1234`, `w***@example.com`, `王**`, `****6789`, `3****************X`.

    Of what is so short that little would be hidden, nothing is shown.
    """
    text = value.strip()
    if kind == "phone":
        return _ends(text, 3, 4, hidden=4)
    if kind == "email":
        name, at, host = text.rpartition("@")
        return f"{_ends(name, 1, 0, hidden=1, stars='***')}{at}{host}" if at else "***"
    if kind == "name":
        return _ends(text, 1, 0, hidden=1, stars="**")
    if kind == "account":
        return _ends(text, 0, 4, hidden=4)
    if kind == "secret":
        return "****"
    return _ends(text, 1, 1, hidden=8, stars="*" * max(len(text) - 2, 4))


def _ends(text: str, first: int, last: int, *, hidden: int, stars: str = "****") -> str:
    """The first and last characters, if as many as `hidden` or more are left out between them."""
    if len(text) < first + hidden + last:
        return stars
    return text[:first] + stars + text[len(text) - last :]


def visited(model: BaseModel, visit: Visit) -> dict[str, Any]:
    """The model as a dictionary (python mode), each personal field replaced by what `visit` makes of it."""
    return _visited_model(model, model.model_dump(), visit, "")


def masked(model: BaseModel) -> dict[str, Any]:
    """The model as a dictionary that may be shown."""
    return visited(model, lambda kind, value, _path: mask(kind, value))


@cache
def marked_here(model: type[BaseModel]) -> frozenset[str]:
    """Names of the fields that are marked themselves, without those of models in it."""
    fields = model.model_fields.items()
    return frozenset(name for name, info in fields if _kind_of([*info.metadata, info.annotation]) is not None)


def personal_fields(model: type[BaseModel]) -> dict[str, PersonalKind]:
    """Kinds of the personal fields of a model and of the models in it, by path. Models that hold themselves end it."""
    found: dict[str, PersonalKind] = {}
    _collect(model, "", found, ())
    return found


def _visited_model(model: BaseModel, dumped: Mapping[str, Any], visit: Visit, path: str) -> dict[str, Any]:
    made = dict(dumped)
    for name, info in type(model).model_fields.items():
        if name in made:
            value = getattr(model, name)
            made[name] = _visited(value, made[name], [*info.metadata, info.annotation], visit, _under(path, name))
    return made


def _visited(value: Any, dumped: Any, notes: list[Any], visit: Visit, path: str) -> Any:
    """`notes`: the annotation of the value, and what it is annotated with."""
    if isinstance(value, BaseModel):
        return _visited_model(value, dumped, visit, path)
    if isinstance(value, str):
        kind = _kind_of(notes)
        return dumped if kind is None else visit(kind, value, path)
    if isinstance(value, Mapping):
        return {key: _visited(item, dumped[key], notes, visit, _under(path, str(key))) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_visited(item, copy, notes, visit, path) for item, copy in zip(value, dumped, strict=True)]
    return dumped


def _kind_of(notes: list[Any]) -> PersonalKind | None:
    for note in notes:
        if isinstance(note, Personal):
            return note.kind
        inner = [*getattr(note, "__metadata__", ()), *get_args(note)]
        kind = _kind_of(inner) if inner else None
        if kind is not None:
            return kind
    return None


def _collect(model: type[BaseModel], path: str, found: dict[str, PersonalKind], above: tuple[Any, ...]) -> None:
    if model in above:
        return
    for name, info in model.model_fields.items():
        notes = [*info.metadata, info.annotation]
        kind = _kind_of(notes)
        if kind is not None:
            found[_under(path, name)] = kind
        for inner in _models_in(info.annotation):
            _collect(inner, _under(path, name), found, (*above, model))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL), "[key]"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), "[jwt]"),
    (re.compile(r"\bS[UAOCNX][A-Z2-7]{50,60}\b"), "[seed]"),
    (re.compile(r"\b(tq|app|whsec)_[A-Za-z0-9+/_=-]{16,}"), r"\1_[key]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), r"\1 [key]"),
    (re.compile(r"(?i)\b(x-api-key|authorization|cookie|set-cookie)(['\"\\]*\s*[:=]\s*['\"\\]*)(?!bearer|basic)[^\s'\",;)}\]\\]+"),
     r"\1\2[key]"),
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"), "[user]:[password]"),
)  # fmt: skip
_PERSONAL: tuple[tuple[re.Pattern[str], PersonalKind], ...] = (
    (re.compile(r"(?<![\w.+-])[\w.+-]+@(?=[\w-]*[A-Za-z])[\w-]+(?:\.[\w-]+)+"), "email"),
    (re.compile(r"(?<![\dA-Za-z])[1-9]\d{5}(?:18|19|20)\d{2}(?:0\d|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?![\dA-Za-z])"),
     "resident"),
    (re.compile(r"(?<![\dA-Za-z.-])(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?![\dA-Za-z])"), "phone"),
)  # fmt: skip
_CARD = re.compile(r"(?<![\dA-Za-z.-])\d{16,19}(?![\dA-Za-z])")


def scrub(text: str) -> str:
    """Text without secrets, and with what looks like personal data masked.

    Secrets: API keys and tokens (`tq_…`, `app_…`, `whsec_…`), seeds and JWTs of NATS, private keys, bearer headers,
    passwords in addresses. Personal: e-mail addresses, Chinese mobile numbers and resident ids, bank cards by their
    check digit (Luhn). Names of persons cannot be told from other words: they are not put into log messages.
    """
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    for pattern, kind in _PERSONAL:
        text = pattern.sub(lambda found, kind=kind: mask(kind, found[0]), text)  # type: ignore[misc]
    return _CARD.sub(lambda found: mask("account", found[0]) if _luhn(found[0]) else found[0], text)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: from the right, every second digit doubled, digits summed; a multiple of ten."""
    doubled = [int(d) * (1 + place % 2) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


_REMARK_MAX = 500


def _remark(text: str) -> str:
    """A mask may be longer than what it hides; what was taken once is not refused where it is read again."""
    return scrub(text)[:_REMARK_MAX]


Remark = Annotated[
    str, StringConstraints(min_length=1, max_length=_REMARK_MAX, strip_whitespace=True), AfterValidator(_remark)
]
"""Why somebody does something, in their words. It is kept, told to others and seen in the Temporal UI as it is: a
telephone number or an address of e-mail that somebody has written in it is masked before anything else is done."""
