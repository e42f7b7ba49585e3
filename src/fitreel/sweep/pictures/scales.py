"""The scales: the place of a value on an axis from 0 to 1, and the values that label the axis."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fitreel.checks.text import shown

# Unexplained is for r2, logarithmic in 1 - r2: 0.9 is as far from 0.99 as 0.99 from 0.999.
Kind = Literal["linear", "log", "unexplained", "choices"]
LONGEST_NUMBER = 6  # characters of a label; a longer number becomes 1e30 or 2.5e-7
LONGEST_CHOICE = 12


@dataclass(frozen=True)
class Scale:
    """An axis from ``low``, at 0, to ``high``, at 1, or of choices side by side."""

    kind: Kind
    low: float = 0
    high: float = 0
    values: tuple[Any, ...] = ()  # the choices
    is_whole: bool = False

    def places(self, values: Iterable[Any]) -> NDArray[np.float64]:
        """Return places from 0 to 1; a value beyond an end has the place of that end."""
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
        """Return numbers that are as far apart as the values are on the axis."""
        numbers = np.array(list(values), np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            match self.kind:
                case "log":
                    return np.log10(numbers)
                case "unexplained":
                    return -np.log10(1 - numbers)
        return numbers

    def ticks(self, most: int = 6) -> list[tuple[float, str]]:
        """Return the places and labels of at most ``most`` values."""
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
                # Round labels for very bad scores: −1000, not −999.
                found = [1 - each if each < 1000 else -each for each in parts]
            case _:
                found = []
        if len(found) > 1:
            return sorted(found)
        locator = MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10], integer=self.is_whole)
        # Without the rounding errors of the locator, which a label would show.
        return [float(f"{each:.12g}") for each in locator.tick_values(self.low, self.high)]


def label(value: Any) -> str:
    """Return the shortest text of a value that can be read."""
    if isinstance(value, str):
        return shown(value, LONGEST_CHOICE)
    plain = f"{value:.10g}"
    if len(plain) > LONGEST_NUMBER or "e" in plain:
        mantissa, exponent = f"{value:.9e}".split("e")
        plain = min(plain, f"{float(mantissa):.10g}e{int(exponent)}", key=len)
    return plain.replace("-", "−")


def _decades(low: float, high: float, most: int) -> list[float]:
    """Return round numbers on a logarithmic axis, as many as there is room for."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [float(f"{digit}e{power}") for power in range(first, last + 1) for digit in digits]
        found = [each for each in found if low * (1 - 1e-9) <= each <= high * (1 + 1e-9)]
        if len(found) <= most:
            return found
    return found[:: math.ceil(len(found) / most)]
