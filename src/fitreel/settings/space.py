"""The search space: which settings a sweep varies, and over which values."""

import math
import re
from dataclasses import dataclass, fields
from typing import Any, get_type_hints

from fitreel.checks.text import shown
from fitreel.settings.base import parse
from fitreel.settings.experiment import TrainingSettings

LONGEST = 2000  # characters
MOST_VALUES = 10_000  # of one setting
KINDS = get_type_hints(TrainingSettings)
VARIED = [each.name for each in fields(TrainingSettings) if each.name != "frame_every"]
SCALES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float,), "log": (int, float)}


@dataclass(frozen=True)
class Dimension:
    """Hold what one setting may be: one of ``values``, or all from ``low`` to ``high``."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    is_log: bool = False

    @property
    def is_range(self) -> bool:
        """Tell whether any value between two ends is possible."""
        return not self.values

    @property
    def grid(self) -> tuple[Any, ...] | range:
        """Give all values there are; ValueError for real numbers, which have no end."""
        if self.values:
            return self.values
        if KINDS[self.name] is float:
            scale = "log" if self.is_log else "float"
            raise ValueError(
                f"space: a grid needs to know how many values of {self.name} to try, "
                f"as in {self.name}={scale}:{self.low:g}:{self.high:g}:5"
            )
        return range(int(self.low), int(self.high) + 1)


def parse_space(text: str) -> tuple[Dimension, ...]:
    """Read a search space: ``name=SCALE:LOW:HIGH[:COUNT]`` or ``name=VALUE|VALUE``, spaces between.

    A scale is int, float or log; COUNT values are spread evenly on it. Raises ValueError, in a
    line that begins with the word space, where a name, a number or an end is none.
    """
    if len(text) > LONGEST:
        raise ValueError(f"space: it has {len(text):,} characters; at most {LONGEST:,} are allowed")
    dimensions = tuple(_dimension(part) for part in text.split())
    if not dimensions:
        raise ValueError("space: it is empty; name a setting, as in lr=log:1e-3:0.5")
    names = [each.name for each in dimensions]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"space: {name} is named twice")
    return dimensions


def count_points(dimensions: tuple[Dimension, ...]) -> int:
    """Count the points of a grid; ValueError where a range has no end of them."""
    return math.prod(len(each.grid) for each in dimensions)


def _dimension(part: str) -> Dimension:
    name, equals, rest = part.partition("=")
    if not equals:
        raise ValueError(
            f"space: '{shown(part)}' lacks a range or choices, as in lr=log:1e-3:0.5 or seed=0|1|2"
        )
    if name not in VARIED:
        raise ValueError(
            f"space: a sweep varies {', '.join(VARIED)}; '{shown(name)}' is none of these"
        )
    if ":" in rest:
        return _range(name, rest)
    values = tuple(_value(name, text, rest) for text in rest.split("|"))
    if len(set(values)) < len(values):
        raise ValueError(f"space: {name} has a choice twice: '{shown(rest)}'")
    return Dimension(name, values)


def _value(name: str, text: str, whole: str) -> Any:
    if not text:
        raise ValueError(f"space: {name} has an empty choice: '{shown(whole)}'")
    try:
        value = parse(text, KINDS[name])
        return getattr(TrainingSettings(**{name: value}), name)
    except ValueError as error:
        what = str(error).removeprefix(f"{name} ")
        raise ValueError(f"space: {name}{':' if what == str(error) else ''} {what}") from None


def _range(name: str, text: str) -> Dimension:
    scale, *ends = text.split(":")
    kind = KINDS[name]
    possible = [each for each, kinds in SCALES.items() if kind in kinds]
    if scale not in possible:
        what = f"one of {', '.join(possible)}" if possible else "choices, as in relu|tanh"
        raise ValueError(f"space: {name} takes {what}; got '{shown(scale)}'")
    if len(ends) not in (2, 3):
        raise ValueError(
            f"space: {name} takes {scale}:LOW:HIGH or {scale}:LOW:HIGH:COUNT; got '{shown(text)}'"
        )
    if scale == "log" and not _is_above_zero(ends[0]):
        raise ValueError(f"space: {name}: a log scale begins above 0; got {shown(ends[0])}")
    low, high = (_value(name, end, text) for end in ends[:2])
    if low >= high:
        raise ValueError(
            f"space: {name} must rise from its first end to its second; got '{shown(text)}'"
        )
    dimension = Dimension(name, (), low, high, scale == "log")
    return dimension if len(ends) == 2 else Dimension(name, _spread(dimension, ends[2]))


def _is_above_zero(text: str) -> bool:
    try:
        return bool(parse(text, float) > 0)
    except ValueError:
        return True  # said where it is read


def _spread(dimension: Dimension, text: str) -> tuple[Any, ...]:
    """Choose values evenly, both ends kept; whole numbers that fall together count once."""
    count = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    if not 2 <= count <= MOST_VALUES:
        raise ValueError(
            f"space: {dimension.name} can have from 2 to {MOST_VALUES:,} values; "
            f"got '{shown(text)}'"
        )
    low, high = dimension.low, dimension.high
    steps = [step / (count - 1) for step in range(1, count - 1)]
    if dimension.is_log:
        between = [low ** (1 - step) * high**step for step in steps]
    else:
        between = [low + (high - low) * step for step in steps]
    if KINDS[dimension.name] is int:
        return tuple(dict.fromkeys([low, *map(round, between), high]))
    # As people write them: six digits tell two rates apart.
    return tuple(dict.fromkeys([low, *(float(f"{value:.6g}") for value in between), high]))
