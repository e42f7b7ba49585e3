"""The player: how one network learned, frame by frame, in a browser."""

import itertools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fitreel.dataset import Dataset
from fitreel.history import History
from fitreel.pages.data import dataset_data, training_data
from fitreel.pages.page import write_page
from fitreel.scenes import thinned
from fitreel.text import shown

SCRIPTS = ("network.js", "charts.js", "transport.js", "player.js")
MOST_POINTS = 4000
MOST_LOSSES = 4000
MOST_FRAMES = 1000
MOST_BYTES = 600_000  # of weights; base64 makes 800,000 of them


def write_player(
    dataset: Dataset,
    history: History,
    path: Path | str,
    name: str = "",
    noise_floor: float | None = None,
) -> None:
    """Write player.html: fit, neurons and loss of a training, to play, scrub and read off.

    ``name`` is its title, ``noise_floor`` the least possible loss where that is known.
    """
    epochs = curve_epochs(history.losses, history.frame_epochs)
    title = shown(name)
    data = {
        "name": title,
        "noise_floor": noise_floor,
        "dataset": dataset_data(dataset, MOST_POINTS),
        "training": training_data(history, epochs, MOST_FRAMES, MOST_BYTES),
    }
    write_page(Path(path), f"{title or 'training'} · fitreel", "player.html", SCRIPTS, data)


def curve_epochs(
    losses: NDArray[np.float64], frame_epochs: NDArray[np.int64], most: int = MOST_LOSSES
) -> NDArray[np.int64]:
    """Choose the epochs that draw a loss curve: all, or the lowest and highest of each stretch.

    So a thinned curve keeps its spikes. First, last and the frames' epochs are always there.
    """
    count = len(losses)
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, most // 2 + 1).astype(np.int64)
    stretches = list(itertools.pairwise(edges))
    lowest = [start + losses[start:end].argmin() for start, end in stretches]
    highest = [start + losses[start:end].argmax() for start, end in stretches]
    framed = frame_epochs[thinned(len(frame_epochs), MOST_FRAMES)]
    return np.unique(np.concatenate([lowest, highest, framed, [0, count - 1]]))
