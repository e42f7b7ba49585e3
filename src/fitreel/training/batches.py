"""The batches: from which rows each update is computed, and in which order."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from fitreel.data.dataset import Dataset
from fitreel.settings import MOST_OF_A_BATCH, TrainingSettings


class Batches:
    """The batches of a training; points of the tutorial are one batch, however many."""

    def __init__(self, dataset: Dataset, settings: TrainingSettings) -> None:
        self._seed, self._count = settings.seed, len(dataset)
        # A table may have millions of rows; one without a scaling was made by hand.
        most = MOST_OF_A_BATCH if dataset.scaling else self._count
        self.rows = min(self._count, settings.batch_size or most)

    @property
    def is_one(self) -> bool:
        """Whether every update is computed from all rows."""
        return self.rows == self._count

    def order(self, epoch: int) -> Sequence[Tensor]:
        """Return the rows of each batch of an epoch.

        They follow from the seed and the epoch alone, so that a checkpoint need not keep them.
        """
        counter = np.array([0, 0, 0, epoch + 1], dtype=np.uint64)  # 0 draws the initial weights
        generator = np.random.Generator(np.random.Philox(key=self._seed, counter=counter))
        return torch.split(torch.from_numpy(generator.permutation(self._count)), self.rows)
