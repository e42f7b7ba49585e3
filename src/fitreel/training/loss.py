"""The loss of one network on all points, and its gradient, by autograd."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import Parameter, functional as F

from fitreel.data.dataset import Dataset
from fitreel.settings import TrainingSettings
from fitreel.training.memory import rows_at_once
from fitreel.training.network import forward


class Loss:
    """The mean squared error of a network, computed in parts where the memory is too small."""

    def __init__(
        self, dataset: Dataset, settings: TrainingSettings, parameters: list[Parameter]
    ) -> None:
        self._predict = partial(forward, activation=settings.activation)
        self._parameters = parameters
        self._points = len(dataset)
        rows = rows_at_once(settings.hidden)
        x, y = (torch.split(each.unsqueeze(1), rows) for each in (dataset.x, dataset.y))
        self._parts = list(zip(x, y, strict=True))  # each of (points, 1)

    def __call__(self) -> tuple[float, Sequence[Tensor]]:
        """Return the loss and its gradient, a tensor a parameter."""
        return self._sum() if len(self._parts) > 1 else self._part(*self._parts[0])

    def _part(self, x: Tensor, y: Tensor) -> tuple[float, Sequence[Tensor]]:
        # Not network(x): a module's look-ups and calls take 8 of an epoch's 70 microseconds.
        loss = F.mse_loss(self._predict(x, *self._parameters), y)
        return loss.item(), torch.autograd.grad(loss, self._parameters)

    def _sum(self) -> tuple[float, Sequence[Tensor]]:
        # In float64, so that the number of parts hardly changes the sums.
        value = 0.0
        gradient = [torch.zeros_like(each, dtype=torch.float64) for each in self._parameters]
        for x, y in self._parts:
            share = len(x) / self._points
            loss, slopes = self._part(x, y)
            value += share * loss
            for total, slope in zip(gradient, slopes, strict=True):
                total.add_(slope, alpha=share)
        # In float32, as a single part has it: journals and files keep four bytes of a loss.
        return torch.tensor(value).item(), [each.float() for each in gradient]
