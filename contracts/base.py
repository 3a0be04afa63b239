"""The three kinds of model: what callers send, what is stored, and what travels between our own parts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from contracts.personal import marked_here

_SLOTS = vars(BaseModel)
_put_values, _put_given, _put_extra, _put_private = (
    _SLOTS[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)
"""What a model is made of. Put so, it costs half of what it does by `object.__setattr__`."""


class _Discreet(BaseModel):
    """Does not tell personal fields in messages: neither as itself, nor as the input of an error."""

    model_config = ConfigDict(hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        hidden = marked_here(type(self))
        return ((name, "[personal]" if name in hidden else value) for name, value in super().__repr_args__())


class Request(_Discreet):
    """What a caller sends: an unknown field is refused, because it is most often a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(_Discreet):
    """What is stored or sent between our parts: an unknown field comes from a newer version and is ignored."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def trusted(cls, **values: Any) -> Self:
        """Without validation, for what is made many times of values that are known to be right.

        What model_construct does, less its search for aliases and defaults, which costs several times as much.
        """
        fixed, begun = _defaults_of(cls)
        given = set(values)
        for name, empty in begun:
            if name not in given:
                values[name] = empty()
        made = cls.__new__(cls)
        _put_values(made, fixed | values)
        _put_given(made, given)
        _put_extra(made, None)
        _put_private(made, None)
        return made

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Out of the database, where `id` is `_id`."""
        return cls.model_validate({"id": row["_id"], **row})

    def as_row(self) -> dict[str, Any]:
        """As it is kept in the database."""
        fields = self.model_dump()
        return {"_id": fields.pop("id"), **fields}


@cache
def _defaults_of(model: type[Document]) -> tuple[dict[str, Any], list[tuple[str, type[Any]]]]:
    """Defaults that may be shared, and the fields that begin with an empty list or dictionary of their own."""
    optional = {name: info for name, info in model.model_fields.items() if not info.is_required()}
    defaults = {name: info.get_default(call_default_factory=True) for name, info in optional.items()}
    empty = [(name, type(default)) for name, default in defaults.items() if default in ([], {})]
    own = {name for name, _ in empty}
    return {name: default for name, default in defaults.items() if name not in own}, empty


def milliseconds(moment: datetime) -> datetime:
    """UTC with milliseconds, which is what MongoDB keeps; so a value read back equals the one written."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Far enough from the last year there is for every time that is added to a moment."""


def _within_bounds(moment: datetime) -> datetime:
    try:
        kept = milliseconds(moment)
    except OverflowError:
        kept = None
    if kept is None or not _EARLIEST <= kept < _LATEST:
        raise ValueError(f"{moment.isoformat()} is out of range; send a moment between the years 1970 and 9000")
    return kept


def _from_database(value: Any, validated: ValidatorFunctionWrapHandler) -> datetime:
    """A datetime without a zone comes from the database, which keeps UTC in milliseconds; only we write there."""
    if value.__class__ is datetime and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    moment: datetime = validated(value)
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_within_bounds), WrapValidator(_from_database)]
"""A point in time: UTC, milliseconds."""
