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

    @property
    def steps(self) -> NDArray[np.int64]:
        """The steps, (points,): a copy, because the curve may grow."""
        return np.array(self._steps, np.int64)

    @property
    def values(self) -> NDArray[np.float64]:
        """The values, (points,): a copy."""
        return np.array(self._values, np.float64)
