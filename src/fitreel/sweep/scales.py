"""The scales: where a value stands on an axis from 0 to 1, and which values are told beside it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fitreel.checks.text import shown
from fitreel.comparison.runs import higher_is_better
from fitreel.settings.space import KINDS, Dimension

# Unexplained is for r2, logarithmic in 1 - r2: 0.9 and 0.99 are as far apart as 0.99 and 0.999.
Kind = Literal["linear", "log", "unexplained", "choices"]
FEW = 8  # whole numbers that are told one by one, as choices are
DECADE = 10.0  # scores that spread wider get a logarithmic scale
FAR = 1.5  # times what nine of ten trials need is as far as a scale goes
# The longest label of a usual number; a longer one becomes 1e30 or 2.5e-7.
LONGEST = 6


@dataclass(frozen=True)
class Scale:
    """An axis from ``low``, at 0, to ``high``, at 1, or of choices side by side."""

    kind: Kind
    low: float = 0
    high: float = 0
    values: tuple[Any, ...] = ()  # the choices
    is_whole: bool = False

    def places(self, values: Iterable[Any]) -> NDArray[np.float64]:
        """Give where they stand; what lies beyond an end stands there."""
        if self.values:
            order = {value: place for place, value in enumerate(self.values)}
            steps = np.array([order[each] for each in values], np.float64)
            return np.asarray((steps + 0.5) / len(self.values))
        low, high = self.bend([self.low, self.high])
        bent = self.bend(values)
        if not low < high:
            return np.full(len(bent), 0.5)
        return np.asarray((np.clip(bent, low, high) - low) / (high - low))

    def bend(self, values: Iterable[float]) -> NDArray[np.float64]:
        """Give numbers that stand as far apart as the values do on the axis."""
        numbers = np.array(list(values), np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            match self.kind:
                case "log":
                    return np.log10(numbers)
                case "unexplained":
                    return -np.log10(1 - numbers)
        return numbers

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Choose at most so many values to tell: their places and labels."""
        if self.values:
            chosen = self.values[:: math.ceil(len(self.values) / most)]
            return list(zip(self.places(chosen), map(label, chosen), strict=True))
        found = [each for each in self._ticks(most) if self.low <= each <= self.high]
        # Equal scores leave no room for round ones.
        chosen = tuple(found) or tuple(dict.fromkeys([self.low, self.high]))
        return list(zip(self.places(chosen), map(label, chosen), strict=True))

    def _ticks(self, most: int) -> list[float]:
        if not self.low < self.high:
            return []
        match self.kind:
            case "log":
                found = _decades(self.low, self.high, most)
            case "unexplained":
                parts = _decades(1 - self.high, 1 - self.low, most)
                found = [1 - each if each < 1000 else -each for each in parts]
            case _:
                found = []
        if len(found) > 1:
            return sorted(found)
        locator = MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10], integer=self.is_whole)
        return [float(f"{each:.12g}") for each in locator.tick_values(self.low, self.high)]


def label(value: Any) -> str:
    """Write a value as short as it can be read."""
    if isinstance(value, str):
        return shown(value, 12)
    plain = f"{value:.10g}"
    if len(plain) > LONGEST or "e" in plain:
        mantissa, exponent = f"{value:.9e}".split("e")
        plain = min(plain, f"{float(mantissa):.10g}e{int(exponent)}", key=len)
    return plain.replace("-", "−")


def dimension_scale(dimension: Dimension) -> Scale:
    """Give the axis of a setting: all that it may be, whether it was tried or not."""
    values = dimension.values
    is_number, is_whole = KINDS[dimension.name] in (int, float), KINDS[dimension.name] is int
    if values and not (is_number and len(values) > FEW):
        return Scale("choices", values=tuple(sorted(values)) if is_number else values)
    low, high, is_log = dimension.low, dimension.high, dimension.is_log
    if values:  # so many that they are a range; spread evenly on which scale, nobody noted
        low, high = min(values), max(values)
        middle = sorted(values)[len(values) // 2]
        is_log = low > 0 and middle < (low + high) / 4
    elif is_whole and not is_log and high - low < FEW:
        return Scale("choices", values=tuple(range(int(low), int(high) + 1)))
    return Scale("log" if is_log else "linear", low, high, is_whole=is_whole)


def score_scale(scores: NDArray[np.float64], metric: str, floor: float | None = None) -> Scale:
    """Give the axis of the metric, for finite scores and perhaps the noise floor.

    Logarithmic where they spread over more than a decade; what is far worse than nine of ten
    trials is left beyond its end.
    """
    if not len(scores):
        return Scale("linear", 0, 1)
    higher = higher_is_better(metric)
    costs = 1 - scores if higher else scores
    is_log = costs.min() > 0 and costs.max() / DECADE > costs.min()
    kind: Kind = ("unexplained" if higher else "log") if is_log else "linear"
    bent = Scale(kind).bend(scores) * (-1 if higher else 1)
    best, usual = bent.min(), np.quantile(bent, 0.9)
    if usual > best:
        scores = scores[bent <= best + FAR * (usual - best)]
    low, high = float(scores.min()), float(scores.max())
    if floor is not None and (floor > 0 or not is_log) and low < DECADE * floor:
        low, high = min(low, floor), max(high, floor)
    return Scale(kind, low, high)


def _decades(low: float, high: float, most: int) -> list[float]:
    """Give round numbers on a logarithmic axis: as fine as there is room for."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in range(first, last + 1) for digit in digits]
        found = [each for each in found if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]
