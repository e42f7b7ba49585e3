"""The search space: which settings a sweep varies, and over which values."""

import math
import re
from dataclasses import dataclass
from typing import Any, get_type_hints

from fitreel.checks.text import shown
from fitreel.settings.base import parse
from fitreel.settings.experiment import TrainingSettings

LONGEST_SPACE = 2000  # characters
MOST_VALUES_OF_A_RANGE = 10_000
# The settings that a sweep may vary, and their types; frames change a film, not a training.
VARIED = {
    name: kind for name, kind in get_type_hints(TrainingSettings).items() if name != "frame_every"
}
SCALES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float,), "log": (int, float)}


@dataclass(frozen=True)
class Dimension:
    """The values of one setting: some ``values``, or a range from ``low`` to ``high``."""

    name: str
    values: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    is_log: bool = False

    @property
    def kind(self) -> Any:
        """The type of the setting, as TrainingSettings declares it."""
        return VARIED[self.name]

    @property
    def is_range(self) -> bool:
        """Whether any value between two ends is possible."""
        return not self.values

    @property
    def grid(self) -> tuple[Any, ...] | range:
        """All values of the setting; ValueError for a range of real numbers."""
        if self.values:
            return self.values
        if self.kind is float:
            scale = "log" if self.is_log else "float"
            raise ValueError(
                f"space: a grid needs to know how many values of {self.name} to try, "
                f"as in {self.name}={scale}:{self.low:g}:{self.high:g}:5"
            )
        return range(int(self.low), int(self.high) + 1)


def parse_space(text: str) -> tuple[Dimension, ...]:
    """Read a search space: ``name=SCALE:LOW:HIGH[:COUNT]`` or ``name=VALUE,VALUE``, spaces between.

    A scale is int, float or log; COUNT values are spread evenly on it. ``|`` between values means
    the same as a comma, but a shell needs quotes around it. Raises ValueError, one line that
    starts with the word space, for a name or a number that is not valid.
    """
    if len(text) > LONGEST_SPACE:
        raise ValueError(
            f"space: it has {len(text):,} characters; at most {LONGEST_SPACE:,} are allowed"
        )
    dimensions = tuple(_dimension(part) for part in text.split())
    if not dimensions:
        raise ValueError("space: it is empty; name a setting, as in lr=log:1e-3:0.5")
    names = [each.name for each in dimensions]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"space: {name} is named twice")
    return dimensions


def count_points(dimensions: tuple[Dimension, ...]) -> int:
    """Count the points of a grid; ValueError if a setting is a range of real numbers."""
    return math.prod(len(each.grid) for each in dimensions)


def _dimension(part: str) -> Dimension:
    name, equals, rest = part.partition("=")
    if not equals:
        raise ValueError(
            f"space: '{shown(part)}' needs a range or choices, as in lr=log:1e-3:0.5 or seed=0,1,2"
        )
    if name not in VARIED:
        raise ValueError(f"space: a sweep varies {', '.join(VARIED)}; got '{shown(name)}'")
    if ":" in rest:
        return _range(name, rest)
    values = tuple(_value(name, text, rest) for text in re.split("[,|]", rest))
    if len(set(values)) < len(values):
        raise ValueError(f"space: {name} has a choice twice: '{shown(rest)}'")
    return Dimension(name, values)


def _value(name: str, text: str, whole: str) -> Any:
    if not text:
        raise ValueError(f"space: {name} has an empty choice: '{shown(whole)}'")
    try:
        value = parse(text, VARIED[name])
        # Through the settings, which check the range and name it in their error.
        return getattr(TrainingSettings(**{name: value}), name)
    except ValueError as error:
        what = str(error).removeprefix(f"{name} ")
        raise ValueError(f"space: {name}{':' if what == str(error) else ''} {what}") from None


def _range(name: str, text: str) -> Dimension:
    scale, *ends = text.split(":")
    _check_scale(name, scale)
    if len(ends) not in (2, 3):
        raise ValueError(
            f"space: {name} takes {scale}:LOW:HIGH or {scale}:LOW:HIGH:COUNT; got '{shown(text)}'"
        )
    if scale == "log" and not _is_above_zero(ends[0]):
        raise ValueError(f"space: {name}: a log scale starts above 0; got {shown(ends[0])}")
    low, high = (_value(name, end, text) for end in ends[:2])
    if low >= high:
        raise ValueError(f"space: {name} needs LOW below HIGH; got '{shown(text)}'")
    dimension = Dimension(name, (), low, high, scale == "log")
    return dimension if len(ends) == 2 else Dimension(name, _spread(dimension, ends[2]))


def _check_scale(name: str, scale: str) -> None:
    possible = [each for each, kinds in SCALES.items() if VARIED[name] in kinds]
    if scale not in possible:
        what = f"one of {', '.join(possible)}" if possible else "choices, as in relu,tanh"
        raise ValueError(f"space: {name} takes {what}; got '{shown(scale)}'")


def _is_above_zero(text: str) -> bool:
    try:
        return bool(parse(text, float) > 0)
    except ValueError:
        return True  # _value reports it


def _spread(dimension: Dimension, text: str) -> tuple[Any, ...]:
    """Spread values evenly, both ends included; equal whole numbers count once."""
    count = int(text) if re.fullmatch("[0-9]{1,6}", text) else 0
    if not 2 <= count <= MOST_VALUES_OF_A_RANGE:
        raise ValueError(
            f"space: {dimension.name} can have from 2 to {MOST_VALUES_OF_A_RANGE:,} values; "
            f"got '{shown(text)}'"
        )
    low, high = dimension.low, dimension.high
    steps = [step / (count - 1) for step in range(1, count - 1)]
    if dimension.is_log:
        between = [low ** (1 - step) * high**step for step in steps]
    else:
        between = [low + (high - low) * step for step in steps]
    if dimension.kind is int:
        return tuple(dict.fromkeys([low, *map(round, between), high]))
    # As people write them: six digits are enough for two rates to differ. The ends stay as given:
    # rounded, one could leave the range of the setting.
    return tuple(dict.fromkeys([low, *(float(f"{value:.6g}") for value in between), high]))
