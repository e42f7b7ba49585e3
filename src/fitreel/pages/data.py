"""The data of a page: points and trainings, thinned where there is too much to show."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.checks.text import plain, shortened
from fitreel.data.dataset import Dataset
from fitreel.pages.page import packed
from fitreel.pictures.views.cell import target_range
from fitreel.reel.of_history import losses_on_test
from fitreel.reel.probes import feature_range
from fitreel.reel.thinning import thinned
from fitreel.settings import TrainingSettings
from fitreel.training.history import History
from fitreel.training.weights import Weights

MOST_LETTERS = 60  # of a name


def plain_texts(data: Any) -> Any:
    """Return the data of a page with all its texts made plain, so that callers need not do it."""
    if isinstance(data, str):
        return plain(data)
    if isinstance(data, Mapping):
        return {plain(name): plain_texts(value) for name, value in data.items()}
    return [plain_texts(each) for each in data] if isinstance(data, list | tuple) else data


def dataset_data(dataset: Dataset, most: int) -> dict[str, Any]:
    """Return at most ``most`` of the points with one feature, and the ranges of all of them.

    Of test points as many at most.
    """
    kept = thinned(len(dataset), most)
    x, y = dataset.x.numpy(), dataset.y.numpy()
    test = dataset.test
    if test:
        held_out = thinned(len(test), most)
        test_x, test_y = test.inputs[:, 0].numpy()[held_out], test.y.numpy()[held_out]
    return {
        "test": {"x": packed(test_x, np.float32), "y": packed(test_y, np.float32)}
        if test
        else None,
        "feature": shortened(dataset.features[0], MOST_LETTERS),
        "target": shortened(dataset.target, MOST_LETTERS),
        "count": len(dataset),
        "x": packed(x[kept], np.float32),
        "y": packed(y[kept], np.float32),
        "x_range": feature_range(dataset, 0),
        "y_range": target_range(dataset),
    }


def training_data(
    dataset: Dataset,
    history: History,
    epochs: NDArray[np.int64],
    most_frames: int,
    most_bytes: int,
) -> dict[str, Any]:
    """Return the losses of ``epochs``, and as many frames as ``most_bytes`` of weights allow.

    The weights are for one feature and one target, both in raw units.
    """
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
        "test_losses": packed(losses_on_test(dataset, history, kept), np.float32)
        if dataset.test
        else None,
        "weights": packed(in_raw_units(weights[torch.from_numpy(kept)]).flat().numpy(), np.float32),
    }


def in_raw_units(weights: Weights) -> Weights:
    """Return networks with one feature whose numbers contain their scaling."""
    scaling = weights.scaling
    if scaling is None:
        return weights
    # In float64: the mean of a year, 2000, times a weight loses digits in float32.
    input_weight, bias, output_weight, output_bias = [
        each.double() for each in weights.parameters()
    ]
    slope = input_weight / scaling.input_deviation.double()
    shift = (slope * scaling.input_mean.double()).sum(dim=-1)
    unit = scaling.target_deviation.double()
    outputs = output_bias * unit + scaling.target_mean.double()
    raw = [slope, bias - shift, output_weight * unit, outputs]
    return Weights.from_parameters([each.float() for each in raw], weights.activation)


def loss_name(dataset: Dataset, history: History) -> str:
    """Return what the loss of a training is called."""
    if dataset.classes:
        return "cross-entropy"
    loss = (history.settings or TrainingSettings()).loss
    names = {"mse": "mean squared error", "mae": "mean absolute error", "huber": "Huber loss"}
    return names[loss]


def known_floor(value: float | None) -> float | None:
    """Return a noise floor if it can be drawn; the metric of a run may be any number."""
    return value if value is not None and 0 < value < np.finfo(np.float32).max else None
