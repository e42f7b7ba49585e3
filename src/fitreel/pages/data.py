"""The data of a page: points and trainings, thinned where there is too much to show."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.checks.text import plain
from fitreel.data.dataset import Dataset
from fitreel.pages.page import packed
from fitreel.reel.thinning import thinned
from fitreel.training.history import History


def plain_texts(data: Any) -> Any:
    """Return the data of a page with all its texts made plain, so that callers need not do it."""
    if isinstance(data, str):
        return plain(data)
    if isinstance(data, Mapping):
        return {plain(name): plain_texts(value) for name, value in data.items()}
    return [plain_texts(each) for each in data] if isinstance(data, list | tuple) else data


def dataset_data(dataset: Dataset, most: int) -> dict[str, Any]:
    """Return at most ``most`` of the points, and the ranges of all of them."""
    kept = thinned(len(dataset), most)
    x, y = dataset.x.numpy(), dataset.y.numpy()
    return {
        "count": len(dataset),
        "x": packed(x[kept], np.float32),
        "y": packed(y[kept], np.float32),
        "x_range": [float(x.min()), float(x.max())],
        "y_range": [float(y.min()), float(y.max())],
    }


def training_data(
    history: History, epochs: NDArray[np.int64], most_frames: int, most_bytes: int
) -> dict[str, Any]:
    """Return the losses of ``epochs``, and as many frames as ``most_bytes`` of weights allow."""
    weights = history.frames
    hidden = weights.shape.hidden
    # The first and the last frame at least, however wide the network is.
    affordable = max(2, most_bytes // (4 * weights.shape.size))
    kept = thinned(len(history.frame_epochs), min(most_frames, affordable))
    return {
        "activation": weights.activation,
        "hidden": hidden,
        "epoch_count": len(history.losses),
        "losses": packed(history.curve[epochs], np.float32),
        "frame_epochs": packed(history.frame_epochs[kept], np.int32),
        "frame_losses": packed(history.frame_losses[kept], np.float32),
        "weights": packed(weights[torch.from_numpy(kept)].flat().numpy(), np.float32),
    }


def known_floor(value: float | None) -> float | None:
    """Return a noise floor if it can be drawn; the metric of a run may be any number."""
    return value if value is not None and 0 < value < np.finfo(np.float32).max else None
