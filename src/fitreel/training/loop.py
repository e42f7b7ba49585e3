"""The training loop: it starts at epoch 0 or at a checkpoint, and calls one hook."""

import math
from collections.abc import Callable
from typing import NamedTuple

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.history import History
from fitreel.training.loss import Loss
from fitreel.training.network import Network
from fitreel.training.state import Checkpoint, Training

# Called in every epoch before its update; it may read everything, and changes nothing.
Hook = Callable[[int, float, Training], None]


class Fit(NamedTuple):
    """A trained network and the history of its training."""

    network: Network
    history: History


# Not a ValueError: the settings are valid. The command line maps ArithmeticError to exit code 1.
class TrainingDiverged(ArithmeticError):
    """A loss was not finite; ``history`` has what came before ``epoch``, None if nothing did."""

    def __init__(self, epoch: int, settings: TrainingSettings, history: History | None) -> None:
        super().__init__(
            f"the loss is no longer finite at epoch {epoch}; "
            f"lower lr (it is {settings.lr:g}) or scale the data down"
        )
        self.epoch = epoch
        self.history = history


def fit(
    dataset: Dataset,
    settings: TrainingSettings = TrainingSettings(),
    on_epoch: Hook | None = None,
    start: Checkpoint | None = None,
) -> Fit:
    """Train a network on all points, ``settings.epochs`` times, or resume from a checkpoint.

    ``on_epoch(epoch, loss, training)`` is called in every epoch before its update. Raises
    TrainingDiverged when a loss is not finite.
    """
    training = Training(settings, start)
    network = training.network
    loss = Loss(dataset, settings, list(network.parameters()))
    for epoch in range(training.epoch, settings.epochs):
        value, gradient = loss()
        if not math.isfinite(value):
            raise TrainingDiverged(epoch, settings, training.history())
        # Before the update: the loss is that of the weights which the hook sees, and a checkpoint
        # that it takes is the state before this epoch.
        if on_epoch is not None:
            on_epoch(epoch, value, training)
        training.losses[epoch] = value
        if epoch % settings.frame_every == 0:
            training.frames[epoch // settings.frame_every] = training.weights.flat()
        training.optimizer.update(gradient)
        training.epoch = epoch + 1
    # The last update has no epoch after it in which its loss would be computed and checked.
    final, _ = loss()
    if math.isfinite(final):
        training.finish(final)
    history = training.history()
    if history is None or history.trained_loss is None:
        raise TrainingDiverged(settings.epochs, settings, history)
    return Fit(network, history)
