"""Parameter records (dataclasses): checks of their fields, and conversion of nested records to flat names and back."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from mgcl.records import Value

_Record = TypeVar("_Record")


def flat(record: object) -> dict[str, Any]:
    """Flat name -> value of all fields of a record, including the fields of nested records.

    The flat name of a field is its metadata's ``flat``, or else the field's own name.
    """
    values: dict[str, Any] = {}
    for each in fields(record):  # type: ignore[arg-type]
        value = getattr(record, each.name)
        values |= flat(value) if is_dataclass(value) else {_flat_name(each): value}
    return values


def from_flat(kind: type[_Record], values: Mapping[str, Value]) -> _Record:
    """Build a record from flat values, the inverse of ``flat``; omitted fields keep their defaults.

    Raises:
        TypeError: the record has no field of one of the names.
        ValueError: the record refuses a value.
    """
    own: dict[str, Any] = dict(values)
    hints = get_type_hints(kind)
    for each in fields(kind):  # type: ignore[arg-type]
        nested = hints[each.name]
        if _is_record(nested):
            given = {name: own.pop(name) for name in _flat_names(nested) if name in own}
            own[each.name] = from_flat(nested, {**_default(each), **given})
        elif (name := _flat_name(each)) in own:
            own[each.name] = own.pop(name)
    return kind(**own)


def check_ranges(
    parameters: object,
    *,
    positive: tuple[str, ...] = (),
    at_least_zero: tuple[str, ...] = (),
    at_least_one: tuple[str, ...] = (),
) -> None:
    """Check that numbers are finite and within their ranges; None is always valid.

    Args:
        parameters: the record.
        positive: names of fields that must be > 0.
        at_least_zero: names of fields that must be >= 0.
        at_least_one: names of fields that must be >= 1.

    Raises:
        ValueError: a number is out of its range; the message names the field and the value.
    """
    ranges = {"positive": positive, "at least 0": at_least_zero, "at least 1": at_least_one}
    for words, names in ranges.items():
        for name in names:
            value = getattr(parameters, name)
            if value is None:
                continue
            inside = {"positive": value > 0, "at least 0": value >= 0, "at least 1": value >= 1}[words]
            if not (inside and value < float("inf")):
                raise ValueError(f"{name} must be {words} and finite, got {value}")


def check_fields(parameters: object) -> None:
    """Check that every value is of its field's type, or among the choices of its ``Literal``.

    Raises:
        ValueError: a value is not; the message names the field (its flat name), the value and what is allowed.
    """
    hints = get_type_hints(type(parameters))
    for each in fields(parameters):  # type: ignore[arg-type]
        name, hint, value = _flat_name(each), hints[each.name], getattr(parameters, each.name)
        if get_origin(hint) is Literal:
            if value not in get_args(hint):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(hint)))}, got {value!r}")
            continue
        types = get_args(hint) or (hint,)
        whole_number_for_float = float in types and type(value) is int
        if type(value) not in types and not whole_number_for_float:
            words = " or ".join("None" if kind is type(None) else kind.__name__ for kind in types)
            raise ValueError(f"{name} must be of type {words}, got {value!r}")


def _default(each: "Field[Any]") -> dict[str, Any]:
    """Flat values of a nested record's default, which may differ from the defaults of the record's own class."""
    if each.default_factory is not MISSING:
        return flat(each.default_factory())
    return {} if each.default is MISSING else flat(each.default)


def _is_record(hint: Any) -> bool:
    return is_dataclass(hint)


def _flat_name(each: "Field[Any]") -> str:
    return str(each.metadata.get("flat", each.name))


def _flat_names(kind: Any) -> list[str]:
    hints = get_type_hints(kind)
    names: list[str] = []
    for each in fields(kind):
        names += _flat_names(hints[each.name]) if _is_record(hints[each.name]) else [_flat_name(each)]
    return names
