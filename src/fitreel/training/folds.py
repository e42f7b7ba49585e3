"""The folds of a cross-validation: each row is held out once."""

import numpy as np
import torch
from torch import Tensor

from fitreel.data.dataset import Dataset


def folds(dataset: Dataset, count: int, seed: int) -> list[Tensor]:
    """Return for each fold which rows are trained on: (rows,) bool.

    Of classes, each fold holds out about the same share. Raises ValueError if there are fewer rows
    than folds.
    """
    if len(dataset) < 2 * count:
        raise ValueError(f"{count} folds need {2 * count:,} rows or more; got {len(dataset):,}")
    # By raw numbers of Philox, which numpy promises for ever: a resumed sweep has the same folds.
    order = np.argsort(np.random.Philox(key=[seed, 1]).random_raw(len(dataset)), kind="stable")
    if dataset.classes:  # dealt out class by class
        order = order[np.argsort(dataset.y.numpy()[order], kind="stable")]
    fold = np.empty(len(dataset), dtype=np.int64)
    fold[order] = np.arange(len(dataset)) % count
    return [torch.from_numpy(fold != place) for place in range(count)]
