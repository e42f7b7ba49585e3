"""The recording: the losses and the predictions of every frame, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.reel.probes import Probes


@dataclass(frozen=True, eq=False)
class Recording:
    """What a film shows: one row a frame. Any model of any framework can fill it.

    ``predictions`` are numbers in raw units, (frames, probes), or the probabilities of classes,
    (frames, probes, classes).
    """

    dataset: Dataset
    probes: Probes
    predictions: NDArray[np.float32]
    epochs: NDArray[np.int64]  # (frames,)
    losses: NDArray[np.float64]  # (frames,), on the training rows
    test_losses: NDArray[np.float64] | None = None  # (frames,), on the test rows, if there are any
    step_name: str = "epoch"  # what ``epochs`` count; any model's reel counts steps

    def in_space(self, frame: int) -> NDArray[np.float32]:
        """Return what a frame predicts on the line or the grid of the probes."""
        return self.predictions[frame, : self.probes.places]

    def on_training(self, frame: int) -> NDArray[np.float32]:
        """Return what a frame predicts for the training rows of the probes."""
        end = self.probes.places + len(self.probes.training)
        return self.predictions[frame, self.probes.places : end]

    def on_test(self, frame: int) -> NDArray[np.float32]:
        """Return what a frame predicts for the test rows of the probes."""
        return self.predictions[frame, self.probes.places + len(self.probes.training) :]
