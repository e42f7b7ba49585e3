"""The training: one loop, one hook."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter, functional as F
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.history import History, check_frames
from fitreel.training.memory import rows_at_once
from fitreel.training.network import Network, forward
from fitreel.training.weights import Weights

Hook = Callable[[int, float, "Training"], None]


class Fit(NamedTuple):
    """A trained network and the history of its training."""

    network: Network
    history: History


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Hold what a training needs to go on from before the update of ``epoch``."""

    epoch: int
    losses: NDArray[np.float64]  # (epoch,)
    frames: NDArray[np.float32]  # (frames so far, numbers of the network)
    state: NDArray[np.float32]  # (numbers of the network and of the optimizer's memory,)


class TrainingDiverged(ArithmeticError):
    """A loss was not finite; ``history`` holds what came before ``epoch``, None if nothing did."""

    def __init__(self, epoch: int, settings: TrainingSettings, history: History | None) -> None:
        super().__init__(
            f"the loss is no longer finite at epoch {epoch}; "
            f"lower lr (it is {settings.lr:g}) or scale the data down"
        )
        self.epoch = epoch
        self.history = history


class Training:
    """A training under way, as the hook sees it: arrays that fill up, and the network."""

    def __init__(self, settings: TrainingSettings, start: Checkpoint | None = None) -> None:
        """Begin it, or go on from a checkpoint; ValueError if that is of another training.

        ValueError, too, if its frames are too many.
        """
        check_frames(settings)
        self.settings = settings
        self.network = Network(settings)
        parameters = [each.detach() for each in self.network.parameters()]  # the same memory
        self.weights = Weights.from_parameters(parameters, settings.activation)  # here too
        self.update, memory = _optimizer(settings, parameters)
        self._state = [*parameters, *memory]
        self.losses = np.empty(settings.epochs)
        # A row a frame; as tensors of their own the frames of a long training take gigabytes.
        self.frames = torch.empty(
            math.ceil(settings.epochs / settings.frame_every), Weights.count(settings.hidden)
        )
        self.epoch = 0  # those before are done
        if start:
            self._restore(start)

    def _restore(self, start: Checkpoint) -> None:
        sizes = [each.numel() for each in self._state]
        frames = self.frames[: math.ceil(start.epoch / self.settings.frame_every)]
        if (len(start.losses), start.frames.shape, start.state.shape) != (
            start.epoch,
            frames.shape,
            (sum(sizes),),
        ):
            raise ValueError(f"the checkpoint of epoch {start.epoch} is of another training")
        for mine, kept in zip(self._state, np.split(start.state, np.cumsum(sizes)), strict=False):
            mine.copy_(torch.tensor(kept).view(mine.shape))
        self.losses[: start.epoch] = start.losses
        frames.copy_(torch.tensor(start.frames))
        self.epoch = start.epoch

    def state(self) -> NDArray[np.float32]:
        """Copy the numbers of the network and the optimizer's memory, for a Checkpoint.

        From the hook it is the state before the update of the epoch.
        """
        numbers: NDArray[np.float32] = torch.cat([each.flatten() for each in self._state]).numpy()
        return numbers

    def history(self) -> History | None:
        """Give what there is of the history; None before the first epoch is done."""
        frame_epochs = np.arange(0, self.epoch, self.settings.frame_every)
        if not self.epoch:
            return None
        rows = self.frames[: len(frame_epochs)]
        weights = Weights.from_flat(rows, self.settings.activation)
        return History(self.losses[: self.epoch], frame_epochs, weights)


def fit(
    dataset: Dataset,
    settings: TrainingSettings = TrainingSettings(),
    on_epoch: Hook | None = None,
    start: Checkpoint | None = None,
) -> Fit:
    """Train a network on all points, ``settings.epochs`` times, or go on from a checkpoint.

    ``on_epoch(epoch, loss, training)`` is called in every epoch before its update. Raises
    TrainingDiverged when a loss is not finite.
    """
    training = Training(settings, start)
    network, update = training.network, training.update
    losses, frames = training.losses, training.frames
    parameters = list(network.parameters())
    measure = _measure(dataset, settings, parameters)
    for epoch in range(training.epoch, settings.epochs):
        value, gradient = measure()
        if not math.isfinite(value):
            raise TrainingDiverged(epoch, settings, training.history())
        if on_epoch is not None:
            on_epoch(epoch, value, training)
        losses[epoch] = value
        if epoch % settings.frame_every == 0:
            frames[epoch // settings.frame_every] = training.weights.flat()
        update(gradient)
        training.epoch = epoch + 1
    history = training.history()
    if history is None or not math.isfinite(measure()[0]):
        raise TrainingDiverged(settings.epochs, settings, history)
    return Fit(network, history)


def _measure(
    dataset: Dataset, settings: TrainingSettings, parameters: list[Parameter]
) -> Callable[[], tuple[float, Sequence[Tensor]]]:
    """Give the function that computes the loss on all points, and its gradient.

    Points times neurons numbers may be more than the memory holds: then part by part.
    """
    predict = partial(forward, activation=settings.activation)
    x, y = dataset.x.unsqueeze(1), dataset.y.unsqueeze(1)  # (points, 1)
    rows = rows_at_once(settings.hidden)
    parts = list(zip(torch.split(x, rows), torch.split(y, rows), strict=True))

    def measure_part(x: Tensor, y: Tensor) -> tuple[float, Sequence[Tensor]]:
        # Not network(x): a module's look-ups and calls take 8 of an epoch's 70 microseconds.
        loss = F.mse_loss(predict(x, *parameters), y)
        return loss.item(), torch.autograd.grad(loss, parameters)

    def measure_parts() -> tuple[float, Sequence[Tensor]]:
        value = 0.0
        gradient = [torch.zeros_like(each, dtype=torch.float64) for each in parameters]
        for part in parts:
            share = len(part[0]) / len(x)
            loss, slopes = measure_part(*part)
            value += share * loss
            for total, slope in zip(gradient, slopes, strict=True):
                total.add_(slope, alpha=share)
        return torch.tensor(value).item(), [each.float() for each in gradient]  # as one part has it

    return measure_parts if len(parts) > 1 else partial(measure_part, x, y)


def _optimizer(
    settings: TrainingSettings, parameters: list[Tensor]
) -> tuple[Callable[[Sequence[Tensor]], None], list[Tensor]]:
    """Give the function that updates detached parameters from gradients, and its memory.

    It calls torch's functional optimizers: the step of an Optimizer object spends more time
    on its own bookkeeping than on 61 numbers.
    """
    first = [torch.zeros_like(parameter) for parameter in parameters]
    second = [torch.zeros_like(parameter) for parameter in parameters]
    steps = [torch.tensor(0.0) for _ in parameters]

    momentum = 0.9 if settings.optimizer == "momentum" else 0.0
    buffers: list[Tensor | None] = [*first] if momentum else [None] * len(parameters)

    def with_sgd(gradients: Sequence[Tensor]) -> None:
        sgd(
            parameters,
            list(gradients),
            buffers,
            foreach=False,
            weight_decay=0.0,
            momentum=momentum,
            lr=settings.lr,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def with_adam(gradients: Sequence[Tensor]) -> None:
        adam(
            parameters,
            list(gradients),
            first,
            second,
            [],
            steps,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=settings.lr,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    if settings.optimizer == "adam":
        return with_adam, [*first, *second, *steps]
    return with_sgd, first if momentum else []
