"""The agreement of a run's files with its settings and its last loss."""

import numpy as np
import psutil
from numpy.typing import NDArray

from fitreel.tracking.facts import Facts
from fitreel.training.files import (
    LARGEST_HEADER,
    LARGEST_SHAPE,
    LARGEST_WEIGHTS,
    POINTS_HEADER,
    POINTS_WEIGHTS,
)
from fitreel.training.history import frame_count
from fitreel.training.loss_file import LARGEST_LOSSES, LOSS_SIZE
from fitreel.training.shape import NetworkShape
from fitreel.training.weights import Weights

LARGEST_FRAMES = 2**28  # bytes, where no param says how many frames there are


def largest_history(facts: Facts) -> tuple[int, int]:
    """Return how many bytes the losses and the frames of a run can have and fit in memory."""
    settings = facts.training_settings()
    if settings is None:
        return LARGEST_LOSSES, LARGEST_FRAMES
    # A file of many features is as large as it says: the check of its shapes comes later.
    shape = LARGEST_SHAPE if facts.has_table else NetworkShape(settings.hidden)
    header = LARGEST_HEADER if facts.has_table else POINTS_HEADER
    frames = frame_count(settings)
    size = 4 * shape._replace(hidden=settings.hidden).size + 8  # a frame's weights and its epoch
    # Settings may be forged like the file, and a sparse file needs no space on a disk.
    memory = int(psutil.virtual_memory().available)
    return 100 + LOSS_SIZE * settings.epochs, min(header + size * frames, memory)


def largest_weights(facts: Facts) -> int:
    """Return how many bytes the weights of a run can have."""
    return LARGEST_WEIGHTS if facts.has_table else POINTS_WEIGHTS


def check_network(facts: Facts, weights: Weights) -> None:
    """Raise ValueError if weights are not of the network that the run trained."""
    settings = facts.training_settings()
    found = (weights.bias.shape[-1], weights.activation)
    if settings and found != (settings.hidden, settings.activation):
        raise ValueError(
            f"the weights of run {facts.run_id} are of {found[0]:,} {found[1]} neurons, "
            f"but it trained {settings.hidden:,} {settings.activation} ones"
        )


def check_losses(facts: Facts, losses: NDArray[np.float64]) -> None:
    """Raise ValueError if losses are not those of the training: by their count, by the last one."""
    settings, count = facts.training_settings(), len(losses)
    may_be_fewer = facts.has_diverged or bool(settings and settings.patience_epochs)
    if settings and count != settings.epochs and not (may_be_fewer and count < settings.epochs):
        raise ValueError(
            f"history.csv has {count:,} losses, "
            f"but run {facts.run_id} trained {settings.epochs:,} epochs"
        )
    if facts.is_trial:  # its film shows a training alone, whose last bits differ
        return
    last = facts.metrics.get("loss", losses[-1])
    if last != losses[-1]:
        raise ValueError(
            f"history.csv ends with loss {losses[-1]:.9g}, but run {facts.run_id} with {last:.9g}"
        )
