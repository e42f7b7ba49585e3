"""The films of runs in a page: each as weights of a curve, or as a reel of another view."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fitreel.comparison.runs import ComparedRun
from fitreel.data.dataset import Dataset
from fitreel.pages.data import dataset_data, training_data
from fitreel.pages.reels import reel_data
from fitreel.reel.probes import kind_of

MOST_ROWS = 200  # of a reel's training rows, and as many of its test rows


def points_data(dataset: Dataset, most: int) -> dict[str, Any] | None:
    """Return at most ``most`` points of a curve; None for rows that a reel has."""
    return dataset_data(dataset, most) if kind_of(dataset) == "curve" else None


def film_data(
    run: ComparedRun, epochs: NDArray[np.int64], most_frames: int, most_bytes: int
) -> dict[str, Any]:
    """Return the losses of ``epochs`` and the frames of a run, as many as ``most_bytes`` allow."""
    if kind_of(run.dataset) == "curve":
        training = training_data(run.dataset, run.history, epochs, most_frames, most_bytes)
        return {"training": training, "reel": None}
    reel = reel_data(run.dataset, run.history, epochs, most_frames, most_bytes, MOST_ROWS)
    return {"training": None, "reel": reel}
