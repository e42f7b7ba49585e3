"""The training: one loop, one hook."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from fitreel.dataset import Dataset
from fitreel.history import History
from fitreel.network import Network, Weights, forward
from fitreel.settings import TrainingSettings

Hook = Callable[[int, float, Network], None]


class Fit(NamedTuple):
    """A trained network and the history of its training."""

    network: Network
    history: History


class TrainingDiverged(ArithmeticError):
    """A loss was not finite; ``history`` holds what came before ``epoch``, None if nothing did."""

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
) -> Fit:
    """Train a network on all points, ``settings.epochs`` times.

    ``on_epoch(epoch, loss, network)`` is called in every epoch before its update. Raises
    TrainingDiverged when a loss is not finite.
    """
    network = Network(settings)
    parameters = list(network.parameters())
    predict = partial(forward, activation=settings.activation)
    numbers = [parameter.detach() for parameter in parameters]  # the same memory, no graph
    update = _optimizer(settings, numbers)
    x, y = dataset.x.unsqueeze(1), dataset.y.unsqueeze(1)  # (points, 1)
    losses = np.empty(settings.epochs)
    # (frames, …) a parameter; as tensors of their own the frames of a long training take gigabytes.
    frames = [
        torch.empty(math.ceil(settings.epochs / settings.frame_every), *each.shape)
        for each in numbers
    ]

    def history(epochs: int) -> History:
        frame_epochs = np.arange(0, epochs, settings.frame_every)
        drawn = [frame[: len(frame_epochs)] for frame in frames]
        weights = Weights.from_parameters(drawn, settings.activation)
        return History(losses[:epochs], frame_epochs, weights)

    for epoch in range(settings.epochs):
        # Not network(x): a module's look-ups and calls take 8 of an epoch's 70 microseconds.
        loss = F.mse_loss(predict(x, *parameters), y)
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDiverged(epoch, settings, history(epoch) if epoch else None)
        losses[epoch] = value
        if epoch % settings.frame_every == 0:
            for frame, now in zip(frames, numbers, strict=True):
                frame[epoch // settings.frame_every] = now
        if on_epoch is not None:
            on_epoch(epoch, value, network)
        update(torch.autograd.grad(loss, parameters))
    if not math.isfinite(F.mse_loss(network(x), y).item()):
        raise TrainingDiverged(settings.epochs, settings, history(settings.epochs))
    return Fit(network, history(settings.epochs))


def _optimizer(
    settings: TrainingSettings, parameters: list[Tensor]
) -> Callable[[Sequence[Tensor]], None]:
    """Give the function that updates detached parameters from their gradients.

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

    return with_adam if settings.optimizer == "adam" else with_sgd
