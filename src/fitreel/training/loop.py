"""The training loop: it starts at epoch 0 or at a checkpoint, and calls one hook."""

import math
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from fitreel.data.dataset import Dataset
from fitreel.settings import (
    LiveName,
    TrainingSettings,
    shows_keywords,
    table_training,
    with_keywords,
)
from fitreel.training.history import History
from fitreel.training.loss import Loss
from fitreel.training.network import Network
from fitreel.training.progress import progress_bar
from fitreel.training.state import Checkpoint, Hook, Training


class Fit(NamedTuple):
    """A trained network and the history of its training, which a notebook shows."""

    network: Network
    history: History

    def _repr_html_(self) -> str | None:
        return self.history._repr_html_()


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


@shows_keywords(TrainingSettings)
def fit(
    dataset: Dataset,
    settings: TrainingSettings | None = None,
    on_epoch: Hook | None = None,
    start: Checkpoint | None = None,
    *,
    progress: bool = False,
    live: bool | LiveName = False,
    pace: float = 0.0,
    **keywords: Any,
) -> Fit:
    """Train a network on all points, ``settings.epochs`` times, or resume from a checkpoint.

    ``on_epoch(epoch, loss, training)`` is called in every epoch before its update. ``progress``
    shows a bar. ``live=True`` shows the training while it runs, in the first place that works, and
    ``live="window"``, ``"browser"`` or ``"terminal"`` there; ``pace`` are seconds from frame to
    frame. Keywords replace single settings; defaults are those of TrainingSettings, for a table
    those that suit it. Raises TrainingDiverged when a loss is not finite, ValueError for a setting
    out of range, TypeError for an unknown name, OSError if it cannot be shown, and
    KeyboardInterrupt if somebody who watches presses stop.
    """
    if not isinstance(dataset, Dataset):  # fit(x, y), as in other libraries
        raise TypeError("fit() takes a dataset, as in fit(Dataset(x, y))")
    settings = with_keywords(TrainingSettings, settings or _defaults(dataset), keywords, "fit")
    if settings.patience_epochs and not dataset.validation:
        raise ValueError("patience_epochs needs validation rows: validation_size=0.1")
    training = Training(settings, start, dataset)
    bar = progress_bar(settings.epochs, training.epoch, on_epoch) if progress else None
    view = _views().watching(dataset, settings, live, pace) if live else nullcontext()
    with bar or nullcontext(on_epoch) as hook, view as watch:
        history = _train(dataset, training, watch.after(hook) if watch else hook)
        if watch:
            watch.finish(history)
    return Fit(training.network, history)


def _views() -> ModuleType:
    # By its name: views are made of trainings, so no module of this package imports them.
    return import_module("fitreel.live.library")


def _defaults(dataset: Dataset) -> TrainingSettings:
    if dataset.schema is None:
        return TrainingSettings()
    return table_training(has_validation=dataset.validation is not None)


def _train(dataset: Dataset, training: Training, on_epoch: Hook | None) -> History:
    settings = training.settings
    loss = Loss(dataset, settings, list(training.network.parameters()))
    for epoch in range(training.epoch, settings.epochs):
        value, gradient = loss()
        if not math.isfinite(value):
            raise TrainingDiverged(epoch, settings, _history(training, dataset))
        if training.best and training.best.is_over(
            epoch, loss.validation(), settings.patience_epochs
        ):
            break
        # Before the update: the loss is that of the weights which the hook sees, and a checkpoint
        # that it takes is the state before this epoch.
        if on_epoch is not None:
            on_epoch(epoch, value, training)
        training.losses[epoch] = value
        if epoch % settings.frame_every == 0:
            training.frames[epoch // settings.frame_every] = training.weights.flat()
        for each in loss.batches(epoch) if gradient is None else (gradient,):
            training.optimizer.update(each)
        training.epoch = epoch + 1
    if training.best:
        training.best.is_over(training.epoch, loss.validation(), settings.patience_epochs)
        training.best.restore()
    # The last update has no epoch after it in which its loss would be computed and checked.
    final, _ = loss()
    if math.isfinite(final):
        training.finish(final)
    history = _history(training, dataset)
    if history is None or history.trained_loss is None:
        raise TrainingDiverged(settings.epochs, settings, history)
    return history


def _history(training: Training, dataset: Dataset) -> History | None:
    history = training.history()
    return history and replace(history, dataset=dataset, settings=training.settings)
