"""The history of our own network becomes a recording."""

import numpy as np
from numpy.typing import NDArray

from fitreel.data.dataset import Dataset, Rows
from fitreel.reel.probes import Probes, kind_of, probes_of
from fitreel.reel.recording import Recording
from fitreel.reel.thinning import thinned
from fitreel.settings import LossName, TrainingSettings
from fitreel.training.errors import error_function, loss_unit, prepared
from fitreel.training.history import History
from fitreel.training.weights import Weights


def record(dataset: Dataset, history: History, most_frames: int) -> Recording:
    """Record a training; more than ``most_frames`` are thinned evenly, ends kept."""
    return record_frames(dataset, history, thinned(len(history.frame_epochs), most_frames))


def record_frames(
    dataset: Dataset,
    history: History,
    frames: NDArray[np.int64],
    probes: Probes | None = None,
) -> Recording:
    """Record these frames, places in ``history.frames``; a place may be repeated."""
    probes = probes or probes_of(dataset)
    # Each network is computed once, however often its frame is shown.
    chosen, places = np.unique(frames, return_inverse=True)
    # One network at a time: all at once need frames × probes × neurons numbers.
    predictions = np.stack([_predictions(dataset, probes, history.frames[int(k)]) for k in chosen])
    return Recording(
        dataset,
        probes,
        predictions[places],
        history.frame_epochs[frames],
        history.frame_losses[frames],
        None if dataset.test is None else losses_on_test(dataset, history, chosen)[places],
    )


def record_network(
    dataset: Dataset, probes: Probes, weights: Weights, epoch: int, loss: float
) -> Recording:
    """Record a single network, without its loss on test rows, as a reel of one frame."""
    predictions = _predictions(dataset, probes, weights)[None]
    return Recording(dataset, probes, predictions, np.array([epoch]), np.array([loss]))


def _predictions(dataset: Dataset, probes: Probes, weights: Weights) -> NDArray[np.float32]:
    # A column of one feature as a row: that is how its line was always computed.
    x = probes.inputs[:, 0] if kind_of(dataset) == "curve" else probes.inputs
    found: NDArray[np.float32] = weights.predict(x).numpy()
    return found


def losses_on_test(
    dataset: Dataset, history: History, frames: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the loss of these frames on the test rows, in raw units: (frames,)."""
    if dataset.test is None:
        raise ValueError("the dataset has no test rows")
    name = (history.settings or TrainingSettings()).loss
    losses = [held_out_loss(history.frames[int(k)], dataset, dataset.test, name) for k in frames]
    return np.array(losses)


def held_out_loss(weights: Weights, dataset: Dataset, rows: Rows, name: LossName) -> float:
    """Return what a training lowers, in raw units, on rows that are held out."""
    inputs, targets = prepared(dataset, rows)
    outputs = weights.with_scaling(None).outputs(inputs)
    return error_function(dataset, name)(outputs, targets).item() * loss_unit(dataset, name)
