"""A setting: its default, its help and its range, written once and checked."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import field, fields
from numbers import Number
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from fitreel.checks.text import shown


def setting(
    default: Any,
    text: str,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    many: bool = False,
    also: Collection[str] = (),
    added: bool = False,
) -> Any:
    """Declare a field: its default, its help, and the range ``above < value``, ``least..most``.

    ``many`` says that its option may be given again: the texts are joined by a space. ``also``
    are old names of choices, which are accepted and not offered. ``added`` says that runs of
    fitreel 0.4 and before lack it: its default describes them.
    """
    limits = {"least": least, "most": most, "above": above}
    return field(
        default=default,
        metadata={"help": text, "many": many, "also": also, "added": added} | limits,
    )


class Settings:
    """A group of settings: every field is checked on construction."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            # Numbers of numpy, as np.geomspace and np.arange yield them, become Python's own.
            if isinstance(value, Number) and hasattr(value, "item"):
                object.__setattr__(self, each.name, value.item())
            _check(each.name, getattr(self, each.name), hints[each.name], each.metadata)

    @classmethod
    def from_params(cls, params: Mapping[str, str]) -> Self:
        """Return the settings that an MLflow run's params hold; ValueError if one is missing."""
        hints = get_type_hints(cls)
        if missing := cls.required().difference(params):
            raise ValueError(f"the run lacks the params {', '.join(sorted(missing))}")
        names = [each.name for each in fields(cls) if each.name in params]  # type: ignore[arg-type]
        return cls(**{name: parse(params[name], hints[name]) for name in names})

    @classmethod
    def required(cls) -> set[str]:
        """Return the names of the settings that runs of every version have."""
        return {each.name for each in fields(cls) if not each.metadata["added"]}  # type: ignore[arg-type]


# Plain numbers: Python would read 1_000, spaces around it and the digits of every script as well.
NUMBERS: dict[Any, re.Pattern[str]] = {
    # Python refuses to convert more than 4300 digits, with an error of its own.
    int: re.compile(r"[+-]?[0-9]{1,4000}"),
    float: re.compile(
        r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(nan|inf)", re.IGNORECASE
    ),
}


def parse(text: str, kind: Any) -> Any:
    """Return a setting of type ``kind`` read from text; ValueError names bad text."""
    number = NUMBERS.get(kind)
    if number is None:  # a choice, which its settings check
        return text
    if not number.fullmatch(text):
        raise ValueError(f"'{shown(text)}' is not a valid {kind.__name__}")
    return kind(text)


def quoted(value: Any) -> str:
    """Return a refused value as an error shows it."""
    # Not repr of text: that of a run is plain already, and repr would double its backslashes.
    return f"'{shown(value)}'" if isinstance(value, str) else shown(repr(value))


def _check(name: str, value: Any, kind: Any, limits: Mapping[str, Any]) -> None:
    if get_origin(kind) is Literal:
        if value not in get_args(kind) and value not in limits["also"]:
            raise ValueError(
                f"{name} must be one of {', '.join(get_args(kind))}; got {quoted(value)}"
            )
        return
    accepted = (int, float) if kind is float else (kind,)
    # bool is a subclass of int: True would be a valid number of epochs.
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ValueError(f"{name} must be of type {kind.__name__}; got {quoted(value)}")
    if kind is str:
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name} must be finite; got {value}")
    if not limits["least"] <= value <= limits["most"] or not limits["above"] < value:
        raise ValueError(f"{name} must be {range_text(limits)}; got {shown(str(value))}")


def range_text(limits: Mapping[str, Any]) -> str:
    """Return a field's limits in words; an empty string if it has none."""
    low, high = limits["least"], limits["most"]
    if math.isfinite(limits["above"]):
        return f"above {limits['above']:g}, at most {high:g}"
    if math.isfinite(high):
        return f"from {low:,} to {high:,}" if isinstance(high, int) else f"from {low:g} to {high:g}"
    return f"at least {low:g}" if math.isfinite(low) else ""
