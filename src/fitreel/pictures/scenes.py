"""The scenes: what each frame of a film shows, as plain arrays."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset
from fitreel.training.history import History

LINE_POINTS = 200


@dataclass(frozen=True, eq=False)
class Scenes:
    """The content of a film: one row a frame."""

    dataset: Dataset
    x: NDArray[np.float32]  # (points of the line,)
    predictions: NDArray[np.float32]  # (frames, points of the line)
    epochs: NDArray[np.int64]  # (frames,)
    losses: NDArray[np.float64]  # (frames,)


def line_x(dataset: Dataset) -> torch.Tensor:
    """Return the x of the prediction's line, evenly over the points' range: (LINE_POINTS,)."""
    return torch.linspace(dataset.x.min().item(), dataset.x.max().item(), LINE_POINTS)


def thinned(count: int, most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of ``count`` places, evenly chosen, with both ends."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def curve_epochs(losses: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the epochs that draw a curve: all, or the lowest and highest of each stretch.

    So a thinned curve keeps its spikes. The first and the last are always there.
    """
    epochs = np.arange(len(losses))
    if len(losses) <= most:
        return epochs
    stretches = np.array_split(epochs, most // 2)  # two epochs of each
    ends = [(part[losses[part].argmin()], part[losses[part].argmax()]) for part in stretches]
    return np.unique([0, *np.ravel(ends), len(losses) - 1])


def scenes(dataset: Dataset, history: History, max_frames: int) -> Scenes:
    """Compute what each frame shows; more than ``max_frames`` are thinned evenly, ends kept."""
    return chosen_scenes(dataset, history, thinned(len(history.frame_epochs), max_frames))


def chosen_scenes(dataset: Dataset, history: History, frames: NDArray[np.int64]) -> Scenes:
    """Compute what these frames show, places in ``history.frames``; a place may be repeated."""
    # Each network is computed once, however often its frame is shown.
    chosen, places = np.unique(frames, return_inverse=True)
    x = line_x(dataset)
    # One network at a time: all at once need frames × points × neurons numbers.
    predictions = np.stack([history.frames[int(k)].predict(x).numpy() for k in chosen])
    epochs, losses = history.frame_epochs[frames], history.frame_losses[frames]
    return Scenes(dataset, x.numpy(), predictions[places], epochs, losses)
