"""The curve of a value over the steps of a training: its loss, or another metric."""

from array import array

import numpy as np
from numpy.typing import NDArray


class Curve:
    """Steps that rise, and a value at each of them; sixteen bytes a point."""

    def __init__(self) -> None:
        self._steps, self._values = array("q"), array("d")

    def append(self, step: int, value: float) -> None:
        """Add a point behind all others."""
        self._steps.append(step)
        self._values.append(value)

    def extend(self, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add points behind all others."""
        self._steps.extend(steps.tolist())
        self._values.extend(values.tolist())

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def last(self) -> int:
        """The last step; IndexError if it has no point."""
        return self._steps[-1]

    def since(self, place: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the steps and the values behind the first ``place`` points, as copies.

        Another thread may append meanwhile: no array of this curve is held, which would forbid it.
        """
        values = self._values[place:]
        steps = self._steps[place : place + len(values)]
        return np.array(steps, np.int64), np.array(values, np.float64)

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps, (points,): a copy, because the curve may grow."""
        return np.array(self._steps, np.int64)

    @property
    def values(self) -> NDArray[np.float64]:
        """The values, (points,): a copy."""
        return np.array(self._values, np.float64)
