"""A listener of a reel: it gets every point and every frame as they come."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Frame:
    """What a model predicts on the probes at a step: (probes,), or (probes, classes)."""

    step: int
    loss: float
    predictions: NDArray[np.float32]


class Listener(Protocol):
    """What a reel hands its points and frames to, as a journal or a live view."""

    def on_point(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values at a step, ``loss`` and other metrics by their names."""

    def on_frame(self, frame: Frame) -> None:
        """Take a frame; its loss was a point before."""
